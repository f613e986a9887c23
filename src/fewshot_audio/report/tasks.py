"""Table of tasks: datasets of which all training clips train, and their average."""

from collections.abc import Mapping
from dataclasses import replace

import pandas as pd

from fewshot_audio.report.averages import AVERAGE, SHARED, average_of_tasks, tasks_of, with_average
from fewshot_audio.report.differences import compare, paired
from fewshot_audio.report.multitask import TOGETHER, by_task, gains_of_several
from fewshot_audio.report.records import ALL_CLIPS
from fewshot_audio.report.selection import Selection
from fewshot_audio.report.statistics import summary
from fewshot_audio.report.table import Table, pivot
from fewshot_audio.report.tables import BY, VERDICT, with_runs
from fewshot_audio.report.text import MINUS, interval_name
from fewshot_audio.types import NoRunsError

GAINED = f"multi-task {MINUS} alone"
ROWS = ["model", "shown", "dataset"]


def tasks(selection: Selection, name: str, title: str) -> Table:
    """Show each dataset's mean, its paired difference from the baseline, and averages of both.

    Runs of several datasets have a column for themselves, with a row for each dataset.

    Raises:
        NoRunsError: If fewer than two datasets have runs trained on all clips.
        StoreError: If some frontends have runs that others lack, unless `partial`.
    """
    runs = selection.runs[selection.runs["n_per_class"] == ALL_CLIPS]
    chosen = with_runs(selection, runs, name, selection.settings.partial)
    alone, several = by_task(chosen)
    parts = {"": alone, TOGETHER: several}
    parts = {end: part for end, part in parts.items() if tasks_of(part)}
    if not parts:
        raise NoRunsError(f"table {name}: it needs runs trained on all clips of two datasets")
    by_part = {end: paired(part, None, partial=True) for end, part in parts.items()}
    differences = [
        _differences(parts[end], pairs, end) for end, pairs in by_part.items() if len(pairs)
    ]
    if len(gained := gains_of_several(alone, several)):
        differences.append(_differences(several, gained, "").assign(shown=GAINED))
    if not differences:
        raise NoRunsError(f"table {name}: it needs runs of two frontends on the same datasets")
    of_differences = pd.concat(differences, ignore_index=True)
    cells = pd.concat([_means_of(parts), of_differences], ignore_index=True)
    caption = _caption(selection, of_differences)
    table = pivot(selection, name, title, caption, cells, ROWS, ["frontend"])
    key = table.text["dataset"].map({AVERAGE: 1, SHARED: 2}).fillna(0)
    order = table.text.assign(key=key).sort_values([*ROWS[:2], "key"], kind="stable").index
    return replace(table, text=table.text.loc[order], bold=table.bold.loc[order])


def means_of_tasks(selection: Selection) -> pd.DataFrame:
    """Return the mean of each task and their average, of networks of one task and of several."""
    return _means_of({end: part for end, part in _parts(selection).items() if tasks_of(part)})


def average_differences(selection: Selection, name: str) -> pd.DataFrame:
    """Return the differences of all pairs on average over tasks, and what several tasks change.

    Args:
        selection: The runs.
        name: Of the table or figure, for error messages.

    Raises:
        NoRunsError: If no frontends have runs of the same tasks.
    """
    alone, several = _parts(selection).values()
    found = []
    if len(pairs := paired(alone, list(alone.pairs), partial=True)):
        found.append(average_of_tasks(alone, compare(alone, pairs)))
    if len(pairs := paired(several, None, partial=True)):
        averages = average_of_tasks(several, compare(several, pairs))
        ends = {side: averages[side].astype(str) + TOGETHER for side in ("first", "second")}
        found.append(averages.assign(**ends))
    if len(gained := gains_of_several(alone, several)):
        found.append(average_of_tasks(several, compare(several, gained)))
    if not any(map(len, found)):
        raise NoRunsError(f"{name}: it needs two frontends with runs of the same datasets")
    return pd.concat(found, ignore_index=True)


def _parts(selection: Selection) -> dict[str, Selection]:
    """Return the runs on all clips of one task, and of several, by the end of frontends' names."""
    runs = selection.runs[selection.runs["n_per_class"] == ALL_CLIPS]
    return dict(zip(("", TOGETHER), by_task(replace(selection, runs=runs)), strict=True))


def _means_of(parts: Mapping[str, Selection]) -> pd.DataFrame:
    """Return the means of tasks and their averages.

    Where networks of several tasks learned others than those of one, both are averaged over the
    tasks that they share.
    """
    means = pd.concat([_means(part, end) for end, part in parts.items()])
    tasks = [set(part.runs["dataset"]) for part in parts.values()]
    shared = set.intersection(*tasks)
    if all(each == shared for each in tasks):
        return means
    is_average = means["dataset"] == AVERAGE
    together = means["frontend"].str.endswith(TOGETHER)
    of_shared = []
    for end, part in parts.items():
        some = part.runs[part.runs["dataset"].isin(shared)]
        if some["dataset"].nunique() > 1:
            cells = _means(replace(part, runs=some), end)
            of_shared.append(cells[cells["dataset"] == AVERAGE].assign(dataset=SHARED))
    return pd.concat([means[~(is_average & together)], *of_shared])


def _means(part: Selection, end: str) -> pd.DataFrame:
    """Return the mean of each task, and their average."""
    measure, how = part.measure, part.settings.how
    means = summary(part.runs, BY, how, within=measure.limits())
    means = with_average(means, tasks_of(part), how, measure.limits())
    texts = [measure.value(mean) for mean in means["mean"]]
    return _of(means.assign(text=texts, bold=False, shown=measure.label), end)


def _differences(part: Selection, pairs: pd.DataFrame, end: str) -> pd.DataFrame:
    """Return differences by task, and their average."""
    cells = compare(part, pairs)
    cells = pd.concat([cells, average_of_tasks(part, cells)], ignore_index=True)
    cells = cells.drop(columns="second").rename(columns={"first": "frontend", "marked": "bold"})
    texts = [part.measure.with_interval(cell, signed=True) for cell in cells.itertuples()]
    return _of(cells.assign(text=texts, shown=f"{MINUS} {part.settings.baseline}"), end)


def _of(cells: pd.DataFrame, end: str) -> pd.DataFrame:
    """Return cells with an end to their frontends' names."""
    return cells.assign(frontend=cells["frontend"].astype(str) + end)


def _caption(selection: Selection, differences: pd.DataFrame) -> str:
    measure, how = selection.measure, selection.settings.how
    of_tasks = differences[differences["dataset"] != AVERAGE].astype({"folds": int})
    interval = interval_name(of_tasks, how, selection.comparisons)
    several = differences["frontend"].str.endswith(TOGETHER).any()
    note = (
        "Multi-task: one network learned all of these tasks together; its differences from "
        f"{selection.settings.baseline} are from that network's. "
    )
    return (
        f"{measure.heading} of runs trained on all clips: mean of the folds' means; and difference "
        f"from {selection.settings.baseline}{measure.points}, of runs of the same fold and seed: "
        f"mean [{interval}] (number of pairs). {note if several else ''}The average counts each "
        "task the same. Its interval takes the tasks as they are: t, with the variances of the "
        f"tasks' differences and Welch's degrees of freedom. {VERDICT}"
    )
