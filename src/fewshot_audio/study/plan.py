"""Which runs a job consists of, what each depends on, and which are still missing."""

import hashlib
import json
from collections.abc import Container, Iterable, Mapping
from dataclasses import asdict
from typing import Any

from fewshot_audio.types import Component, Job, RunSpec

NOT_RESULTS = ("root", "tolerate")  # of a dataset's settings: where it lies; what they let in is in the bank's key


def run_specs(job: Job, bank: str, draws: str | None) -> list[RunSpec]:
    """All runs of a job, n by n, repeat by repeat; `bank` and `draws` are the hashes of what the job reads."""
    shared = {
        "dataset": {"name": job.dataset.name} | {k: v for k, v in job.dataset.arguments.items() if k not in NOT_RESULTS},
        "bank": bank,
        "mel": asdict(job.mel),
        "fold": job.fold,
        "model": _identity(job.model),
        "frontend": _identity(job.frontend),
        "fit": _identity(job.fit),
        "seed": job.seed,
        "draws": draws,
    }
    shared = _canonical(shared)
    runs = [(n, repeat) for n, repeats in sorted(job.repeats.items()) for repeat in range(1, repeats + 1)]
    identities = [(n, repeat, {**shared, "n_per_class": n, "repeat": repeat}) for n, repeat in runs]
    return [RunSpec(n, repeat, identity, _digest(identity)) for n, repeat, identity in identities]


def run_key(identity: Mapping[str, Any]) -> str:
    """The first 16 hex digits of the SHA-256 over the sorted JSON of all that a result depends on."""
    return _digest(_canonical(identity))


def _digest(canonical: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(canonical, sort_keys=True).encode()).hexdigest()[:16]


def missing(specs: Iterable[RunSpec], finished: Container[str]) -> list[RunSpec]:
    """The runs whose key is not among the finished ones."""
    return [spec for spec in specs if spec.key not in finished]


def _identity(component: Component) -> dict[str, Any]:
    """What was chosen, without settings that are off (null or false): a new option that is off changes no key of older runs."""
    chosen = {key: value for key, value in component.arguments.items() if value is not None and value is not False}
    return {"name": component.name, "target": component.target, **chosen}


def _canonical(value: Any) -> Any:
    """Settings as plain JSON in which equal numbers look equal: 1 and 1.0 are one setting."""
    if isinstance(value, Mapping):
        return {str(key): _canonical(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_canonical(each) for each in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
