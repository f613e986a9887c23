"""How sure a mean is: intervals, tests of no difference, equivalence."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.special import stdtr, stdtrit
from statsmodels.stats.multitest import multipletests

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
    cells, folds = parts.groupby(by), parts.groupby([*by, "fold"])
    parts["weight"] = 1 / (folds["mean"].transform("size") * cells["fold"].transform("nunique"))
    within = parts["var"].fillna(np.inf) / parts["count"]  # variance of a mean by its splits
    parts["own"] = parts["weight"] ** 2 * within
    parts["own_squared"] = parts["own"] ** 2 / (parts["count"] - 1)
    fold_means = folds["mean"].mean().reset_index()
    between = fold_means.groupby(by)["mean"].agg(["mean", "std", "size"])
    sums = parts.groupby(by)[["own", "own_squared", "count"]].sum()
    over_folds = (between["size"] > 1) & (how.unit == "fold")
    with np.errstate(invalid="ignore", divide="ignore"):
        se = np.where(over_folds, between["std"] / np.sqrt(between["size"]), np.sqrt(sums["own"]))
        df = np.where(over_folds, between["size"] - 1, sums["own"] ** 2 / sums["own_squared"])
    se = np.where(np.isfinite(se) & (se > 1e-12), se, np.nan)
    spread = values.groupby(by)["value"].std()
    found = pd.DataFrame({"mean": between["mean"], "spread": spread, "count": sums["count"]})
    unit = np.where(over_folds, FOLDS, SPLITS)
    found = found.assign(folds=between["size"], unit=unit, se=se, df=df)
    half = se * quantile(df, 0.5 + how.confidence / 2)
    found = found.assign(low=found["mean"] - half, high=found["mean"] + half).reset_index()
    if how.interval == "bootstrap" and tuple(strata) == ("fold",):
        return _bootstrapped(found, values, by, how)
    return found


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
        The cells with p (paired t test), equivalence (the larger p of two one-sided t tests
        against ± margin), wilcoxon (exact p), floor (the least that it can be), p_holm and
        wilcoxon_holm, and marked: the chosen test's adjusted p is below 0.05.
    """
    tested = _with_t_tests(cells, how)
    units = _units(values, by, cells)
    tested["wilcoxon"] = [wilcoxon(each) for each in units]
    tested["floor"] = [2.0 ** (1 - len(each)) if len(each) else np.nan for each in units]
    for name in ("p", "wilcoxon"):
        tested[f"{name}_holm"] = tested.groupby(family)[name].transform(holm)
    return tested.assign(marked=tested["p_holm" if how.test == "t" else "wilcoxon_holm"] < LEVEL)


def averaged(
    values: pd.DataFrame, by: list[str], family: list[str], how: Statistics
) -> pd.DataFrame:
    """Return the differences' means over n, each n counting the same.

    Args:
        values: Differences of runs, with the columns `by`, fold, n_per_class, value.
        by: Columns that name a cell.
        family: Columns whose combinations are adjusted together (Holm).
        how: Confidence and margin.

    Returns:
        The columns of `summary`, p, equivalence and p_holm.
    """
    tested = _with_t_tests(summary(values, by, how, ["fold", "n_per_class"]), how)
    return tested.assign(p_holm=tested.groupby(family)["p"].transform(holm))


def _with_t_tests(cells: pd.DataFrame, how: Statistics) -> pd.DataFrame:
    p = 2 * stdtr(cells["df"], -(cells["mean"] / cells["se"]).abs())
    below = stdtr(cells["df"], -(how.margin + cells["mean"]) / cells["se"])
    above = stdtr(cells["df"], -(how.margin - cells["mean"]) / cells["se"])
    return cells.assign(p=p, equivalence=np.maximum(below, above))


def _units(values: pd.DataFrame, by: list[str], cells: pd.DataFrame) -> list[np.ndarray]:
    """Return the observations of each cell: its folds' means or, over splits, its runs."""
    means = values.groupby([*by, "fold"])["value"].mean().reset_index()
    runs = values.sort_values(by, kind="stable")
    units = []
    for of_means, of_runs, unit in zip(
        _split(means, by), _split(runs, by), cells["unit"], strict=True
    ):
        units.append(of_means if unit == FOLDS else of_runs)
    return units


def _split(values: pd.DataFrame, by: list[str]) -> list[np.ndarray]:
    """Return the values of each cell; they are sorted by it."""
    return np.split(values["value"].to_numpy(), values.groupby(by).size().cumsum()[:-1])


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


def holm(p: pd.Series) -> np.ndarray:
    """Return p values adjusted by Holm's step-down method (1979); NaN stays and does not count."""
    adjusted = p.to_numpy(dtype=float, copy=True)
    tested = ~np.isnan(adjusted)
    if tested.any():
        adjusted[tested] = multipletests(adjusted[tested], method="holm")[1]
    return adjusted


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
    groups = {
        key: [fold.to_numpy() for _, fold in cell.groupby("fold")["value"]]
        for key, cell in values.groupby(by)
    }
    keys = cells[by].itertuples(index=False, name=None)
    limits = np.array([bootstrap(groups[key], how, np.random.default_rng(0)) for key in keys])
    limits[cells["se"].isna()] = np.nan
    return cells.assign(low=limits[:, 0], high=limits[:, 1])
