"""Intervals and tests against closed forms, other libraries and simulation."""

from dataclasses import replace
from itertools import product

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from fewshot_audio.report.statistics import bootstrap, holm, judged, narrowed, summary, wilcoxon
from fewshot_audio.types import ConfigError, Statistics

HOW = Statistics("fold", "t", "t", 0.95, 0.01)
SPLIT = replace(HOW, unit="split")


def grid(values: np.ndarray) -> pd.DataFrame:
    """Values (cells, folds, runs) to one row per run."""
    cell, fold, repeat = np.indices(values.shape).reshape(3, -1)
    return pd.DataFrame({"cell": cell, "fold": fold, "repeat": repeat, "value": values.ravel()})


def simulated(
    cells: int, folds: int, runs: int, between: float, within: float, seed: int
) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    levels = between * random.normal(size=(cells, folds, 1))
    return grid(levels + within * random.normal(size=(cells, folds, runs)))


def test_over_folds_it_is_the_t_interval_of_the_folds_means():
    values = simulated(5, 10, 4, 1, 1, 0)
    summed = summary(values, ["cell"], HOW)
    for cell, row in summed.set_index("cell").iterrows():
        means = values[values["cell"] == cell].groupby("fold")["value"].mean()
        low, high = stats.ttest_1samp(means, 0).confidence_interval(0.95)
        assert (row["low"], row["high"]) == pytest.approx((low, high), rel=1e-12)
        assert (row["mean"], row["count"], row["folds"], row["unit"]) == (
            pytest.approx(means.mean()),
            40,
            10,
            "folds",
        )


def test_over_splits_of_one_fold_it_is_the_t_interval_of_the_runs_and_says_so():
    values = simulated(3, 1, 20, 1, 1, 1)
    for how in (HOW, SPLIT):
        summed = summary(values, ["cell"], how)
        low, high = stats.ttest_1samp(
            values.loc[values["cell"] == 2, "value"], 0
        ).confidence_interval(0.95)
        assert summed["unit"].unique() == ["splits"]
        assert summed.iloc[2][["low", "high"]].tolist() == pytest.approx([low, high], rel=1e-12)


def test_over_splits_of_two_folds_it_is_half_of_welchs_interval_of_their_sum():
    values = simulated(1, 2, 6, 1, 1, 2).query("not (fold == 1 and repeat > 3)")
    one, other = (values.loc[values["fold"] == fold, "value"] for fold in (0, 1))
    low, high = stats.ttest_ind(one, -other, equal_var=False).confidence_interval(0.95)
    assert summary(values, ["cell"], SPLIT)[["low", "high"]].to_numpy()[0] == pytest.approx(
        [low / 2, high / 2], rel=1e-12
    )


def test_strata_count_equally_within_a_fold():
    values = pd.DataFrame(
        [(0, 1, 1, 0.0), (0, 1, 1, 0.0), (0, 1, 2, 1.0), (0, 2, 1, 2.0), (0, 2, 2, 4.0)],
        columns=["cell", "fold", "n", "value"],
    )
    summed = summary(values, ["cell"], HOW, ["fold", "n"]).iloc[0]
    low, high = stats.ttest_1samp([0.5, 3.0], 0).confidence_interval(0.95)
    assert summed[["mean", "low", "high"]].tolist() == pytest.approx([1.75, low, high])


@pytest.mark.parametrize("values", [[[0.5]], [[0.25, 0.25]], [[0.25], [0.25]]])
def test_there_is_no_interval_where_nothing_varies(values):
    cells = summary(grid(np.array([values])), ["cell"], HOW)
    assert cells[["low", "high"]].isna().all(axis=None)
    judgement = judged(cells, grid(np.array([values])), ["cell"], ["cell"], HOW)
    assert judgement[["p", "equivalence"]].isna().all(axis=None)
    assert not judgement["marked"].any()


@pytest.mark.parametrize(
    ("folds", "runs", "between", "within"),
    [*product((2, 3, 10), (5, 20), (0, 0.3, 1), (1,)), (10, 5, 1, 0)],
)
def test_95_percent_intervals_cover_the_truth_93_to_97_times_in_100(folds, runs, between, within):
    for how, spread in ((HOW, between), (SPLIT, 0)):
        summed = summary(simulated(4000, folds, runs, spread, within, folds * runs), ["cell"], how)
        summed = summed.dropna(subset="low")
        if len(summed):
            assert 0.93 <= ((summed["low"] <= 0) & (summed["high"] >= 0)).mean() <= 0.97


def test_the_t_test_is_scipys():
    values = simulated(6, 5, 3, 0.5, 1, 3)
    cells = judged(summary(values, ["cell"], HOW), values, ["cell"], ["unit"], HOW)
    means = values.groupby(["cell", "fold"])["value"].mean().unstack("fold")
    assert cells["p"].tolist() == pytest.approx(
        stats.ttest_1samp(means, 0, axis=1).pvalue.tolist(), rel=1e-10
    )
    below = stats.ttest_1samp(means, HOW.margin, axis=1, alternative="less").pvalue
    above = stats.ttest_1samp(means, -HOW.margin, axis=1, alternative="greater").pvalue
    assert cells["equivalence"].tolist() == pytest.approx(
        np.maximum(below, above).tolist(), rel=1e-10
    )


