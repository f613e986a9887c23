"""What LEAF's article says, checked on the tasks at hand."""

from collections.abc import Iterator, Sequence

import pandas as pd

from fewshot_audio.report.claims import FAILS, HOLDS
from fewshot_audio.report.differences import GAIN, LOSS, NO_GAIN, OPEN, SAME
from fewshot_audio.report.multitask import TOGETHER
from fewshot_audio.report.selection import Selection
from fewshot_audio.report.table import Table, plain_table
from fewshot_audio.report.tables import parameters
from fewshot_audio.report.tasks import average_differences
from fewshot_audio.report.text import minus, plain
from fewshot_audio.types import NoRunsError

LEAF = "leaf"
OTHERS = ("td_fbanks", "sincnet", "wavegram")
SHARE = 1e-4  # of the parameters, as the article rounds it
Row = tuple[str, str, str, str, str]  # claim, model, what it says, verdict, numbers
Rule = tuple[set[str], set[str]]  # verdicts by which a claim holds, and by which it does not
BETTER, WORSE, NO_WORSE = (
    ({GAIN}, {LOSS, SAME, NO_GAIN}),
    ({LOSS}, {GAIN, SAME}),
    ({GAIN, SAME}, {LOSS}),
)


def leaf_claims(selection: Selection, name: str, title: str) -> Table:
    """Show which of L1, L2, L4 and L5 hold on average over datasets of which all clips train.

    Args:
        selection: The runs.
        name: Of the table.
        title: Its heading.

    Raises:
        NoRunsError: If there are no averages over tasks that a claim is about.
    """
    rows = list(_of_differences(selection, name))
    if not rows:
        raise NoRunsError(
            f"table {name}: it needs runs of LEAF trained on all clips of two datasets"
        )
    cells = pd.DataFrame(
        sorted([*rows, *_of_parameters(selection)], key=lambda row: row[0]),
        columns=["claim", "model", "says", "verdict", "found"],
    )
    caption = (
        f"Claims of LEAF's article on these tasks, by the intervals of the average differences in "
        f"{selection.measure.label}{selection.measure.points} that the other tables show, with the "
        "number of pairs: a claim holds where they have the verdict that it says, and does not "
        "where they have another one. L3 takes AudioSet; L6 is pictures."
    )
    return plain_table(selection, name, title, caption, cells, labels=1)


def _of_differences(selection: Selection, name: str) -> Iterator[Row]:
    """Yield what the average differences say of L1, L2 and L5."""
    cells, mel = average_differences(selection, name), str(selection.settings.baseline)
    texts = [selection.measure.with_interval(cell, signed=True) for cell in cells.itertuples()]
    cells = cells.assign(text=texts)
    yield from _rows("L1", f"LEAF better than {mel}", cells, [(LEAF, mel)], BETTER)
    says, pairs = f"{mel} better than other learned frontends", [(each, mel) for each in OTHERS]
    yield from _rows("L1", says, cells, pairs, WORSE)
    says, pairs = "LEAF of all tasks together no worse than of each", [(LEAF + TOGETHER, LEAF)]
    yield from _rows("L2", says, cells, pairs, NO_WORSE)
    says = "filters from the mel scale better than from random"
    yield from _rows("L5", says, cells, [(LEAF, "leaf_random")], BETTER)


def _rows(
    claim: str, says: str, cells: pd.DataFrame, pairs: Sequence[tuple[str, str]], rule: Rule
) -> Iterator[Row]:
    """Yield a row for each model that has averages of some of the pairs."""
    holds, fails = rule
    chosen = [pair in pairs for pair in zip(cells["first"], cells["second"], strict=True)]
    for model, group in cells[pd.Series(chosen, cells.index, bool)].groupby("model"):
        verdict = group["verdict"]
        known = verdict.isin(holds | fails)
        every = verdict.isin(holds).astype("boolean").where(known).all(skipna=False)
        found = [f"{minus(cell.first, cell.second)} {cell.text}" for cell in group.itertuples()]
        yield claim, str(model), says, OPEN if pd.isna(every) else _word(every), "; ".join(found)


def _word(verdict: bool) -> str:
    return HOLDS if verdict else FAILS


def _of_parameters(selection: Selection) -> Iterator[Row]:
    """Yield what the counts of parameters say of L4."""
    try:
        cells = parameters(selection, "", "").cells
    except NoRunsError:
        return
    for cell in cells[cells["frontend"] == LEAF].drop_duplicates("model").itertuples():
        says = f"LEAF has {plain(100 * SHARE)} % of the parameters, as of EfficientNet-B0"
        of_all = f"{cell.frontend_parameters:,.0f} of {cell.parameters:,.0f}"
        verdict = _word(round(cell.share, 4) <= SHARE)
        yield "L4", str(cell.model), says, verdict, f"{of_all}, {plain(100 * cell.share)} %"
