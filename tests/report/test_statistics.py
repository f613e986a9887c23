"""Intervals, tests and power against closed forms, other libraries and simulation."""

from dataclasses import replace
from itertools import product

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from fewshot_audio import compose, config
from fewshot_audio.report.power import needed_folds, needed_repeats
from fewshot_audio.report.statistics import (
    ANY,
    SHARE,
    hierarchical,
    narrowed,
    summary,
    wilcoxon,
    with_limits,
    with_p,
)
from fewshot_audio.types import ConfigError, Statistics

HOW = Statistics("fold", 0.95, 0.01)
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


def test_one_fold_gives_the_t_interval_of_its_runs():
    """Its unit says that it is over splits."""
    values = simulated(3, 1, 20, 1, 1, 1)
    for how in (HOW, SPLIT):
        summed = summary(values, ["cell"], how)
        low, high = stats.ttest_1samp(
            values.loc[values["cell"] == 2, "value"], 0
        ).confidence_interval(0.95)
        assert summed["unit"].unique() == ["splits"]
        assert summed.iloc[2][["low", "high"]].tolist() == pytest.approx([low, high], rel=1e-12)


@pytest.mark.parametrize("how", [HOW, SPLIT])
def test_two_folds_give_half_of_welchs_interval_of_their_sum(how):
    """The interval is one over splits."""
    values = simulated(1, 2, 6, 1, 1, 2).query("not (fold == 1 and repeat > 3)")
    one, other = (values.loc[values["fold"] == fold, "value"] for fold in (0, 1))
    low, high = stats.ttest_ind(one, -other, equal_var=False).confidence_interval(0.95)
    assert summary(values, ["cell"], how)[["low", "high"]].to_numpy()[0] == pytest.approx(
        [low / 2, high / 2], rel=1e-12
    )


def test_strata_count_equally_within_a_fold():
    first = [(0, 1, 1, 0.0), (0, 1, 1, 0.0), (0, 1, 2, 1.0), (0, 2, 1, 2.0), (0, 2, 2, 4.0)]
    more = [(0, 3, 1, 1.0), (0, 3, 2, 1.0), (0, 4, 1, 5.0), (0, 4, 2, 5.0), (0, 4, 2, 5.0)]
    values = pd.DataFrame([*first, *more], columns=["cell", "fold", "n", "value"])
    summed = summary(values, ["cell"], HOW, ["fold", "n"]).iloc[0]
    low, high = stats.ttest_1samp([0.5, 3.0, 1.0, 5.0], 0).confidence_interval(0.95)
    assert summed[["mean", "low", "high"]].tolist() == pytest.approx([2.375, low, high])


@pytest.mark.parametrize("values", [[[0.5]], [[0.25, 0.25]], [[0.25], [0.25]]])
def test_there_is_no_interval_where_nothing_varies(values):
    cells = summary(grid(np.array([values])), ["cell"], HOW)
    assert cells[["low", "high"]].isna().all(axis=None)
    assert with_p(cells, grid(np.array([values])), ["cell"])["p"].isna().all()


@pytest.mark.parametrize(
    ("folds", "runs", "between", "within"),
    [
        *product((2, 3, 4, 10), (5,), (0, 0.3, 1), (1,)),
        (10, 5, 1, 0),
        *(
            pytest.param(*case, marks=pytest.mark.slow)
            for case in product((2, 3, 4, 10), (20,), (0, 0.3, 1), (1,))
        ),
    ],
)
def test_95_percent_intervals_cover_the_truth_as_often(folds, runs, between, within):
    """They cover it 93 to 97 times in 100."""
    over_folds = between if folds > 3 else 0  # of fewer: the mean of these folds is the truth
    for how, spread in ((HOW, over_folds), (SPLIT, 0)):
        summed = summary(simulated(4000, folds, runs, spread, within, folds * runs), ["cell"], how)
        summed = summed.dropna(subset="low")
        if len(summed):
            assert 0.93 <= ((summed["low"] <= 0) & (summed["high"] >= 0)).mean() <= 0.97


