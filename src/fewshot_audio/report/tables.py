"""Tables of accuracies, of paired differences, of what training did, of costs."""

from collections.abc import Sequence
from typing import Literal

import pandas as pd

from fewshot_audio.report.layout import (
    NONE,
    Table,
    interval_is,
    percent,
    plain,
    table,
    with_interval,
    with_spread,
)
from fewshot_audio.report.missing import check_even
from fewshot_audio.report.pairs import BY, STEP, all_paired, best, compared
from fewshot_audio.report.published import beside
from fewshot_audio.report.statistics import LEVEL, summary
from fewshot_audio.types import NoRunsError, ReportSettings

TESTS = {"t": "paired t test", "wilcoxon": "exact Wilcoxon test"}
ARMS_SIDE_BY_SIDE = (["dataset", "model"], ["n_per_class", "arm"])
ARMS_IN_ROWS = (["dataset", "model", "arm"], ["n_per_class"])


def accuracy(
    runs: pd.DataFrame,
    name: str,
    title: str,
    frontends: Sequence[str] | None,
    spread: Literal["std", "interval"],
    side_by_side: bool,
    asked: ReportSettings,
) -> Table:
    """Runs to the mean accuracy of each model, frontend and n, over the folds' means; the best arm marked where tests back it.

    StoreError names the runs that some arms have and others have not, unless `partial`.
    """
    chosen = runs if frontends is None else runs[runs["frontend"].isin(frontends)]
    values = _some(
        chosen.assign(arm=chosen["frontend"], value=chosen["accuracy"]), name, asked.partial
    )
    cells = summary(values, BY, asked.how).merge(
        best(values, asked.how).assign(marked=True), on=BY, how="left"
    )
    kind, test = f"[{interval_is(cells, asked.how)}]", TESTS[asked.how.test]
    text = [
        with_spread(cell, percent) if spread == "std" else with_interval(cell, False)
        for cell in cells.itertuples()
    ]
    caption = (
        f"Accuracy in %: mean {'± standard deviation over runs' if spread == 'std' else kind} (number of runs). Bold: the "
        f"best arm, where the {test} on the same draws tells it from every other, after Holm over all comparisons of the table "
        f"in a dataset (p < {LEVEL})."
    )
    cells = beside(cells.assign(text=text, marked=cells["marked"].eq(True)), asked.published)
    return table(
        name,
        title,
        caption,
        cells,
        *(ARMS_SIDE_BY_SIDE if side_by_side else ARMS_IN_ROWS),
        by_fold(values),
    )


def difference(
    runs: pd.DataFrame,
    name: str,
    title: str,
    pairs: Sequence[tuple[str, str]],
    asked: ReportSettings,
) -> Table:
    """Runs to the mean of paired differences in accuracy, first minus second of each pair, on the same draws.

    StoreError where a run has no partner, unless `partial`, or where partners saw different clips; NoRunsError where no pair
    has both its arms.
    """
    values = all_paired(runs, name, pairs, asked.partial)
    cells = compared(values, asked.how)
    caption = (
        f"Difference in accuracy, in points, of runs on the same draws: mean [{interval_is(cells, asked.how)}] (number of pairs)."
        f" Bold: not zero by the {TESTS[asked.how.test]}, after Holm over the table's cells of a dataset (p < {LEVEL})."
    )
    cells = beside(
        cells.assign(text=[with_interval(cell) for cell in cells.itertuples()]), asked.published
    )
    return table(name, title, caption, cells, *ARMS_IN_ROWS, by_fold(values))


def batch_norm(runs: pd.DataFrame, name: str, title: str, asked: ReportSettings) -> Table:
    """Runs with method.reestimate_batch_norm=true to the mean of what re-estimating batch norm's statistics changed, run by run."""
    chosen = runs[runs["stored_batch_norm"].notna()]
    values = _some(
        chosen.assign(
            arm=chosen["frontend"], value=chosen["accuracy"] - chosen["stored_batch_norm"]
        ),
        name,
        asked.partial,
    )
    cells = summary(values, BY, asked.how)
    caption = (
        "Accuracy with re-estimated minus accuracy with stored batch-norm statistics, in points: "
        f"mean [{interval_is(cells, asked.how)}] (number of runs)."
    )
    cells = cells.assign(text=[with_interval(cell) for cell in cells.itertuples()], marked=False)
    return table(name, title, caption, cells, *ARMS_IN_ROWS, by_fold(values))


def drift(runs: pd.DataFrame, name: str, title: str, asked: ReportSettings) -> Table:
    """Runs whose frontend tells how far it has moved to the mean of each number that it tells."""
    chosen = runs[runs["drift"].map(bool).astype(bool)]
    runs_of_it = _some(chosen, name, asked.partial)[
        ["dataset", "model", "frontend", "n_per_class", "fold", "drift"]
    ]
    told = [
        (*run, number, value)
        for *run, numbers in runs_of_it.itertuples(index=False, name=None)
        for number, value in numbers.items()
    ]
    values = pd.DataFrame(told, columns=[*BY, "fold", "number", "value"])
    cells = summary(values, [*BY, "number"], asked.how)
    cells = cells.assign(
        text=[with_spread(cell, plain) for cell in cells.itertuples()], marked=False
    )
    caption = (
        "What training did to the filters: mean ± standard deviation over runs (number of runs)."
    )
    return table(
        name, title, caption, cells, ["dataset", "model", "arm", "number"], ["n_per_class"]
    )


def cost(runs: pd.DataFrame, name: str, title: str, asked: ReportSettings) -> Table:
    """Runs to the parameters of each arm, its accuracy, and the median seconds of its runs, draw to score."""
    chosen = _some(
        runs[runs["seconds"].notna()].rename(columns={"frontend": "arm"}), name, partial=True
    )
    cells = chosen.groupby(BY).agg(
        seconds=("seconds", "median"), count=("seconds", "size"), parameters=("parameters", "max")
    )
    cells["mean"] = chosen.groupby([*BY, "fold"])["accuracy"].mean().groupby(BY).mean()
    cells = cells.reset_index().assign(marked=False)
    cells["text"] = [
        f"{100 * cell.mean:.1f} %, {plain(cell.seconds)} s ({cell.count})"
        for cell in cells.itertuples()
    ]
    counts = cells.groupby(["dataset", "model", "arm"])["parameters"].transform("max")
    cells = cells.assign(
        parameters=[NONE if pd.isna(count) else f"{count:,.0f}" for count in counts]
    )
    caption = (
        "Learned parameters; accuracy, the mean of the folds' means; seconds of a run from its draw to its score: median (number "
        "of runs), on the machines that did them (provenance), with whatever else they did."
    )
    return table(
        name, title, caption, cells, ["dataset", "model", "arm", "parameters"], ["n_per_class"]
    )


def _some(runs: pd.DataFrame, name: str, partial: bool) -> pd.DataFrame:
    """The runs themselves, checked for gaps unless `partial`; NoRunsError where there are none."""
    if runs.empty:
        raise NoRunsError(f"table {name}: the store has no finished runs for it; {STEP}")
    if not partial:
        check_even(runs)
    return runs


def by_fold(values: pd.DataFrame) -> pd.DataFrame:
    """Mean, standard deviation and count of each cell in each fold."""
    found = values.groupby([*BY, "fold"])["value"].agg(["mean", "std", "count"]).reset_index()
    return found.rename(columns={"std": "spread"})
