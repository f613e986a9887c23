"""Table of what the differences rest on."""

import pandas as pd

from fewshot_audio.report.answers import about, said_of
from fewshot_audio.report.differences import QUESTION, Pairs, compare, pair_all
from fewshot_audio.report.power import needed_folds, needed_repeats
from fewshot_audio.report.selection import Selection
from fewshot_audio.report.statistics import hierarchical, with_limits
from fewshot_audio.report.table import Table, in_words, with_difference
from fewshot_audio.report.text import NONE, interval_name, n_text, probability

TESTED = "mean [interval] (pairs)"
PROBABILITIES = {"p": "p", "Wilcoxon": "wilcoxon", "floor": "floor"}


def tests(selection: Selection, name: str, title: str, pairs: Pairs) -> Table:
    """Show what is behind the differences: other folds, p, what pairing brought, what they need.

    `pairs` are by default those of all tables of differences.
    """
    pairs = list(selection.pairs) if pairs is None else pairs
    values = pair_all(selection, name, pairs, selection.settings.partial)
    over_n = compare(selection, values, over_n=True)
    several = values.groupby(QUESTION)["n_per_class"].nunique().reset_index(name="several")
    over_n = over_n.merge(several, on=QUESTION)
    over_n = over_n[over_n.pop("several") > 1]
    cells = pd.concat([compare(selection, values), over_n], ignore_index=True)
    cells = cells.sort_values(QUESTION, kind="stable", ignore_index=True)
    cells = _with_power(cells, selection)
    text = _tests_text(cells, selection)
    bold = (text.notna() & False).assign(**{TESTED: cells["marked"]})
    caption, heading = _tests_caption(cells, selection), in_words(title, selection, cells)
    return Table(name, heading, caption, cells, text, bold, 4)


def _with_power(cells: pd.DataFrame, selection: Selection) -> pd.DataFrame:
    """Add the interval for any folds, and how many folds and repeats would show a difference."""
    how, within = selection.settings.how, selection.measure.limits(is_difference=True)
    any_folds = with_limits(hierarchical(cells), how.confidence, within)
    cells = cells.assign(low_any_folds=any_folds["low"], high_any_folds=any_folds["high"])
    for times in (1, 3):
        difference, confidence = times * how.margin, selection.joint.confidence
        cells[f"folds_for_{times}"] = needed_folds(cells, difference, confidence)
        cells[f"repeats_for_{times}"] = needed_repeats(cells, difference, confidence)
    return cells


def _tests_text(cells: pd.DataFrame, selection: Selection) -> pd.DataFrame:
    """Return what readers see of the table of tests."""
    measure = selection.measure
    text = with_difference(cells)[["dataset", "model", "difference"]]
    text = text.assign(n=["mean" if pd.isna(n) else n_text(n) for n in cells["n_per_class"]])
    text[TESTED] = [measure.with_interval(cell, signed=True) for cell in cells.itertuples()]
    text["verdict"] = cells.apply(said_of, axis=1)
    limits = zip(cells["low_any_folds"], cells["high_any_folds"], strict=True)
    any_folds = pd.Series([measure.between(*each) for each in limits])
    text["any folds"] = any_folds.where(cells["folds"] > 2, "too few folds")
    for heading, column in PROBABILITIES.items():
        text[heading] = cells[column].map(probability)
    text["pairing"] = [NONE if pd.isna(times) else f"{times:.1f}×" for times in cells["narrowed"]]
    for needed in ("folds", "repeats"):
        counts = zip(cells[f"{needed}_for_1"], cells[f"{needed}_for_3"], strict=True)
        text[f"{needed} needed"] = [
            NONE if pd.isna(one) else f"{about(one)} ({about(three)})" for one, three in counts
        ]
    return text


def _tests_caption(cells: pd.DataFrame, selection: Selection) -> str:
    measure, how = selection.measure, selection.settings.how
    one, three = (measure.value(times * how.margin) for times in (1, 3))
    unit = " points" if measure.is_share else ""
    together = interval_name(cells, how, selection.comparisons)
    return (
        f"What the differences rest on. Mean [{together}] (number of pairs), "
        "averaged over n in rows called mean; the verdict is that of the interval. Each of the "
        f"others stands for itself: any folds: {100 * how.confidence:g} % interval by the "
        "variances of folds and of splits within them; p: t test of the interval's mean; Wilcoxon: "
        "exact signed-rank test, and the least p it can give (floor). Pairing: how many times "
        f"wider the interval over splits would be, had each {selection.settings.compare} had "
        "splits of its own. Folds needed (with these repeats), repeats needed (on these folds): "
        f"to show a difference of {one} ({three}){unit} in 80 of 100 studies."
    )
