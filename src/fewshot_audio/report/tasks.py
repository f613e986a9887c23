"""Table of tasks: datasets of which all training clips train, and their average."""

from dataclasses import replace

import pandas as pd

from fewshot_audio.report.averages import AVERAGE, average_of_tasks, tasks_of, with_average
from fewshot_audio.report.differences import compare, pair_all
from fewshot_audio.report.records import ALL_CLIPS
from fewshot_audio.report.selection import Selection
from fewshot_audio.report.statistics import summary
from fewshot_audio.report.table import Table, pivot
from fewshot_audio.report.tables import BY, VERDICT, means_by_fold, with_runs
from fewshot_audio.report.text import MINUS, interval_name
from fewshot_audio.types import NoRunsError


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
    means = summary(chosen.runs, BY, selection.settings.how, within=measure.limits())
    means = with_average(means, tasks_of(chosen.runs), selection.settings.how, measure.limits())
    texts = [measure.value(mean) for mean in means["mean"]]
    means = means.assign(text=texts, bold=False, shown=measure.label)
    differences = _differences(selection, name)
    texts = [measure.with_interval(cell, signed=True) for cell in differences.itertuples()]
    differences = differences.assign(text=texts, shown=f"{MINUS} {baseline}")
    cells = pd.concat([means, differences], ignore_index=True)
    by_fold = means_by_fold(chosen.runs, BY)
    rows, caption = ["model", "shown", "dataset"], _caption(selection, differences)
    table = pivot(selection, name, title, caption, cells, rows, ["frontend"], by_fold)
    key = table.text["dataset"] == AVERAGE
    order = table.text.assign(key=key).sort_values([*rows[:2], "key"], kind="stable").index
    return replace(table, text=table.text.loc[order], bold=table.bold.loc[order])


def _differences(selection: Selection, name: str) -> pd.DataFrame:
    """Return the differences from the baseline by task, and their average."""
    cells = compare(selection, pair_all(selection, name, None, partial=True))
    cells = cells[cells["n_per_class"] == ALL_CLIPS]
    cells = pd.concat([cells, average_of_tasks(selection, cells)], ignore_index=True)
    return cells.drop(columns="second").rename(columns={"first": "frontend", "marked": "bold"})


def _caption(selection: Selection, differences: pd.DataFrame) -> str:
    measure, how = selection.measure, selection.settings.how
    of_tasks = differences[differences["dataset"] != AVERAGE].astype({"folds": int})
    interval = interval_name(of_tasks, how, selection.comparisons)
    return (
        f"{measure.heading} of runs trained on all clips: mean of the folds' means; and difference "
        f"from {selection.settings.baseline}{measure.points}, of runs of the same fold and seed: "
        f"mean [{interval}] (number of pairs). The average counts each task "
        "the same. Its interval takes the tasks as they are: t, with the variances of the tasks' "
        f"differences and Welch's degrees of freedom. {VERDICT}"
    )
