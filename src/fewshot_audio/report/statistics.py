"""How sure a mean is: intervals over folds or few-shot splits, and tests of no difference."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import expit, logit, stdtr, stdtrit

from fewshot_audio.types import Statistics

FOLDS, SPLITS, TASKS = "folds", "splits", "tasks"
LEAST = 4  # folds that an interval over folds takes; of fewer it is over splits within them
ANY, SHARE = (-np.inf, np.inf), (0.0, 1.0)  # what means can be
TINY = 1e-12  # what rounding leaves of a variance, or of a standard error


def summary(
    values: pd.DataFrame,
    by: list[str],
    how: Statistics,
    strata: Sequence[str] = ("fold",),
    within: tuple[float, float] = ANY,
) -> pd.DataFrame:
    """Return the mean of each cell and how sure it is.

    Over folds, a fold's mean is one observation (Student's t). With fewer than `LEAST` folds, or
    over few-shot splits, the folds stay as they are and the runs of each vary (Welch's
    approximation of the degrees of freedom). There is no interval where nothing varies.

    Args:
        values: Runs, with the columns `by`, fold, the strata, value.
        by: Columns that name a cell.
        how: Unit and confidence of the intervals.
        strata: Columns whose combinations count equally within a fold.
        within: The least and the largest mean that there can be: intervals stay there.

    Returns:
        A row per cell: mean (of the folds' means), spread (standard deviation over runs), count
        (runs), folds, unit (of the interval), se, df, low, high, repeats (runs per stratum),
        variance_folds (of the folds' means), variance_splits (the part of it by splits).
    """
    parts = values.groupby([*by, *strata])["value"].agg(["mean", "var", "count"]).reset_index()
    folds = parts.groupby([*by, "fold"])["mean"].mean().groupby(by).agg(["mean", "var", "size"])
    splits = _of_splits(parts, by)
    counts = parts.groupby(by)["count"]
    columns = {
        "mean": folds["mean"],
        "spread": values.groupby(by)["value"].std(),
        "count": counts.sum(),
        "folds": folds["size"],
        **_certainty(folds, splits, how),
    }
    cells = with_limits(pd.DataFrame(columns), how.confidence, within).assign(
        repeats=counts.mean(), variance_folds=folds["var"], variance_splits=splits["var"]
    )
    return cells.reset_index()


def _certainty(folds: pd.DataFrame, splits: pd.DataFrame, how: Statistics) -> dict[str, Any]:
    """Return what the intervals are over, standard errors, and degrees of freedom."""
    over_folds = (folds["size"] >= LEAST) & (how.unit == "fold")
    variance = folds["var"].where(over_folds, splits["var"])
    return {
        "unit": np.where(over_folds, FOLDS, SPLITS),
        "se": _standard_error(variance, folds["size"]),
        "df": (folds["size"] - 1.0).where(over_folds, splits["df"]),
    }


def with_limits(
    cells: pd.DataFrame, confidence: float, within: tuple[float, float] = ANY
) -> pd.DataFrame:
    """Return cells with low and high: the t interval of their mean by se and df.

    That of a share is made on the logit scale (delta method), which never leaves 0 to 1; others
    are cut at what is possible. There is none that would hold all that is possible.
    """
    half = cells["se"] * stdtrit(cells["df"], 0.5 + confidence / 2)
    if within == SHARE:
        slope = cells["mean"] * (1 - cells["mean"])
        on_logits, half = logit(cells["mean"]), half / slope.where(slope > 0)
        return cells.assign(low=expit(on_logits - half), high=expit(on_logits + half))
    low, high = ((cells["mean"] + end).clip(*within) for end in (-half, half))
    tells = (low > within[0]) | (high < within[1])
    return cells.assign(low=low.where(tells), high=high.where(tells))


def _of_splits(parts: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """Return the variance of a fold's mean by its splits, and degrees of freedom."""
    strata = parts.groupby([*by, "fold"])["mean"].transform("size")
    own = parts["var"].fillna(np.inf) / parts["count"] / strata**2
    parts = parts.assign(own=own, own_squared=own**2 / (parts["count"] - 1))
    cells = parts.groupby(by)
    sums = cells[["own", "own_squared"]].sum()
    variance = (sums["own"] / cells["fold"].nunique()).replace(np.inf, np.nan)
    return pd.DataFrame({"var": variance, "df": sums["own"] ** 2 / sums["own_squared"]})


def _standard_error(variance: pd.Series, count: pd.Series) -> pd.Series:
    se = np.sqrt(variance / count)
    return se.where(se > TINY)


def hierarchical(cells: pd.DataFrame) -> pd.DataFrame:
    """Return cells with the se and df of their mean for any folds: folds, and splits within them.

    A fold's mean varies by fold and by split. Its variance is estimated from the folds' means,
    which is exact for balanced data, and is no less than the part of the splits: folds can be
    alike by chance. Degrees of freedom are those of the folds.
    """
    variance = np.fmax(cells["variance_folds"], cells["variance_splits"])
    se = _standard_error(variance.where(cells["folds"] > 1), cells["folds"])
    return cells.assign(se=se, df=cells["folds"] - 1.0)


def with_p(
    cells: pd.DataFrame, values: pd.DataFrame, by: list[str], strata: Sequence[str] = ("fold",)
) -> pd.DataFrame:
    """Return cells with p values of no difference, each for itself.

    Args:
        cells: What `summary` made of the values.
        values: Differences of runs.
        by: Columns that name a cell.
        strata: As of `summary`.

    Returns:
        The cells with p (paired t test), wilcoxon (exact p) and floor (the least that it can be).
        Wilcoxon's observations are the folds' means, or runs where the interval is over splits: not
        where some strata of a fold have more runs than others, which would count for more.
    """
    parts = values.groupby([*by, *strata])["value"].agg(["mean", "size"])
    of_folds = parts["mean"].groupby([*by, "fold"]).mean().groupby(by).agg(list)
    is_even = (parts["size"].groupby([*by, "fold"]).nunique() == 1).groupby(by).all()
    of_runs = values.groupby(by)["value"].agg(list)
    of_runs = of_runs.where(is_even, of_runs.map(lambda _: []))
    observed = of_folds.where(cells["unit"].to_numpy() == FOLDS, of_runs)
    counts = observed.map(len).to_numpy()
    return cells.assign(
        p=2 * stdtr(cells["df"], -(cells["mean"] / cells["se"]).abs()),
        wilcoxon=[wilcoxon(np.array(each)) for each in observed],
        floor=np.where(counts > 0, 2.0 ** (1 - counts), np.nan),
    )


def wilcoxon(differences: np.ndarray) -> float:
    """Return the exact two-sided p of Wilcoxon's signed-rank test; NaN if all are zero.

    Ties get mid-ranks, zeros are left out. The sum of positive ranks is counted over all signs,
    one rank after the other (Wilcoxon 1945; Pratt and Gibbons 1981), which stays exact with ties,
    where SciPy's exact distribution does not hold and its permutations take a tenth of a second.
    """
    values = differences[differences != 0]
    if not len(values):
        return np.nan
    _, places, sizes = np.unique(np.abs(values), return_inverse=True, return_counts=True)
    doubled = (2 * np.cumsum(sizes) - sizes + 1)[places]  # twice the mid-ranks, which may be halves
    chances = np.zeros(int(doubled.sum()) + 1)
    chances[0] = 1
    for rank in doubled:
        chances[rank:] += chances[:-rank].copy()
        chances /= 2
    positive = doubled[values > 0].sum()
    return min(1.0, 2 * min(chances[: positive + 1].sum(), chances[positive:].sum()))


def narrowed(pairs: pd.DataFrame, by: list[str], strata: Sequence[str] = ("fold",)) -> pd.Series:
    """Return how many times wider the interval over splits would be without pairing.

    That is the standard error over few-shot splits, had both been drawn independently, over that
    of the paired differences; NaN where those do not vary.

    Args:
        pairs: Pairs of runs, with the columns `by`, the strata, value_first, value_second, value.
        by: Columns that name a cell.
        strata: As of `summary`.
    """
    groups = pairs.groupby([*by, *strata])[["value_first", "value_second", "value"]]
    own = (groups.var() / groups.count()).groupby(by).sum(min_count=1)
    alone = own["value_first"] + own["value_second"]
    return np.sqrt(alone / own["value"].where(own["value"] > TINY * alone)).rename("narrowed")