@pytest.mark.parametrize("size", [1, 2, 5, 10, 20, 40])
def test_wilcoxon_is_scipys_exact_one(size):
    values = np.random.default_rng(size).normal(0.3, 1, size)
    assert wilcoxon(values) == pytest.approx(
        stats.wilcoxon(values, method="exact").pvalue, rel=1e-12
    )


@pytest.mark.parametrize("seed", range(5))
def test_with_ties_wilcoxon_counts_every_sign_pattern(seed):
    values = np.random.default_rng(seed).integers(-3, 5, 9).astype(float)
    kept = values[values != 0]
    ranks = stats.rankdata(np.abs(kept))
    sums = np.array([(ranks * signs).sum() for signs in product((0, 1), repeat=len(kept))])
    observed = ranks[kept > 0].sum()
    expected = min(1, 2 * min((sums <= observed).mean(), (sums >= observed).mean()))
    assert wilcoxon(values) == pytest.approx(expected, rel=1e-12)


def test_wilcoxon_cannot_go_below_its_floor():
    values = grid(np.arange(1, 11, dtype=float).reshape(1, 10, 1))
    judgement = judged(summary(values, ["cell"], HOW), values, ["cell"], ["cell"], HOW).iloc[0]
    assert judgement["floor"] == judgement["wilcoxon"] == 2 / 2**10
    assert np.isnan(wilcoxon(np.zeros(3)))


def test_holm_is_the_closed_test_of_bonferroni():
    random = np.random.default_rng(0)
    for _ in range(5):
        p = random.random(5) ** 3
        for index, adjusted in enumerate(holm(pd.Series(p))):
            families = [np.array(kept, bool) for kept in product((0, 1), repeat=5) if kept[index]]
            assert adjusted == pytest.approx(
                min(1, max(kept.sum() * p[kept].min() for kept in families))
            )
    assert holm(pd.Series([0.01, np.nan, 0.04])).tolist() == pytest.approx(
        [0.02, np.nan, 0.04], nan_ok=True
    )


@pytest.mark.slow
def test_where_there_is_no_difference_a_table_has_a_mark_at_most_5_times_in_100():
    tables, cells, folds = 400, 28, 10
    values = simulated(tables * cells, folds, 5, 0.5, 1, 4).assign(
        table=lambda frame: frame["cell"] // cells
    )
    judgement = judged(
        summary(values, ["table", "cell"], HOW), values, ["table", "cell"], ["table"], HOW
    )
    assert (
        0.02 < judgement.groupby("table")["marked"].any().mean() <= 0.07
    )  # 0.05 and two standard errors
    assert (
        judgement["wilcoxon_holm"].min() >= 28 * 2 / 2**folds
    )  # its floor leaves it nothing to mark
    few = judgement[judgement["cell"] % cells < 5]  # a family of 5 does
    by_wilcoxon = judged(
        few,
        values[values["cell"] % cells < 5],
        ["table", "cell"],
        ["table"],
        replace(HOW, test="wilcoxon"),
    )
    assert 0 < by_wilcoxon.groupby("table")["marked"].any().mean() <= 0.07


def test_a_large_difference_is_marked_and_a_small_sure_one_is_equivalent():
    random = np.random.default_rng(5)
    noise = 0.002 * random.normal(size=(2, 10, 3))
    values = grid(noise + np.array([0.05, 0.0])[:, None, None])
    judgement = judged(summary(values, ["cell"], HOW), values, ["cell"], ["unit"], HOW)
    assert judgement["marked"].tolist() == [True, False]
    assert (judgement["equivalence"] < 0.05).tolist() == [False, True]


def test_pairing_narrows_as_the_correlation_says():
    random = np.random.default_rng(6)
    common = random.normal(size=(1, 3, 400))
    first, second = (common + 0.5 * random.normal(size=common.shape) for _ in range(2))
    pairs = grid(first - second)
    pairs = pairs.assign(value_first=first.ravel(), value_second=second.ravel())
    assert narrowed(pairs, ["cell"]).iloc[0] == pytest.approx(np.sqrt(2 * 1.25 / 0.5), rel=0.05)


def test_the_bootstrap_has_the_variance_of_its_two_levels():
    folds = [np.array([0.0, 1.0, 2.0]), np.array([4.0, 6.0]), np.array([1.0, 1.0, 4.0])]
    means, own = [fold.mean() for fold in folds], [fold.var() / len(fold) for fold in folds]
    expected = np.sqrt((np.var(means) + np.mean(own)) / 3)
    sigma = 0.6827  # probability of one standard deviation to each side
    wide = replace(HOW, interval="bootstrap", confidence=sigma)
    limits = [bootstrap(folds, wide, np.random.default_rng(seed)) for seed in range(20)]
    assert np.diff(np.mean(limits, axis=0))[0] / 2 == pytest.approx(expected, rel=0.1)
    low, high = bootstrap(folds, replace(wide, unit="split"), np.random.default_rng(0))
    assert (high - low) / 2 == pytest.approx(np.sqrt(np.mean(own) / 3), rel=0.15)


def test_a_bootstrap_is_asked_for_by_name_and_stays_the_same():
    values = simulated(2, 4, 5, 1, 1, 7)
    first, again = (summary(values, ["cell"], replace(HOW, interval="bootstrap")) for _ in range(2))
    assert first.equals(again)
    assert (first["high"] - first["low"] < summary(values, ["cell"], HOW).eval("high - low")).all()


def test_settings_that_cannot_be_are_refused():
    with pytest.raises(ConfigError, match=r"confidence=95.* expected a confidence between 0 and 1"):
        replace(HOW, confidence=95)
