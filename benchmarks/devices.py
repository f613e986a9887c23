"""How long the study would take on several devices, by simulation from measured durations."""

import heapq
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.measure import machine
from benchmarks.study import few_shot_schedule

ORDERS = ("jobs in order", "jobs, longest first", "stacks, longest first")


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
    orders = dict(
        zip(
            ORDERS,
            (whole, longest_first(whole), longest_first([one for job in jobs for one in job])),
            strict=True,
        )
    )
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


def lines(result: dict[str, Any]) -> Iterator[str]:
    """A result for people."""
    for row in result["rows"]:
        yield (
            f"{row['devices']:4} devices, {row['order']:22} {row['hours']:8.2f} h, "
            f"no order below {row['bound']:.2f} h, idle {100 * row['idle']:.0f} %"
        )


def jobs_of(part: Mapping[str, Any], stack: int) -> list[list[float]]:
    """Return the seconds of the stacks of each job of a dataset, model and frontend."""
    stacks = []
    for n, runs in few_shot_schedule().items():
        one = part["seconds"][str(n)]
        stacks += [one * min(stack, runs - first) for first in range(0, runs, stack)]
    return [stacks] * part["folds"]


def longest_first(tasks: Sequence[float]) -> list[float]:
    """Return tasks, the longest first."""
    return sorted(tasks, reverse=True)


def makespan(tasks: Sequence[float], count: int) -> float:
    """Return when the last task ends where each of the devices takes the next one when free."""
    free = [0.0] * count
    for task in tasks:
        heapq.heapreplace(free, free[0] + task)
    return max(free)
