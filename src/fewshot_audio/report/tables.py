"""Tables of a metric, of its paired differences, of what training did, and of costs.

Each is made by a function of the selected runs, its name and its title. `pairs` are first and
second frontends; None: every other one and the baseline.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import pandas as pd

from fewshot_audio.report.differences import BASELINE, Pairs, compare, gains, pair_all
from fewshot_audio.report.missing import check_even
from fewshot_audio.report.published import beside
from fewshot_audio.report.records import ROW
from fewshot_audio.report.selection import Selection
from fewshot_audio.report.statistics import summary
from fewshot_audio.report.table import Table, in_words, named, pivot
from fewshot_audio.report.text import NONE, Measure, interval_name, plain
from fewshot_audio.types import NoRunsError

BY = [*ROW, "n_per_class"]
N = ["n_per_class"]
VERDICT = "Bold: a gain or a loss, where the interval excludes zero."


def accuracy(
    selection: Selection,
    name: str,
    title: str,
    frontends: Sequence[str] | None,
    spread: Literal["std", "interval"],
    side_by_side: bool,
) -> Table:
    """Show the mean of the metric for each model, frontend and n, over the folds' means.

    `frontends` are those shown (None: all), `spread` is what stands beside a mean, and frontends
    that are `side_by_side` are columns, not rows.

    Raises:
        StoreError: If some frontends have runs that others lack, unless `partial`.
    """
    runs, measure, how = selection.runs, selection.measure, selection.settings.how
    if frontends is not None:
        runs = runs[runs["frontend"].isin(frontends)]
    chosen = with_runs(selection, runs, name, selection.settings.partial)
    cells = summary(chosen.runs, BY, how, within=measure.limits())
    if spread == "std":
        beside_mean = "± standard deviation over runs"
        text = [measure.with_spread(cell) for cell in cells.itertuples()]
    else:
        beside_mean = f"[{interval_name(cells, how)}]"
        text = [measure.with_interval(cell, signed=False) for cell in cells.itertuples()]
    caption = f"{measure.heading}: mean {beside_mean} (number of runs)."
    better = gains(selection)
    if len(better):
        caption += f" Bold: a gain over {selection.settings.baseline}, as in its differences."
    bold = cells.merge(better.assign(bold=True), on=BY, how="left")["bold"].eq(True)
    cells = beside(cells.assign(text=text, bold=bold), selection.settings.published)
    rows, columns = (ROW[:2], ["n_per_class", "frontend"]) if side_by_side else (ROW, N)
    return pivot(selection, name, title, caption, cells, rows, columns)


def difference(selection: Selection, name: str, title: str, pairs: Pairs) -> Table:
    """Show the mean of paired differences, first − second of each pair, on the same splits.

    Raises:
        StoreError: If a run has no partner, unless `partial`, or if partners saw other clips.
        NoRunsError: If there are no runs of any pair.
    """
    how, measure = selection.settings.how, selection.measure
    values = pair_all(selection, name, pairs, selection.settings.partial)
    cells = compare(selection, values)
    caption = (
        f"Difference in {measure.label}{measure.points}, of runs on the same few-shot splits: "
        f"mean [{interval_name(cells, how, selection.comparisons)}] (number of pairs). {VERDICT}"
    )
    text = [measure.with_interval(cell, signed=True) for cell in cells.itertuples()]
    cells = cells.assign(text=text).rename(columns={"marked": "bold"})
    cells = beside(cells, selection.settings.published)
    return pivot(selection, name, title, caption, cells, ["dataset", "model", "difference"], N)


def against_baseline(selection: Selection, name: str, title: str) -> Table:
    """Show the differences between every frontend and the baseline, but those of other tables."""
    pairs = [each for each, table in selection.pairs.items() if table == BASELINE]
    return difference(selection, name, title, pairs)


def batch_norm(selection: Selection, name: str, title: str) -> Table:
    """Show what re-estimating batch norm's statistics changed, run by run."""
    how, measure = selection.settings.how, selection.measure
    runs = selection.runs[selection.runs["stored"].notna()]
    values = with_runs(selection, runs, name, selection.settings.partial).runs
    values = values.assign(value=values["value"] - values["stored"])
    cells = summary(values, BY, how, within=measure.limits(is_difference=True))
    caption = (
        f"{measure.label.capitalize()} with re-estimated minus {measure.label} with stored "
        f"batch-norm statistics{measure.points}: mean [{interval_name(cells, how)}] "
        "(number of runs)."
    )
    text = [measure.with_interval(cell, signed=True) for cell in cells.itertuples()]
    cells = cells.assign(text=text, bold=False)
    return pivot(selection, name, title, caption, cells, ROW, N)


