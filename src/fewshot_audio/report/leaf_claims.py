"""What LEAF's article says, checked on the tasks at hand."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, NamedTuple

import pandas as pd

from fewshot_audio.report.averages import tasks_of
from fewshot_audio.report.claims import FAILS, HOLDS
from fewshot_audio.report.differences import GAIN, LOSS, NO_GAIN, OPEN
from fewshot_audio.report.multitask import TOGETHER, is_multitask
from fewshot_audio.report.records import ALL_CLIPS
from fewshot_audio.report.selection import BASELINES, Selection
from fewshot_audio.report.table import Table, plain_table
from fewshot_audio.report.tables import parameters
from fewshot_audio.report.tasks import average_differences
from fewshot_audio.report.text import MINUS, NONE, Measure, minus, plain, widened
from fewshot_audio.types import NoRunsError

LEAF = "leaf"
OTHERS = ("td_fbanks", "sincnet", "wavegram")
EFFICIENTNET = "efficientnet_b0"
SHARE = 1e-4  # of its parameters, as the article rounds it
Row = tuple[str, str, str, str, str]  # claim, model, what it says, verdict, numbers
Rule = Callable[[Any, Measure, float], bool | None]  # of a cell and the margin; None: cannot tell


class Claim(NamedTuple):
    """What the article says of a difference between two frontends."""

    name: str
    says: str
    pair: tuple[str, str]
    rule: Rule


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
    how = selection.settings.how
    caption = (
        "What LEAF's article says, on these tasks, by the average differences in "
        f"{selection.measure.label}{selection.measure.points}: mean "
        f"[{100 * how.confidence:g} % interval{widened(selection.comparisons)}] (number of pairs). "
        "Better: a gain, and not so where there is no gain, no difference or a loss. No worse: the "
        f"interval lies above {MINUS}{selection.measure.value(how.margin)}, and not so where there "
        "is a loss."
    )
    return plain_table(selection, name, title, caption, cells, labels=1)


def _of_differences(selection: Selection, name: str) -> Iterator[Row]:
    """Yield what the average differences say of L1, L2 and L5."""
    mel = str(selection.settings.baseline)
    claims = []
    if mel in BASELINES:
        claims.append(Claim("L1", f"LEAF better than {mel}", (LEAF, mel), _is_better))
        claims += [Claim("L1", f"{mel} better than {e}", (e, mel), _is_worse) for e in OTHERS]
    together = "LEAF of all tasks together no worse than of each"
    claims.append(Claim("L2", together, (LEAF + TOGETHER, LEAF), _is_no_worse))
    starts = "filters from the mel scale better than from random"
    claims.append(Claim("L5", starts, (LEAF, "leaf_random"), _is_better))
    cells = average_differences(selection, name)
    pairs = list(zip(cells["first"], cells["second"], strict=True))
    runs = selection.runs.astype({"frontend": str})
    alone = runs[(runs["n_per_class"] == ALL_CLIPS) & ~is_multitask(selection)]
    for claim in claims:
        of_claim = cells[pd.Series([pair == claim.pair for pair in pairs], cells.index, bool)]
        found = dict(zip(of_claim["model"], of_claim.itertuples(), strict=True))
        for model in tasks_of(selection):
            have = set(alone.loc[alone["model"] == model, "frontend"])
            if model in found:
                yield _row(claim, model, found[model], selection)
            elif set(claim.pair) <= have:
                lacking = f"{minus(*claim.pair)} has no average: some tasks lack runs"
                yield claim.name, model, claim.says, OPEN, lacking


def _row(claim: Claim, model: str, cell: Any, selection: Selection) -> Row:
    measure = selection.measure
    text = f"{minus(*claim.pair)} {measure.with_interval(cell, signed=True)}"
    verdict = claim.rule(cell, measure, selection.settings.how.margin)
    return claim.name, model, claim.says, OPEN if verdict is None else _word(verdict), text


def _is_better(cell: Any, measure: Measure, margin: float) -> bool | None:
    return None if cell.verdict == OPEN else cell.verdict == GAIN


def _is_worse(cell: Any, measure: Measure, margin: float) -> bool | None:
    return None if cell.verdict in (OPEN, NO_GAIN) else cell.verdict == LOSS


def _is_no_worse(cell: Any, measure: Measure, margin: float) -> bool | None:
    least = -cell.high if measure.is_lower_better else cell.low
    if cell.verdict == LOSS or least > -margin:
        return cell.verdict != LOSS
    return None


def _word(holds: bool) -> str:
    return HOLDS if holds else FAILS


def _of_parameters(selection: Selection) -> Iterator[Row]:
    """Yield what the counts of parameters of networks of one task say of L4."""
    runs = selection.runs[(selection.runs["n_per_class"] == ALL_CLIPS) & ~is_multitask(selection)]
    try:
        cells = parameters(replace(selection, runs=runs), "", "").cells
    except NoRunsError:
        return
    for cell in cells[cells["frontend"] == LEAF].drop_duplicates("model").itertuples():
        says = f"LEAF has {plain(100 * SHARE)} % of the parameters of EfficientNet-B0"
        verdict = _word(round(cell.share, 4) <= SHARE) if cell.model == EFFICIENTNET else NONE
        found = f"{plain(100 * cell.share)} % of {cell.parameters:,.0f}"
        yield "L4", str(cell.model), says, verdict, found
