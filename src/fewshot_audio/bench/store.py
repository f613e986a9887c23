"""How long ten thousand results take to write, read and plan with."""

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

from fewshot_audio.bench.measure import job, machine, seconds
from fewshot_audio.study.plan import missing, run_specs
from fewshot_audio.study.store import FINISHED, Store

FOLDS, MODELS, FRONTENDS = range(1, 12), ("timbre", "sb_cnn", "vgg", "proto"), ("log_eps", "log_learn", "leaf")
PARTS = ("draw", "train", "filter", "score")


def store() -> dict[str, Any]:
    """Seconds to write the 9,900 lines of the whole study, each by itself and brought to the disk; to read; to plan with them."""
    arms = [job(model, f"frontend={frontend}") for model, frontend in product(MODELS, FRONTENDS)]
    jobs = [replace(arm, fold=fold) for arm in arms for fold in FOLDS]
    specs = [spec for each in jobs for spec in run_specs(each, "0123456789abcdef", None)]
    with tempfile.TemporaryDirectory() as folder:
        kept = Store(Path(folder))
        kept.prepare()
        rest = {
            "accuracy": 0.5,
            "seconds": dict.fromkeys(PARTS, 1.5),
            "confusion": [[7] * 10] * 10,
            "path": {"alpha": [1.5] * 25},
        }
        lines = [(kept.file_of(spec), {"key": spec.key, "status": FINISHED, "identity": spec.identity, **rest}) for spec in specs]
        written = seconds(lambda: [kept.append(file, line) for file, line in lines])
        read = seconds(lambda: list(kept.lines()))
        plan = seconds(lambda: missing([s for each in jobs for s in run_specs(each, "", None)], kept.keys({FINISHED})))
        size = sum(file.stat().st_size for file in kept.folder.glob("*.jsonl"))
    times = {"write_s": written, "read_s": read, "plan_s": plan}
    return {"bench": "store", "lines": len(specs), "mib": round(size / 2**20, 1), "machine": machine(1), **times}


def lines(result: dict[str, Any]) -> Iterator[str]:
    """A result for people."""
    times = "  ".join(f"{name} {result[f'{name}_s']:.2f} s" for name in ("write", "read", "plan"))
    yield f"{result['lines']} lines, {result['mib']} MiB: {times}"