def drift(selection: Selection, name: str, title: str) -> Table:
    """Show the mean of each number by which a frontend reports how far it has moved."""
    runs = selection.runs[selection.runs["summary"].map(bool).astype(bool)]
    chosen = with_runs(selection, runs, name, selection.settings.partial)
    parts = []
    for *run, numbers in chosen.runs[[*BY, "fold", "summary"]].itertuples(index=False, name=None):
        parts += [(*run, number, value) for number, value in numbers.items() if value is not None]
    values = pd.DataFrame(parts, columns=[*BY, "fold", "number", "value"])
    cells = summary(values, [*BY, "number"], selection.settings.how)
    number = Measure("", is_share=False)
    text = [number.with_spread(cell) for cell in cells.itertuples()]
    caption = (
        "What training did to the filters: mean ± standard deviation over runs (number of runs)."
    )
    cells = cells.assign(text=text, bold=False)
    return pivot(selection, name, title, caption, cells, [*ROW, "number"], N)


def cost(selection: Selection, name: str, title: str) -> Table:
    """Show the parameters of each frontend and model, the metric, and the seconds of a run."""
    measure = selection.measure
    runs = with_runs(selection, selection.runs, name, partial=True).runs
    cells = runs.groupby(BY).agg(
        seconds=("seconds", "median"), count=("seconds", "size"), parameters=("parameters", "max")
    )
    cells["mean"] = runs.groupby([*BY, "fold"])["value"].mean().groupby(BY).mean()
    cells = cells.reset_index()
    unit = " %" if measure.is_share else ""
    text = [
        f"{measure.value(cell.mean)}{unit}, {plain(cell.seconds)} s ({cell.count})"
        for cell in cells.itertuples()
    ]
    most = cells.groupby(ROW)["parameters"].transform("max")
    counts = [NONE if pd.isna(count) else f"{count:,.0f}" for count in most]
    caption = (
        f"Learned parameters; {measure.label}, the mean of the folds' means; seconds of a run from "
        "its few-shot split to its score: median (number of runs), on the machines that did them "
        "(provenance), with whatever else they did."
    )
    cells = cells.assign(text=text, bold=False, parameters=counts)
    return pivot(selection, name, title, caption, cells, [*ROW, "parameters"], N)


def parameters(selection: Selection, name: str, title: str) -> Table:
    """Show how many parameters each pair of model and frontend learns, and the frontend's share.

    Raises:
        NoRunsError: If no record has the frontend's count, as older ones have none.
    """
    runs = selection.runs[selection.runs["frontend_parameters"].notna()]
    runs = with_runs(selection, runs, name, partial=True).runs
    columns = {"parameters": "parameters", "frontend_parameters": "frontend"}
    counts = runs.astype(dict.fromkeys(columns, int)).groupby(ROW)[list(columns)]
    cells = counts.max().reset_index()
    cells["share"] = cells["frontend_parameters"] / cells["parameters"]
    text = cells.assign(**{each: cells[each].map("{:,.0f}".format) for each in columns})
    text["share"] = [f"{plain(100 * share)} %" for share in cells["share"]]
    caption = "Learned parameters of model and frontend together, and those of the frontend."
    text = text.rename(columns={"frontend_parameters": "of the frontend"})
    text = named(text.astype(str), selection)
    title, bold = in_words(title, selection, cells), text.notna() & False
    return Table(name, title, caption, named(cells, selection), text, bold, len(ROW))


def with_runs(selection: Selection, runs: pd.DataFrame, name: str, partial: bool) -> Selection:
    """Choose these runs, checked for gaps unless `partial`.

    Raises:
        NoRunsError: If there are none.
    """
    if runs.empty:
        raise NoRunsError(
            f"table {name}: there are no finished runs for it; scripts/run.py makes them"
        )
    frontends = runs["frontend"].cat.remove_unused_categories()
    chosen = replace(selection, runs=runs.assign(frontend=frontends))
    if not partial:
        check_even(chosen)
    return chosen
