"""Averages over tasks: datasets of which all training clips train."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from fewshot_audio.report.differences import QUESTION, judged
from fewshot_audio.report.multitask import is_multitask
from fewshot_audio.report.records import ALL_CLIPS
from fewshot_audio.report.selection import Selection
from fewshot_audio.report.statistics import ANY, FOLDS, TASKS, with_limits
from fewshot_audio.types import Statistics

AVERAGE = "average"
SHARED = "average, shared tasks"  # with networks of several tasks, of those that these learned


def average_of_tasks(selection: Selection, cells: pd.DataFrame) -> pd.DataFrame:
    """Return each model's differences averaged over tasks, judged; none where a task lacks runs.

    Datasets that are several together are no tasks.

    Args:
        selection: The runs.
        cells: Differences of runs trained on all clips, as `compare` makes them.
    """
    limits = selection.measure.limits(is_difference=True)
    alone = set(selection.runs.loc[~is_multitask(selection), "dataset"])
    cells = cells[cells["dataset"].astype(str).isin(alone)]
    averages = with_average(cells, tasks_of(selection), selection.joint, limits, QUESTION[1:])
    return judged(averages[averages["dataset"] == AVERAGE], selection)


def tasks_of(selection: Selection) -> dict[str, int]:
    """Return the number of tasks of each model that has several."""
    runs = selection.runs[~is_multitask(selection)]
    runs = runs[runs["n_per_class"] == ALL_CLIPS]
    counts = runs.groupby("model")["dataset"].nunique()
    return {str(model): count for model, count in counts.items() if count > 1}


def with_average(
    cells: pd.DataFrame,
    counts: Mapping[str, int],
    how: Statistics,
    within: tuple[float, float] = ANY,
    by: Sequence[str] = ("model", "frontend"),
) -> pd.DataFrame:
    """Append the mean over datasets of each row that has all of its model's.

    The datasets are independent of each other and stay as they are: variances of their means add
    up, with Welch's degrees of freedom.

    Args:
        cells: As `summary` makes them, a row per dataset and `by`.
        counts: Tasks of each model that has an average.
        how: Confidence of the intervals.
        within: The least and the largest mean that there can be.
        by: Columns that name a row, with the model first.
    """
    cells = cells.astype(dict.fromkeys(("dataset", *by), str))
    rows = []
    for names, group in cells.groupby(list(by)):
        if len(group) < counts.get(names[0], np.inf):
            continue
        row = dict(zip(by, names, strict=True))
        rows.append({"dataset": AVERAGE, **row, "n_per_class": ALL_CLIPS, **_mean(group)})
    if not rows:
        return cells
    averages = with_limits(pd.DataFrame(rows), how.confidence, within)
    return pd.concat([cells, averages], ignore_index=True)


def _mean(tasks: pd.DataFrame) -> dict[str, Any]:
    """Return the columns of `summary` for the mean of tasks that stay as they are."""
    variances = (tasks["se"].to_numpy() / len(tasks)) ** 2
    with np.errstate(invalid="ignore"):
        df = variances.sum() ** 2 / (variances**2 / tasks["df"].to_numpy()).sum()
    over_seeds = (tasks["unit"] != FOLDS).all()
    return {
        "mean": tasks["mean"].mean(),
        "se": np.sqrt(variances.sum()),
        "df": df,
        "count": tasks["count"].sum(),
        "folds": 1,
        "unit": TASKS,
        "repeats": tasks["repeats"].mean(),
        "variance_splits": variances.sum() if over_seeds else np.nan,
    }
