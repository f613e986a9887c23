"""How long the study would take on several devices, by simulation from measured durations."""

import heapq
import json
from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from benchmarks.measure import machine
from benchmarks.study import few_shot_schedule


def devices(durations: Path, counts: Sequence[int]) -> dict[str, Any]:
    """Return hours and idle shares of the study on so many devices.

    Each device takes what comes next as soon as it is free, as launchers with a queue do. A job is
    all runs of one dataset, fold, model and frontend; a stack is what one process trains at once.

    Args:
        durations: A result of the benchmark `study`.
        counts: Numbers of devices.
    """
    projection = json.loads(durations.read_text())
    jobs = [job for part in projection["parts"] for job in jobs_of(part, projection["stack"])]
    whole = [sum(job) for job in jobs]
    orders = {
        "jobs in order": whole,
        "jobs, longest first": sorted(whole, reverse=True),
        "stacks, longest first": sorted(chain(*jobs), reverse=True),
    }
    rows = []
    for count in counts:
        for order, tasks in orders.items():
            span = makespan(tasks, count)
            bound = max(sum(tasks) / count, max(tasks))
            idle = 1 - sum(tasks) / (span * count)
            times = {"hours": span / 3600, "bound": bound / 3600, "idle": idle}
            rows.append({"devices": count, "order": order, **times})
    measured = {name: projection[name] for name in ("machine", "stack")}
    return {"bench": "devices", "measured": measured, "machine": machine(1), "rows": rows}


def jobs_of(part: Mapping[str, Any], stack: int) -> list[list[float]]:
    """Return the seconds of the stacks of each job of a dataset, model and frontend."""
    stacks = []
    for n, runs in few_shot_schedule().items():
        one = part["seconds"][str(n)]
        stacks += [one * min(stack, runs - first) for first in range(0, runs, stack)]
    return [stacks] * part["folds"]


def makespan(tasks: Sequence[float], count: int) -> float:
    """Return when the last task ends where each of the devices takes the next one when free."""
    free = [0.0] * count
    for task in tasks:
        heapq.heapreplace(free, free[0] + task)
    return max(free)
