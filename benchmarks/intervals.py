"""How often intervals hold the truth, and how often verdicts are false, of synthetic runs."""

from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.measure import machine
from fewshot_audio.report.differences import GAIN, judged
from fewshot_audio.report.selection import Selection
from fewshot_audio.report.statistics import ANY, LEAST, SHARE, hierarchical, summary, with_limits
from fewshot_audio.report.text import Measure
from fewshot_audio.types import ReportSettings, Statistics

FOLDS, RUNS = (2, 3, 5, 10), (2, 3, 5, 20)
BETWEEN = (0.0, 0.3, 1.0)  # standard deviations of folds, where that of runs is 1
LEVELS = (0.05, 0.5, 0.97)  # true accuracies
STUDY = (2, 3, 3)  # pairs of frontends, models, n
RUN = 0.03  # standard deviation of a study's runs
HOW = Statistics("fold", 0.95, 0.01)


def intervals(rounds: int) -> dict[str, Any]:
    """Return shares of simulations: intervals that hold the true mean, verdicts that are false."""
    cases = [
        dict(zip(("folds", "runs", "between"), case, strict=True))
        | _covered(*case, rounds)
        | _false(*case, rounds)
        for case in product(FOLDS, RUNS, BETWEEN)
    ]
    edges = [
        {"folds": folds, "accuracy": level, **_at_an_edge(folds, level, rounds)}
        for folds, level in product((5, 10), LEVELS)
    ]
    common = {"bench": "intervals", "simulations": rounds, "machine": machine(1)}
    return {**common, "cases": cases, "edges": edges}


def _covered(folds: int, runs: int, between: float, rounds: int) -> dict[str, float | None]:
    """Return how often the interval shown, that over splits, and that for any folds are right."""
    random = np.random.default_rng([folds, runs, int(10 * between)])
    levels = between * random.normal(size=(rounds, folds, 1))
    table = _table(levels + random.normal(size=(rounds, folds, runs)), ["cell", "fold", "repeat"])
    over_folds = summary(table, ["cell"], HOW)
    over_splits = summary(table, ["cell"], replace(HOW, unit="split"))
    any_folds = with_limits(hierarchical(over_folds), HOW.confidence)
    return {
        "over_folds": _share(over_folds, 0) if folds >= LEAST else None,
        "within_folds": _share(over_splits, levels.mean((1, 2))),
        "any_folds": _share(any_folds, 0),
    }


def _false(folds: int, runs: int, between: float, rounds: int) -> dict[str, float | None]:
    """Return how often sentences and studies have a gain or a loss where there is no difference.

    With fewer than `LEAST` folds one is false where these folds, as they are, say otherwise. How
    often there is any tells how often a sentence on these folds would mislead on other folds.
    """
    random = np.random.default_rng([folds, runs, int(10 * between), 1])
    names = ["round", "pair", "model", "n_per_class", "fold", "repeat"]
    shape = (rounds, *STUDY, folds, runs)
    levels = between * random.normal(size=(*shape[:3], 1, folds, 1))
    table = _table(RUN * (levels + random.normal(size=shape)), names)
    pairs, models, ns = STUDY
    selection = _selection(pairs * models * (ns + 1))
    truth = levels.mean((3, 4, 5)) * (folds < LEAST)
    means = judged(
        summary(table, names[:3], selection.joint, ["fold", "n_per_class"], (-1, 1)), selection
    )
    single = judged(summary(table, names[:4], selection.joint, within=(-1, 1)), selection)
    wrong = [_is_false(means, truth), _is_false(single, np.repeat(truth[..., None], ns, 3))]
    sentences = wrong[0].reshape(rounds * pairs, models).any(axis=1)
    studies = np.hstack([each.reshape(rounds, -1) for each in wrong]).any(axis=1)
    marked = means["marked"].to_numpy().reshape(rounds * pairs, models).any(axis=1)
    shares = {"sentence": sentences, "study": studies, "sentence_of_any_folds": marked}
    return {f"false_{name}": round(float(each.mean()), 3) for name, each in shares.items()}


def _is_false(cells: pd.DataFrame, truth: np.ndarray) -> np.ndarray:
    sign = np.where(cells["verdict"] == GAIN, 1, -1)
    return cells["marked"].to_numpy() & (sign * truth.ravel() <= 0)


def _selection(comparisons: int) -> Selection:
    """Return a study of so many comparisons."""
    settings = ReportSettings(Path(), (), False, None, frozenset(), HOW)
    none, measure = pd.DataFrame(), Measure("accuracy", is_share=True)
    return Selection(none, none, measure, settings, is_paired=True, comparisons=comparisons)


def _at_an_edge(folds: int, level: float, rounds: int) -> dict[str, float]:
    """Return how often intervals of accuracies are right, plain and on the logit scale."""
    random = np.random.default_rng([folds, int(100 * level)])
    values = random.beta(20 * level, 20 * (1 - level), size=(rounds, folds, 1))
    table = _table(values, ["cell", "fold", "repeat"])
    ways = {"plain": ANY, "logit": SHARE}
    return {
        way: _share(summary(table, ["cell"], HOW, within=within), level)
        for way, within in ways.items()
    }


def _table(values: np.ndarray, names: list[str]) -> pd.DataFrame:
    """Return a row per value, with its places along the axes."""
    places = dict(zip(names, np.indices(values.shape).reshape(values.ndim, -1), strict=True))
    return pd.DataFrame({**places, "value": values.ravel()})


def _share(cells: pd.DataFrame, truth: float | np.ndarray) -> float:
    return round(float(((cells["low"] <= truth) & (cells["high"] >= truth)).mean()), 3)
