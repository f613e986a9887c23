"""How long ten thousand results take to write, read and plan with."""

import math
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measure import job, machine, seconds
from benchmarks.records import FRONTENDS, MODELS, fields
from fewshot_audio.datasets.base import Fold
from fewshot_audio.record_fields import FINISHED, SCHEMA, Record
from fewshot_audio.runner.identity import missing, run_specs
from fewshot_audio.runner.store import Store
from fewshot_audio.types import Job, RunSpec

FOLDS, FOLD = range(1, 12), Fold(1, (), ())
CLASSES = 10


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
        random = np.random.default_rng(0)
        lines = [_line(spec, random) for spec in specs]
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


def _line(spec: RunSpec, random: np.random.Generator) -> Record:
    head = {"schema": SCHEMA, "key": spec.key, "status": FINISHED, "identity": spec.identity}
    rest = fields(spec.identity["frontend"]["name"], CLASSES, random)
    return {**head, "metrics": {"accuracy": 0.5}, **rest}


def _planned(kept: Store, jobs: Sequence[Job]) -> list[RunSpec]:
    """Return the runs that are missing, as a dry run finds them."""
    finished = {line["key"] for line in kept.brief() if line["status"] == FINISHED}
    return missing([spec for each in jobs for spec in run_specs(each, FOLD, "", None)], finished)


def _write(store: Store, specs: Sequence[RunSpec], lines: Sequence[Record], *, waits: bool) -> None:
    for spec, line in zip(specs, lines, strict=True):
        if waits:
            store.synced = -math.inf
        store.append(store.file_of(spec), [line])
