"""How sure a mean is: intervals over folds or draws, tests of no difference, equivalence."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.special import stdtr, stdtrit

from fewshot_audio.types import Statistics

LEVEL = 0.05  # of a marked difference, and of equivalence
RESAMPLES = 2000
FOLDS, DRAWS = "folds", "draws"


def summary(
    values: pd.DataFrame, by: list[str], how: Statistics, strata: Sequence[str] = ("fold",)
) -> pd.DataFrame:
    """Values of runs (columns `by`, fold, the strata, value) to the mean of each cell and how sure it is.

    Columns: mean (of the folds' means), spread (standard deviation over runs), count (runs), folds, unit (what the interval
    is over), se, df, low, high. Over folds, a fold's mean is one observation (Student's t). Over draws, the folds stay as they
    are and the runs of each vary (Welch's approximation of the degrees of freedom); so too where there is one fold. `strata`
    are the columns whose combinations count equally within a fold. No interval where nothing varies. With how.interval
    "bootstrap", that interval instead, where the strata are folds.
    """
    parts = values.groupby([*by, *strata])["value"].agg(["mean", "var", "count"]).reset_index()
    cells, folds = parts.groupby(by), parts.groupby([*by, "fold"])
    parts["weight"] = 1 / (folds["mean"].transform("size") * cells["fold"].transform("nunique"))
    parts["own"] = (
        parts["weight"] ** 2 * parts["var"].fillna(np.inf) / parts["count"]
    )  # a mean's variance by its draws
    parts["own_squared"] = parts["own"] ** 2 / (parts["count"] - 1)
    fold_means = folds["mean"].mean().reset_index()
    between = fold_means.groupby(by)["mean"].agg(["mean", "std", "size"])
    sums = parts.groupby(by)[["own", "own_squared", "count"]].sum()
    over_folds = (between["size"] > 1) & (how.unit == "fold")
    with np.errstate(invalid="ignore", divide="ignore"):
        se = np.where(over_folds, between["std"] / np.sqrt(between["size"]), np.sqrt(sums["own"]))
        df = np.where(over_folds, between["size"] - 1, sums["own"] ** 2 / sums["own_squared"])
    se = np.where(np.isfinite(se) & (se > 1e-12), se, np.nan)
    found = pd.DataFrame(
        {
            "mean": between["mean"],
            "spread": values.groupby(by)["value"].std(),
            "count": sums["count"],
        }
    )
    found = found.assign(
        folds=between["size"], unit=np.where(over_folds, FOLDS, DRAWS), se=se, df=df
    )
    half = se * quantile(df, 0.5 + how.confidence / 2)
    found = found.assign(low=found["mean"] - half, high=found["mean"] + half).reset_index()
    return (
        _bootstrapped(found, values, by, how)
        if how.interval == "bootstrap" and tuple(strata) == ("fold",)
        else found
    )


def quantile(df: np.ndarray, probability: float) -> np.ndarray:
    """Student's t at a probability, for each number of degrees of freedom; NaN where there are none."""
    return stdtrit(np.where(np.isfinite(df), df, np.nan), probability)


def judged(
    cells: pd.DataFrame, values: pd.DataFrame, by: list[str], family: list[str], how: Statistics
) -> pd.DataFrame:
    """Cells of `summary` of differences, with tests of no difference and of equivalence.

    Adds p (paired t), wilcoxon (exact), floor (the least that it can be), both after Holm within each `family`
    (p_holm, wilcoxon_holm), equivalence (the larger p of two one-sided t tests against ± margin), and marked: the chosen
    test's adjusted p is below 0.05.
    """
    found = _with_t_tests(cells, how)
    units = _units(values, by, cells)
    found["wilcoxon"] = [wilcoxon(each) for each in units]
    found["floor"] = [2.0 ** (1 - len(each)) if len(each) else np.nan for each in units]
    for name in ("p", "wilcoxon"):
        found[f"{name}_holm"] = found.groupby(family)[name].transform(holm)
    return found.assign(marked=found["p_holm" if how.test == "t" else "wilcoxon_holm"] < LEVEL)


def averaged(
    values: pd.DataFrame, by: list[str], family: list[str], how: Statistics
) -> pd.DataFrame:
    """Differences of runs (columns `by`, fold, n_per_class, value) to their means over n, each n counting the same.

    The columns of `summary`, p, p_holm within each `family`, and equivalence.
    """
    found = _with_t_tests(summary(values, by, how, ["fold", "n_per_class"]), how)
    return found.assign(p_holm=found.groupby(family)["p"].transform(holm))


def _with_t_tests(cells: pd.DataFrame, how: Statistics) -> pd.DataFrame:
    p = 2 * stdtr(cells["df"], -(cells["mean"] / cells["se"]).abs())
    outside = [
        stdtr(cells["df"], -(how.margin + sign * cells["mean"]) / cells["se"]) for sign in (1, -1)
    ]
    return cells.assign(p=p, equivalence=np.maximum(*outside))


def _units(values: pd.DataFrame, by: list[str], cells: pd.DataFrame) -> list[np.ndarray]:
    """The observations of each cell: its folds' means, or its runs where the interval is over draws."""
    runs = values.sort_values(by, kind="stable")
    means = values.groupby([*by, "fold"])["value"].mean().reset_index()
    sides = [
        np.split(each["value"].to_numpy(), each.groupby(by).size().cumsum()[:-1])
        for each in (means, runs)
    ]
    return [
        mean if unit == FOLDS else run
        for mean, run, unit in zip(*sides, cells["unit"], strict=True)
    ]


def wilcoxon(values: np.ndarray) -> float:
    """Differences to the exact two-sided p of Wilcoxon's signed-rank test, ties by mid-ranks, zeros left out; NaN of none.

    The sum of positive ranks is counted over all signs, one rank after the other (Wilcoxon 1945; Pratt and Gibbons 1981),
    which stays exact with ties, where SciPy's exact distribution does not hold and its permutations take a tenth of a second.
    """
    values = values[values != 0]
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
    """p values to those adjusted by Holm's step-down method (1979); NaN stays and does not count."""
    values = p.to_numpy(dtype=float)
    tested = np.flatnonzero(~np.isnan(values))
    order = tested[np.argsort(values[tested], kind="stable")]
    adjusted = np.full(len(values), np.nan)
    adjusted[order] = np.minimum(
        1, np.maximum.accumulate(values[order] * np.arange(len(order), 0, -1))
    )
    return adjusted


def narrowed(pairs: pd.DataFrame, by: list[str]) -> pd.Series:
    """Pairs of runs (columns `by`, fold, first, second, value) to how many times wider the interval would be without pairing.

    That is the standard error by draws, had the arms been drawn independently, over the one of the paired differences.
    """
    own = (
        pairs.groupby([*by, "fold"])[["first", "second", "value"]]
        .var()
        .groupby(by)
        .sum(min_count=1)
    )
    return np.sqrt((own["first"] + own["second"]) / own["value"].where(own["value"] > 0)).rename(
        "narrowed"
    )


def bootstrap(
    folds: Sequence[np.ndarray], how: Statistics, random: np.random.Generator
) -> tuple[float, float]:
    """Values fold by fold to the percentile interval of the mean of their means: folds are resampled, then runs within them.

    Folds stay as they are where there is one, or where the interval is over draws (`how.unit`).
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
    """Cells with their intervals by `bootstrap`, from the same seed for each; none where nothing varies."""
    groups = {
        key: [fold.to_numpy() for _, fold in cell.groupby("fold")["value"]]
        for key, cell in values.groupby(by)
    }
    keys = cells[by].itertuples(index=False, name=None)
    limits = np.array([bootstrap(groups[key], how, np.random.default_rng(0)) for key in keys])
    limits[cells["se"].isna()] = np.nan
    return cells.assign(low=limits[:, 0], high=limits[:, 1])
