"""Table of tasks: datasets of which all training clips train, and their average."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from fewshot_audio.report.differences import compare, judged, pair_all
from fewshot_audio.report.records import ALL_CLIPS
from fewshot_audio.report.selection import Selection
from fewshot_audio.report.statistics import ANY, summary, with_limits
from fewshot_audio.report.table import Table, pivot
from fewshot_audio.report.tables import BY, VERDICT, means_by_fold, with_runs
from fewshot_audio.report.text import MINUS, interval_name
from fewshot_audio.types import NoRunsError, Statistics

AVERAGE = "average"


def tasks(selection: Selection, name: str, title: str) -> Table:
    """Show each dataset's mean, its paired difference from the baseline, and averages of both.

    Raises:
        NoRunsError: If fewer than two datasets have runs trained on all clips.
        StoreError: If some frontends have runs that others lack, unless `partial`.
    """
    measure, baseline = selection.measure, selection.settings.baseline
    runs = selection.runs[selection.runs["n_per_class"] == ALL_CLIPS]
    chosen = with_runs(selection, runs, name, selection.settings.partial)
    if chosen.runs["dataset"].nunique() < 2:
        raise NoRunsError(f"table {name}: it needs runs trained on all clips of two datasets")
    counts = chosen.runs.groupby("model", observed=True)["dataset"].nunique().to_dict()
    means = summary(chosen.runs, BY, selection.settings.how, within=measure.limits())
    means = with_average(means, counts, selection.settings.how, measure.limits())
    texts = [measure.value(mean) for mean in means["mean"]]
    means = means.assign(text=texts, bold=False, shown=measure.label)
    differences = _differences(selection, name, counts)
    texts = [measure.with_interval(cell, signed=True) for cell in differences.itertuples()]
    differences = differences.assign(text=texts, shown=f"{MINUS} {baseline}")
    cells = pd.concat([means, differences], ignore_index=True)
    by_fold = means_by_fold(chosen.runs, BY)
    rows, caption = ["model", "shown", "dataset"], _caption(selection, differences)
    table = pivot(selection, name, title, caption, cells, rows, ["frontend"], by_fold)
    key = table.text["dataset"] == AVERAGE
    order = table.text.assign(key=key).sort_values([*rows[:2], "key"], kind="stable").index
    return replace(table, text=table.text.loc[order], bold=table.bold.loc[order])


def _differences(selection: Selection, name: str, counts: Mapping[str, int]) -> pd.DataFrame:
    """Return the differences from the baseline by task, and their average."""
    cells = compare(selection, pair_all(selection, name, None, partial=True))
    cells = cells[cells["n_per_class"] == ALL_CLIPS].rename(columns={"first": "frontend"})
    limits = selection.measure.limits(is_difference=True)
    cells = with_average(cells.drop(columns="second"), counts, selection.joint, limits)
    return judged(cells, selection).rename(columns={"marked": "bold"})


def with_average(
    cells: pd.DataFrame,
    counts: Mapping[str, int],
    how: Statistics,
    within: tuple[float, float] = ANY,
) -> pd.DataFrame:
    """Append the mean over datasets of each model and frontend that has all of the model's.

    The datasets are independent of each other and stay as they are: variances of their means add
    up, with Welch's degrees of freedom.

    Args:
        cells: As `summary` makes them, a row per dataset, model and frontend.
        counts: Datasets of each model.
        how: Confidence of the intervals.
        within: The least and the largest mean that there can be.
    """
    cells = cells.astype(dict.fromkeys(("dataset", "model", "frontend"), str))
    rows = []
    for (model, frontend), group in cells.groupby(["model", "frontend"]):
        if len(group) < counts[str(model)]:
            continue
        mean, variances = group["mean"].mean(), (group["se"].to_numpy() / len(group)) ** 2
        se = np.sqrt(variances.sum())
        df = variances.sum() ** 2 / (variances**2 / group["df"].to_numpy()).sum()
        names = {"dataset": AVERAGE, "model": model, "frontend": frontend}
        numbers = {"mean": mean, "se": se, "df": df, "count": group["count"].sum()}
        rows.append({**names, "n_per_class": ALL_CLIPS, **numbers})
    if not rows:
        return cells
    averages = with_limits(pd.DataFrame(rows), how.confidence, within)
    return pd.concat([cells, averages], ignore_index=True)


def _caption(selection: Selection, differences: pd.DataFrame) -> str:
    measure, how = selection.measure, selection.settings.how
    of_tasks = differences[differences["dataset"] != AVERAGE].astype({"folds": int})
    interval = interval_name(of_tasks, how, selection.comparisons)
    interval = interval.replace("few-shot splits", "seeds")
    return (
        f"{measure.heading} of runs trained on all clips: mean of the folds' means; and difference "
        f"from {selection.settings.baseline}{measure.points}, of runs of the same fold and seed: "
        f"mean [{interval}] (number of pairs). The average counts each task "
        "the same. Its interval takes the tasks as they are: t, with the variances of the tasks' "
        f"differences and Welch's degrees of freedom. {VERDICT}"
    )