@pytest.mark.parametrize("folds", [2, 3, 10])
def test_for_any_folds_it_is_the_balanced_analysis_of_variance(folds):
    values = simulated(30, folds, 4, 0.5, 1, 8)
    cells = with_limits(hierarchical(summary(values, ["cell"], HOW)), 0.95)
    assert cells["df"].eq(folds - 1).all()
    for cell, group in values.groupby("cell"):
        runs = [fold["value"] for _, fold in group.groupby("fold")]
        within = np.mean([fold.var() for fold in runs])
        ratio = max(stats.f_oneway(*runs).statistic, 1)  # of mean squares
        assert cells["se"][cell] == pytest.approx(np.sqrt(ratio * within / folds / 4))
    many = with_limits(
        hierarchical(summary(simulated(4000, folds, 5, 1, 1, 9), ["cell"], HOW)), 0.95
    )
    assert ((many["low"] <= 0) & (many["high"] >= 0)).mean() >= 0.94


def test_intervals_of_shares_stay_within_0_and_1():
    """They hold the truth no less often than plain ones."""
    values = grid(np.random.default_rng(10).beta(1, 19, size=(2000, 5, 2)))  # shares about 0.05
    plain, share = (summary(values, ["cell"], HOW, within=ends) for ends in (ANY, SHARE))
    assert plain["low"].min() < 0 < share["low"].min()
    held = [((each["low"] <= 0.05) & (each["high"] >= 0.05)).mean() for each in (plain, share)]
    assert held[1] >= held[0]
    middle = grid(np.array([[[0.5], [0.501], [0.499], [0.5]]]))
    plain, share = (summary(middle, ["cell"], HOW, within=ends) for ends in (ANY, SHARE))
    np.testing.assert_allclose(share[["low", "high"]], plain[["low", "high"]], rtol=1e-5)
    cut = summary(grid(np.array([[[0.8, 0.9]]])), ["cell"], HOW, within=(-1, 1))
    assert cut["high"].tolist() == [1]


@pytest.mark.parametrize(("folds", "between"), [(10, 0.02), (2, 0)])
def test_the_needed_folds_or_repeats_show_a_difference(folds, between):
    """They show it 80 times in 100."""
    known = pd.DataFrame(
        {
            "folds": [folds],
            "repeats": [5.0],
            "unit": ["folds" if folds > 3 else "splits"],
            "df": [folds - 1.0 if folds > 3 else folds * 4.0],
            "variance_folds": [between**2 + 0.03**2 / 5],
            "variance_splits": [0.03**2 / 5],
        }
    )
    ways = {"repeats": (folds, int(needed_repeats(known, 0.03, 0.99)[0]))}
    if folds > 3:
        ways["folds"] = (int(needed_folds(known, 0.03, 0.99)[0]), 5)
    for count, repeats in ways.values():
        values = simulated(2000, count, repeats, between, 0.03, 11)
        shown = summary(
            values.assign(value=values["value"] + 0.03), ["cell"], replace(HOW, confidence=0.99)
        )
        assert 0.76 <= (shown["low"] > 0).mean() <= 0.9  # whole folds and repeats


def test_what_a_single_fold_or_run_cannot_tell_is_unknown():
    one = summary(simulated(1, 1, 5, 1, 1, 0), ["cell"], HOW)
    assert np.isnan(needed_folds(one, 0.1, 0.95)).all()
    few_alone, few = (summary(simulated(1, 3, runs, 1, 1, 0), ["cell"], HOW) for runs in (1, 2))
    assert np.isnan(needed_folds(few_alone, 0.1, 0.95)).all()
    assert np.isfinite(needed_folds(few, 9, 0.95)).all()
    alone = summary(simulated(1, 5, 1, 1, 1, 0), ["cell"], HOW)
    assert np.isnan(needed_repeats(alone, 0.1, 0.95)).all()
    far = summary(simulated(1, 5, 3, 9, 1, 0), ["cell"], HOW)
    assert needed_repeats(far, 0.1, 0.95).tolist() == [np.inf]  # folds differ too much


