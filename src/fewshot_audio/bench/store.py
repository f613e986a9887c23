"""How long ten thousand results take to write, read and plan with."""

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from itertools import groupby, product
from pathlib import Path
from typing import Any

from fewshot_audio.bench.measure import job, machine, seconds
from fewshot_audio.study.plan import missing, run_specs
from fewshot_audio.study.store import FINISHED, Store

FOLDS, MODELS, FRONTENDS = range(1, 12), ("timbre", "sb_cnn", "vgg", "proto"), ("log_eps", "log_learn", "leaf")
PARTS = ("draw", "train", "filter", "score")


def store() -> dict[str, Any]:
    """Seconds to write the 9,900 lines of the whole study and bring them to the disk; to read; to plan with them.

    Lines are written each by itself, as runs of a CPU end, and all repeats of an n together, as stacks on a GPU do.
    """
    arms = [job(model, f"frontend={frontend}") for model, frontend in product(MODELS, FRONTENDS)]
    jobs = [replace(arm, fold=fold) for arm in arms for fold in FOLDS]
    specs = [spec for each in jobs for spec in run_specs(each, "0123456789abcdef", None)]
    with tempfile.TemporaryDirectory() as folder:
        kept, stacked = Store(Path(folder)), Store(Path(folder) / "stacked")
        kept.prepare()
        stacked.prepare()
        rest = {
            "accuracy": 0.5,
            "seconds": dict.fromkeys(PARTS, 1.5),
            "confusion": [[7] * 10] * 10,
            "path": {"alpha": [1.5] * 25},
        }
        lines = [{"key": spec.key, "status": FINISHED, "identity": spec.identity, **rest} for spec in specs]
        one_by_one = [(kept.file_of(spec), [line]) for spec, line in zip(specs, lines, strict=True)]
        stacks = [
            (stacked.folder / file.name, [line for _, (line,) in group])
            for file, group in groupby(one_by_one, lambda pair: pair[0])
        ]
        written = seconds(lambda: [kept.append(*each) for each in one_by_one])
        by_stack = seconds(lambda: [stacked.append(*each) for each in stacks])
        read = seconds(lambda: list(kept.lines()))
        plan = seconds(lambda: missing([s for each in jobs for s in run_specs(each, "", None)], kept.keys({FINISHED})))
        size = sum(file.stat().st_size for file in kept.folder.glob("*.jsonl"))
    times = {"write_s": written, "write_stacks_s": by_stack, "read_s": read, "plan_s": plan}
    return {
        "bench": "store",
        "lines": len(specs),
        "stacks": len(stacks),
        "mib": round(size / 2**20, 1),
        "machine": machine(1),
        **times,
    }


def lines(result: dict[str, Any]) -> Iterator[str]:
    """A result for people."""
    times = "  ".join(f"{name} {result[f'{name}_s']:.2f} s" for name in ("write", "write_stacks", "read", "plan"))
    yield f"{result['lines']} lines, {result['mib']} MiB: {times}"
