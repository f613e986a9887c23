"""Networks that learned several datasets together, as runs of each of them."""

from collections.abc import Iterator
from dataclasses import replace

import pandas as pd

from fewshot_audio.report.records import ROW
from fewshot_audio.report.selection import SPLIT, Selection

TOGETHER = " (multi-task)"  # ends the names of frontends
SAME = [*SPLIT, "frontend"]


def is_multitask(selection: Selection) -> pd.Series:
    """Whether each run has the metric of each task, as "digits accuracy", beside their mean."""
    return pd.Series([bool(each) for each in _of_tasks(selection)], selection.runs.index, bool)


def by_task(selection: Selection) -> tuple[Selection, Selection]:
    """Return the runs of one dataset, and those of several with a row for each of them."""
    runs, of_several = selection.runs, is_multitask(selection)
    if not of_several.any():
        return selection, replace(selection, runs=runs[of_several])
    rows = [
        {**run, "dataset": task, "metrics": {selection.measure.name: value}, "value": value}
        for run, of_run in zip(runs.to_dict("records"), _of_tasks(selection), strict=True)
        for task, value in of_run.items()
        if value is not None
    ]
    several = pd.DataFrame(rows, columns=runs.columns)
    several = several.astype({"frontend": runs["frontend"].dtype, "value": float})
    return replace(selection, runs=runs[~of_several]), replace(selection, runs=several)


def _of_tasks(selection: Selection) -> Iterator[dict[str, float | None]]:
    """Yield each run's metric by task, none of one dataset: classes are called "digits/seven"."""
    runs, metric = selection.runs, selection.measure.name
    for names, metrics in zip(runs["class_names"], runs["metrics"], strict=True):
        tasks = {name.partition("/")[0] for name in names if "/" in name}
        own = {task: f"{task} {metric}" for task in sorted(tasks)}
        yield {task: metrics[name] for task, name in own.items() if name in metrics}


def gains_of_several(alone: Selection, several: Selection) -> pd.DataFrame:
    """Return pairs of runs: of one dataset, and of several, with the same frontend and seed.

    Returns:
        A row per pair, with the columns of `pair`.
    """
    sides = [each.runs.astype({"dataset": str})[[*SAME, "value"]] for each in (several, alone)]
    pairs = sides[0].merge(sides[1], on=SAME, suffixes=("_first", "_second"))
    name, value = pairs["frontend"].astype(str), pairs["value_first"] - pairs["value_second"]
    return pairs.assign(first=name + TOGETHER, second=name, value=value)


def comparisons_by_task(selection: Selection) -> int:
    """Return how many differences there are by task: from the baseline, and from one dataset's."""
    alone, several = (each.runs[ROW].drop_duplicates().astype(str) for each in by_task(selection))
    baseline = several["frontend"] == selection.settings.baseline
    others = several[~baseline].merge(several[baseline], on=ROW[:2], suffixes=("", "_baseline"))
    both = several.merge(alone, on=ROW)
    return sum(len(each) + len(each[ROW[1:]].drop_duplicates()) for each in (others, both))
