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
from fewshot_audio.datasets.base import Fold
from fewshot_audio.records import FINISHED, SCHEMA, Record
from fewshot_audio.runner.environment import provenance
from fewshot_audio.runner.identity import missing, run_specs
from fewshot_audio.runner.store import Store
from fewshot_audio.types import Job, RunSpec

FOLDS, MODELS, FRONTENDS = (
    range(1, 12),
    ("timbre", "sb_cnn", "vgg", "proto"),
    ("log_eps", "log_learn", "leaf"),
)
FOLD = Fold(1, (), ())
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
    """Return the seconds to write the 9,900 records of the study one by one, to read, to plan.

    "write_waiting" waits for the disk after every record, as jobs do whose runs take over a second.
    """
    kinds = [job(model, f"frontend={frontend}") for model, frontend in product(MODELS, FRONTENDS)]
    jobs = [replace(kind, fold=fold) for kind in kinds for fold in FOLDS]
    specs = [spec for each in jobs for spec in run_specs(each, FOLD, "0123456789abcdef", None)]
    with tempfile.TemporaryDirectory() as folder:
        kept, waited_for = Store(Path(folder)), Store(Path(folder) / "waited_for")
        kept.prepare()
        waited_for.prepare()
        lines = [
            {
                "schema": SCHEMA,
                "key": spec.key,
                "status": FINISHED,
                "identity": spec.identity,
                **_rest(spec),
            }
            for spec in specs
        ]
        written = seconds(lambda: _write(kept, specs, lines, waits=False))
        waiting = seconds(lambda: _write(waited_for, specs, lines, waits=True))
        read = seconds(lambda: list(kept.records()))
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


def _rest(spec: RunSpec) -> Record:
    """Return the rest of a record, as long as those of runs are."""
    random = Random(spec.key)
    name = spec.identity["frontend"]["name"]
    learned = {"log_eps": (), "log_learn": ("alpha", "beta"), "leaf": LEAF}[name]
    rest = {
        "metrics": {"accuracy": 0.5},
        "seconds": {part: random.random() for part in PARTS},
        "confusion_matrix": [[7] * 10] * 10,
        "history": {each: [random.random() for _ in range(POINTS)] for each in learned},
        "command": "python scripts/run.py -m +study=whole dataset.root=...",
        **provenance(),
    }
    if name == "leaf":
        times = ("before", "after")
        rest["frontend_diagnostics"] = {
            time: {each: [round(random.random(), 5) for _ in range(128)] for each in LEAF}
            for time in times
        }
    return rest


def _planned(kept: Store, jobs: Sequence[Job]) -> list[RunSpec]:
    """Return the runs that are missing, as a dry run finds them."""
    finished = {line["key"] for line in kept.brief() if line["status"] == FINISHED}
    return missing([spec for each in jobs for spec in run_specs(each, FOLD, "", None)], finished)


def _write(store: Store, specs: Sequence[RunSpec], lines: Sequence[Record], *, waits: bool) -> None:
    for spec, line in zip(specs, lines, strict=True):
        if waits:
            store.synced = -math.inf
        store.append(store.file_of(spec), [line])


def lines(result: dict[str, Any]) -> Iterator[str]:
    """A result for people."""
    times = "  ".join(
        f"{name} {result[f'{name}_s']:.2f} s" for name in ("write", "write_waiting", "read", "plan")
    )
    yield f"{result['lines']} lines, {result['mib']} MiB: {times}"
