"""How many folds or repeats would show a difference, by the variances at hand."""

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from fewshot_audio.report.statistics import FOLDS, LEAST, hierarchical

POWER = 0.8  # how often that many show it
COUNTS = np.unique(np.geomspace(2, 1000, 300).round())  # that are tried


def needed_folds(cells: pd.DataFrame, difference: float, confidence: float) -> np.ndarray:
    """Return how many folds, with the repeats at hand, would show a difference in any folds.

    Args:
        cells: As `summary` makes them.
        difference: True mean.
        confidence: Of the interval that is to exclude zero.

    Returns:
        A number per cell: infinite where 1,000 are too few, NaN where the variances are unknown, as
        with few folds of one run each, which can be alike by chance.
    """
    counts = COUNTS[COUNTS >= LEAST]
    known = cells["variance_splits"].notna() | (cells["folds"] >= LEAST)
    variance = (hierarchical(cells)["se"] ** 2 * cells["folds"]).where(known)
    of_mean = variance.to_numpy()[:, None] / counts
    return _first(counts, of_mean, counts - 1, difference, confidence)


def needed_repeats(cells: pd.DataFrame, difference: float, confidence: float) -> np.ndarray:
    """Return how many repeats would show a difference with the folds at hand.

    In any folds where the interval is over folds, else in these; as `needed_folds`.
    """
    column = {name: cells[name].to_numpy()[:, None] for name in cells}
    over_folds, splits = column["unit"] == FOLDS, column["variance_splits"]
    between = np.where(over_folds, np.maximum(column["variance_folds"] - splits, 0), 0)
    variance = (between + splits * column["repeats"] / COUNTS) / column["folds"]
    with np.errstate(divide="ignore"):
        more = (COUNTS - 1) / (column["repeats"] - 1)
    df = np.where(over_folds, column["df"], column["df"] * more)
    return _first(COUNTS, variance, df, difference, confidence)


def _first(
    counts: np.ndarray, variance: np.ndarray, df: np.ndarray, difference: float, confidence: float
) -> np.ndarray:
    """Return the first count of each row whose interval excludes zero as often as `POWER`."""
    times = stdtrit(df, 0.5 + confidence / 2) + stdtrit(df, POWER)
    detectable = times * np.sqrt(variance)
    enough = detectable <= difference
    first = np.where(enough.any(axis=1), counts[enough.argmax(axis=1)], np.inf)
    return np.where(np.isnan(detectable).all(axis=1), np.nan, first)
