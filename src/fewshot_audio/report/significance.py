"""What tests say of the differences."""

from collections.abc import Sequence
from dataclasses import replace

import pandas as pd

from fewshot_audio.report.layout import NONE, Table, between, interval_is, points, with_interval
from fewshot_audio.report.pairs import BY, all_paired, compared
from fewshot_audio.report.statistics import LEVEL, summary
from fewshot_audio.types import ReportSettings

POINTS = "points [interval] (pairs)"


def significance(
    runs: pd.DataFrame,
    name: str,
    title: str,
    pairs: Sequence[tuple[str, str]],
    asked: ReportSettings,
) -> Table:
    """Runs to what tests say of each pair's difference: p, Wilcoxon, equivalence, and what pairing brought."""
    values = all_paired(runs, name, pairs, asked.partial)
    draws = summary(values, BY, replace(asked.how, unit="draw"))
    cells = compared(values, asked.how).merge(
        draws[[*BY, "low", "high"]], on=BY, suffixes=("", "_draws")
    )
    text = _text(cells)
    marked = (text.notna() & False).assign(**{POINTS: cells["marked"]})
    caption = (
        f"What the differences rest on. Points: mean [{interval_is(cells, asked.how)}] (number of pairs), bold as in "
        "the table of differences; over draws: the interval within these folds as they are. p: paired t test; Wilcoxon: exact "
        "signed-rank test, and the least p it can give (floor); Holm: adjusted over the table's cells of a dataset. "
        f"Equivalent: within ± {points(asked.how.margin, False)} points by two one-sided t tests (p < {LEVEL}). Pairing: how "
        "many times wider the interval over draws would be, had each arm had draws of its own."
    )
    return Table(name, title, caption, cells, text, marked, 4)


def _text(cells: pd.DataFrame) -> pd.DataFrame:
    """Cells as readers see them."""
    return pd.DataFrame(
        {
            "dataset": cells["dataset"],
            "model": cells["model"],
            "difference": cells["arm"],
            "n": cells["n_per_class"].astype(str),
            POINTS: [with_interval(cell) for cell in cells.itertuples()],
            "over draws": [
                between(*limits)
                for limits in zip(cells["low_draws"], cells["high_draws"], strict=True)
            ],
            "p": cells["p"].map(_p),
            "p Holm": cells["p_holm"].map(_p),
            "Wilcoxon": cells["wilcoxon"].map(_p),
            "Wilcoxon Holm": cells["wilcoxon_holm"].map(_p),
            "floor": cells["floor"].map(_p),
            "equivalent": [
                "yes" if p < LEVEL else NONE if pd.isna(p) else "not shown"
                for p in cells["equivalence"]
            ],
            "pairing": [
                NONE if pd.isna(factor) else f"{factor:.1f}×" for factor in cells["narrowed"]
            ],
        }
    )


def _p(value: float) -> str:
    return NONE if pd.isna(value) else f"{value:.1e}" if value < 0.001 else f"{value:.3f}"
