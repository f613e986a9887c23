"""Networks that learned several datasets together, as runs of each of them."""

from dataclasses import replace

import pandas as pd

from fewshot_audio.report.selection import SPLIT, Selection

TOGETHER = " (multi-task)"  # ends the names of frontends
SAME = [*SPLIT, "frontend"]
KIND = ["dataset", "model", "frontend"]


def is_multitask(selection: Selection) -> pd.Series:
    """Whether each run has the metric of each task, as "digits accuracy", beside their mean."""
    end = f" {selection.measure.name}"
    has = [any(name.endswith(end) for name in each) for each in selection.runs["metrics"]]
    return pd.Series(has, selection.runs.index, bool)


def by_task(selection: Selection) -> tuple[Selection, Selection]:
    """Return the runs of one dataset, and those of several with a row for each of them."""
    runs, end = selection.runs, f" {selection.measure.name}"
    of_several = is_multitask(selection)
    rows = [
        {
            **run,
            "dataset": name.removesuffix(end),
            "metrics": {selection.measure.name: value},
            "value": value,
        }
        for run in runs[of_several].to_dict("records")
        for name, value in run["metrics"].items()
        if name.endswith(end) and value is not None
    ]
    several = pd.DataFrame(rows, columns=runs.columns)
    several = several.astype({"frontend": runs["frontend"].dtype, "value": float})
    return replace(selection, runs=runs[~of_several]), replace(selection, runs=several)


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
    alone, several = (each.runs[KIND].drop_duplicates().astype(str) for each in by_task(selection))
    baseline = several["frontend"] == selection.settings.baseline
    others = several[~baseline].merge(several[baseline], on=KIND[:2], suffixes=("", "_baseline"))
    both = several.merge(alone, on=KIND)
    return sum(len(each) + len(each[KIND[1:]].drop_duplicates()) for each in (others, both))
