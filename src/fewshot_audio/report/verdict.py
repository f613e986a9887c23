"""The answer in sentences, from the numbers."""

from collections.abc import Sequence

import pandas as pd

from fewshot_audio.report.layout import interval_is, points
from fewshot_audio.report.statistics import LEVEL, averaged
from fewshot_audio.types import Statistics

SENTENCE = ["dataset", "arm"]

KINDS = ("better", "worse", "as good", "undecided")


def verdicts(pairs: pd.DataFrame, how: Statistics) -> list[str]:
    """Paired runs to a sentence per dataset and pair: for which models an arm is better, worse, as good, or undecided.

    Averaged over n; better and worse by the t test after Holm over a dataset's models and pairs, as good within the margin.
    """
    if pairs.empty:
        return ["No two arms have runs on the same draws yet, so there is no difference to tell."]
    cells = averaged(pairs, [*SENTENCE, "model"], ["dataset"], how)
    return [_sentence(*name, group, pairs, how) for name, group in cells.groupby(SENTENCE)]


def _sentence(
    dataset: str, arm: str, cells: pd.DataFrame, pairs: pd.DataFrame, how: Statistics
) -> str:
    here = pairs[(pairs["dataset"] == dataset) & (pairs["arm"] == arm)]
    ns = sorted(here["n_per_class"].unique())
    mean = f"averaged over n = {', '.join(map(str, ns))}" if len(ns) > 1 else f"at n = {ns[0]}"
    if here.groupby("n_per_class")["fold"].nunique().nunique() > 1:
        mean += " (not every fold has every n)"
    first, second = arm.split(" - ")
    groups = {
        kind: [_model(cell) for cell in cells.itertuples() if _kind(cell) == kind] for kind in KINDS
    }
    said = [f"{kind} for {_joined(models)}" for kind, models in groups.items() if models]
    return f"{dataset}, {first} against {second}, {mean}: {'; '.join(said)}. Points of accuracy, {interval_is(cells, how)}."


def _kind(cell) -> str:
    if cell.p_holm < LEVEL:
        return "better" if cell.mean > 0 else "worse"
    return "as good" if cell.equivalence < LEVEL else "undecided"


def _model(cell) -> str:
    limits = (
        "" if pd.isna(cell.low) else f", {points(cell.low, False)} to {points(cell.high, False)}"
    )
    return f"{cell.model} ({points(cell.mean)}{limits})"


def _joined(words: Sequence[str]) -> str:
    return ", ".join(words[:-1]) + " and " + words[-1] if len(words) > 1 else words[0]
