"""How sure a mean is: intervals, tests of no difference, equivalence."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.special import stdtr, stdtrit

from fewshot_audio.types import Statistics

LEVEL = 0.05  # of a marked difference, and of equivalence
RESAMPLES = 2000
FOLDS, SPLITS = "folds", "splits"


def summary(
    values: pd.DataFrame, by: list[str], how: Statistics, strata: Sequence[str] = ("fold",)
) -> pd.DataFrame:
    """Return the mean of each cell and how sure it is.

    Over folds, a fold's mean is one observation (Student's t). Over few-shot splits, the folds
    stay as they are and the runs of each vary (Welch's approximation of the degrees of freedom);
    so too where there is one fold. There is no interval where nothing varies.

    Args:
        values: Runs, with the columns `by`, fold, the strata, value.
        by: Columns that name a cell.
        how: Unit, kind and confidence of the intervals. The bootstrap is used where the strata
            are the folds.
        strata: Columns whose combinations count equally within a fold.

    Returns:
        A row per cell: mean (of the folds' means), spread (standard deviation over runs), count
        (runs), folds, unit (what the interval is over), se, df, low, high.
    """
    parts = values.groupby([*by, *strata])["value"].agg(["mean", "var", "count"]).reset_index()
    folds = parts.groupby([*by, "fold"])["mean"].mean().groupby(by).agg(["mean", "std", "size"])
    over_folds = (folds["size"] > 1) & (how.unit == "fold")
    over_splits = _over_splits(parts, by)
    se = (folds["std"] / np.sqrt(folds["size"])).where(over_folds, over_splits["se"])
    se = se.where(np.isfinite(se) & (se > 1e-12))
    df = (folds["size"] - 1.0).where(over_folds, over_splits["df"])
    half = se * quantile(df, 0.5 + how.confidence / 2)
    columns = {
        "mean": folds["mean"],
        "spread": values.groupby(by)["value"].std(),
        "count": parts.groupby(by)["count"].sum(),
        "folds": folds["size"],
        "unit": np.where(over_folds, FOLDS, SPLITS),
    }
    limits = {"se": se, "df": df, "low": folds["mean"] - half, "high": folds["mean"] + half}
    summed = pd.DataFrame(columns | limits).reset_index()
    if how.interval == "bootstrap" and tuple(strata) == ("fold",):
        return _bootstrapped(summed, values, by, how)
    return summed


def _over_splits(parts: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """Return the standard error of each cell's mean by the splits, and degrees of freedom."""
    cells, folds = parts.groupby(by), parts.groupby([*by, "fold"])
    weight = 1 / (folds["mean"].transform("size") * cells["fold"].transform("nunique"))
    own = weight**2 * (parts["var"].fillna(np.inf) / parts["count"])
    parts = parts.assign(own=own, own_squared=own**2 / (parts["count"] - 1))
    sums = parts.groupby(by)[["own", "own_squared"]].sum()
    return pd.DataFrame({"se": np.sqrt(sums["own"]), "df": sums["own"] ** 2 / sums["own_squared"]})


def quantile(df: np.ndarray, probability: float) -> np.ndarray:
    """Return Student's t at a probability by degrees of freedom; NaN where there are none."""
    return stdtrit(np.where(np.isfinite(df), df, np.nan), probability)


def judged(
    cells: pd.DataFrame, values: pd.DataFrame, by: list[str], family: list[str], how: Statistics
) -> pd.DataFrame:
    """Test the differences of cells.

    Args:
        cells: What `summary` made of the values.
        values: Differences of runs.
        by: Columns that name a cell.
        family: Columns whose combinations are adjusted together (Holm).
        how: Margin of equivalence, and the test that marks.

    Returns:
        The columns of `t_tested`, wilcoxon (exact p), floor (the least that it can be), p_holm,
        wilcoxon_holm, and marked: the chosen test's adjusted p is below 0.05.
    """
    tested = t_tested(cells, how)
    of_folds = values.groupby([*by, "fold"])["value"].mean().groupby(by).agg(list)
    of_runs = values.groupby(by)["value"].agg(list)
    observed = of_folds.where(tested["unit"].to_numpy() == FOLDS, of_runs)
    tested["wilcoxon"] = [wilcoxon(np.array(each)) for each in observed]
    tested["floor"] = 2.0 ** (1 - observed.map(len).to_numpy())
    for name in ("p", "wilcoxon"):
        tested[f"{name}_holm"] = tested.groupby(family)[name].transform(holm)
    return tested.assign(marked=tested["p_holm" if how.test == "t" else "wilcoxon_holm"] < LEVEL)


def t_tested(cells: pd.DataFrame, how: Statistics) -> pd.DataFrame:
    """Return cells with p (paired t test) and equivalence.

    Equivalence is the larger p of two one-sided t tests against ± margin.
    """
    p = 2 * stdtr(cells["df"], -(cells["mean"] / cells["se"]).abs())
    below = stdtr(cells["df"], -(how.margin + cells["mean"]) / cells["se"])
    above = stdtr(cells["df"], -(how.margin - cells["mean"]) / cells["se"])
    return cells.assign(p=p, equivalence=np.maximum(below, above))


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
    chances = np.zeros(doubled.sum() + 1)
    chances[0] = 1
    for rank in doubled:
        chances[rank:] += chances[:-rank].copy()
        chances /= 2
    positive = doubled[values > 0].sum()
    return min(1.0, 2 * min(chances[: positive + 1].sum(), chances[positive:].sum()))


def holm(p: pd.Series) -> pd.Series:
    """Return p values adjusted by Holm's step-down method (1979); NaN stays and does not count.

    By hand: statsmodels collects all garbage in every call, which took two thirds of the time of
    the tables.
    """
    ordered = p.dropna().sort_values()
    steps = ordered * np.arange(len(ordered), 0, -1)
    return steps.cummax().clip(upper=1).reindex(p.index)


def narrowed(pairs: pd.DataFrame, by: list[str]) -> pd.Series:
    """Return how many times wider the interval over splits would be without pairing.

    That is the standard error over few-shot splits, had both been drawn independently, over that
    of the paired differences.

    Args:
        pairs: Pairs of runs, with the columns `by`, fold, value_first, value_second, value.
        by: Columns that name a cell.
    """
    variances = pairs.groupby([*by, "fold"])[["value_first", "value_second", "value"]].var()
    own = variances.groupby(by).sum(min_count=1)
    alone = own["value_first"] + own["value_second"]
    return np.sqrt(alone / own["value"].where(own["value"] > 0)).rename("narrowed")


def bootstrap(
    folds: Sequence[np.ndarray], how: Statistics, random: np.random.Generator
) -> tuple[float, float]:
    """Return the percentile interval of the mean of the folds' means.

    Folds are resampled, then runs within them. Folds stay as they are where there is one, or
    where the interval is over few-shot splits.
    """
    sizes = np.array([len(fold) for fold in folds])
    padded = np.stack([np.pad(fold, (0, sizes.max() - len(fold))) for fold in folds])
    chosen = np.tile(np.arange(len(folds)), (RESAMPLES, 1))
    if how.unit == "fold":
        chosen = random.integers(len(folds), size=chosen.shape)
    runs = (random.random((*chosen.shape, sizes.max())) * sizes[chosen][..., None]).astype(int)
    counted = np.arange(sizes.max()) < sizes[chosen][..., None]
    means = (padded[chosen[..., None], runs] * counted).sum(-1) / sizes[chosen]
    low, high = np.quantile(means.mean(-1), [0.5 - how.confidence / 2, 0.5 + how.confidence / 2])
    return float(low), float(high)


def _bootstrapped(
    cells: pd.DataFrame, values: pd.DataFrame, by: list[str], how: Statistics
) -> pd.DataFrame:
    """Replace the intervals by the bootstrap's, from one seed for each; none if nothing varies."""
    runs = values.groupby([*by, "fold"])["value"].agg(np.array)
    limits = np.array(
        [bootstrap(list(folds), how, np.random.default_rng(0)) for _, folds in runs.groupby(by)]
    )
    limits[cells["se"].isna()] = np.nan
    return cells.assign(low=limits[:, 0], high=limits[:, 1])
