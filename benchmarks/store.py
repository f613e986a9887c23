"""How long ten thousand results take to write, read and plan with."""

import math
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from random import Random
from typing import Any

from benchmarks.measure import job, machine, seconds
from fewshot_audio.features.transforms import BANDS
from fewshot_audio.provenance import provenance
from fewshot_audio.runner.identity import missing, run_specs
from fewshot_audio.runner.store import FINISHED, Line, Store
from fewshot_audio.types import Job, RunSpec

FOLDS, MODELS, FRONTENDS = (
    range(1, 12),
    ("timbre", "sb_cnn", "vgg", "proto"),
    ("log_eps", "log_learn", "leaf"),
)
PARTS = ("draw", "train", "filter", "score")
LEAF = (
    "centre",
    "bandwidth",
    "pooling",
    "alpha",
    "delta",
    "root",
    "smoothing",
)  # what it learns, per filter
POINTS = 28  # of a path


def store() -> dict[str, Any]:
    """Seconds to write the 9,900 lines of the whole study, each by itself; to read; to plan with them.

    "write_waiting" waits for the disk after every line, as jobs do where runs take longer than a second.
    """
    arms = [job(model, f"frontend={frontend}") for model, frontend in product(MODELS, FRONTENDS)]
    jobs = [replace(arm, fold=fold) for arm in arms for fold in FOLDS]
    specs = [spec for each in jobs for spec in run_specs(each, "0123456789abcdef", None)]
    with tempfile.TemporaryDirectory() as folder:
        kept, waited_for = Store(Path(folder)), Store(Path(folder) / "waited_for")
        kept.prepare()
        waited_for.prepare()
        lines = [
            {"key": spec.key, "status": FINISHED, "identity": spec.identity, **_rest(spec)}
            for spec in specs
        ]
        written = seconds(
            lambda: [
                kept.append(kept.file_of(spec), [line])
                for spec, line in zip(specs, lines, strict=True)
            ]
        )
        waiting = seconds(lambda: _write_waiting(waited_for, specs, lines))
        read = seconds(lambda: list(kept.lines()))
        plan = seconds(lambda: _planned(kept, jobs))
        size = sum(file.stat().st_size for file in kept.folder.glob("*.jsonl"))
    times = {"write_s": written, "write_waiting_s": waiting, "read_s": read, "plan_s": plan}
    return {
        "bench": "store",
        "lines": len(specs),
        "mib": round(size / 2**20, 1),
        "machine": machine(1),
        **times,
    }


def _rest(spec: RunSpec) -> Line:
    """The rest of a line, as long as those of runs are: with log-learn's path, with LEAF's path and report."""
    random = Random(spec.key)
    name = spec.identity["frontend"]["name"]
    learned = {"log_eps": (), "log_learn": ("alpha", "beta"), "leaf": LEAF}[name]
    rest = {
        "accuracy": 0.5,
        "seconds": {part: random.random() for part in PARTS},
        "confusion_matrix": [[7] * 10] * 10,
        "path": {each: [random.random() for _ in range(POINTS)] for each in learned},
        "command": "python scripts/run.py -m +study=whole dataset.root=...",
        **provenance(),
    }
    if name == "leaf":
        times = ("before", "after")
        rest["frontend_diagnostics"] = {
            time: {each: [round(random.random(), 5) for _ in range(BANDS)] for each in LEAF}
            for time in times
        }
    return rest


def _planned(kept: Store, jobs: Sequence[Job]) -> list[RunSpec]:
    """The runs that are missing, as a dry run finds them."""
    finished = {line["key"] for line in kept.brief() if line["status"] == FINISHED}
    return missing([spec for each in jobs for spec in run_specs(each, "", None)], finished)


def _write_waiting(store: Store, specs: Sequence[RunSpec], lines: Sequence[Line]) -> None:
    for spec, line in zip(specs, lines, strict=True):
        store.synced = -math.inf
        store.append(store.file_of(spec), [line])


def lines(result: dict[str, Any]) -> Iterator[str]:
    """A result for people."""
    times = "  ".join(
        f"{name} {result[f'{name}_s']:.2f} s" for name in ("write", "write_waiting", "read", "plan")
    )
    yield f"{result['lines']} lines, {result['mib']} MiB: {times}"