def test_the_t_test_is_scipys():
    values = simulated(6, 5, 3, 0.5, 1, 3)
    cells = with_p(summary(values, ["cell"], HOW), values, ["cell"])
    means = values.groupby(["cell", "fold"])["value"].mean().unstack("fold")
    assert cells["p"].tolist() == pytest.approx(
        stats.ttest_1samp(means, 0, axis=1).pvalue.tolist(), rel=1e-10
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
    judgement = with_p(summary(values, ["cell"], HOW), values, ["cell"]).iloc[0]
    assert judgement["floor"] == judgement["wilcoxon"] == 2 / 2**10
    assert np.isnan(wilcoxon(np.zeros(3)))


def test_pairing_narrows_as_the_correlation_says():
    random = np.random.default_rng(6)
    common = random.normal(size=(1, 3, 400))
    first, second = (common + 0.5 * random.normal(size=common.shape) for _ in range(2))
    pairs = grid(first - second)
    pairs = pairs.assign(value_first=first.ravel(), value_second=second.ravel())
    assert narrowed(pairs, ["cell"]).iloc[0] == pytest.approx(np.sqrt(2 * 1.25 / 0.5), rel=0.05)


def test_a_constant_difference_has_no_gain_by_pairing():
    first = np.random.default_rng(6).random((1, 2, 5))
    second = first - 0.1  # differences of 0.1 to rounding
    pairs = grid(first - second).assign(value_first=first.ravel(), value_second=second.ravel())
    assert narrowed(pairs, ["cell"]).isna().all()


def test_settings_that_cannot_be_are_refused():
    with pytest.raises(ConfigError, match=r"statistics.confidence: found 95; .* less than 1"):
        config.reporting(compose.composed(["statistics.confidence=95"]))


def test_an_interval_of_all_that_is_possible_is_none():
    cells = pd.DataFrame({"mean": [0.2, 0.9, 0.2], "se": [0.5, 0.2, 0.01], "df": [2.0, 3.0, 2.0]})
    found = with_limits(cells, 0.95, (-1.0, 1.0))
    plain = with_limits(cells, 0.95)
    assert found[["low", "high"]].isna().to_numpy().tolist() == [
        [True] * 2,
        [False] * 2,
        [False] * 2,
    ]
    assert found["high"][1] == 1
    assert found["low"][1] == plain["low"][1] > -1
    assert found[["low", "high"]].iloc[2].tolist() == plain[["low", "high"]].iloc[2].tolist()
    assert plain["low"][0] < -1 < 1 < plain["high"][0]


def strata(levels, repeats, seed=0):
    """Pairs of three folds at two n, whose levels and repeats differ; differences are of size 1."""
    random, rows = np.random.default_rng(seed), []
    for fold, (n, (level, count)) in product(
        range(3), enumerate(zip(levels, repeats, strict=True))
    ):
        for repeat in range(count):
            common, own = level + random.normal(), random.normal(size=2) / np.sqrt(2)
            rows.append([0, fold, n, repeat, *(common + own), own[0] - own[1]])
    names = ["cell", "fold", "n_per_class", "repeat", "value_first", "value_second", "value"]
    return pd.DataFrame(rows, columns=names)


def test_levels_of_strata_are_no_gain_by_pairing():
    by = ["fold", "n_per_class"]
    near, far = (
        narrowed(strata(each, (400, 400)), ["cell"], by).iloc[0] for each in ((0, 0), (0, 50))
    )
    assert far == pytest.approx(near, rel=1e-9)
    assert near == pytest.approx(np.sqrt(2 * 1.5), rel=0.05)


def test_wilcoxon_over_strata_counts_them_alike_or_says_nothing():
    by = ["fold", "n_per_class"]
    parts = [strata((0, 0), (8, 2)) for _ in range(3)]
    for copy, part in enumerate(parts):
        part["fold"] += 3 * copy
    pairs = pd.concat(parts)
    pairs["value"] = np.where(pairs["n_per_class"] == 0, 0.1, -0.2) * (1 + pairs["fold"] / 10)
    over_folds = with_p(summary(pairs, ["cell"], HOW, by), pairs, ["cell"], by).iloc[0]
    assert over_folds["mean"] < 0
    assert over_folds["wilcoxon"] == over_folds["floor"] == 2 / 2**9  # all folds' means below 0
    over_splits = with_p(summary(pairs, ["cell"], SPLIT, by), pairs, ["cell"], by).iloc[0]
    assert over_splits[["wilcoxon", "floor"]].isna().all()
