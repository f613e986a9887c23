"""The article's claims on synthetic stores of which the truth is known."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from synthetic_records import PAIRS, SETTINGS, chosen, record

from fewshot_audio.report.claims import (
    ALL,
    FAILS,
    HOLDS,
    OPEN,
    TOO_FEW,
    claims,
    near_zero,
    negative,
    not_negative,
    positive,
)
from fewshot_audio.types import NoRunsError

NS = [5, 10, 50]
FOLDS = {"us8k": range(1, 11), "tut_asc": [1]}


def verdicts(truth, ns=NS, noise=0.001, datasets=tuple(FOLDS), models=ALL):
    """The claims' verdicts where log-learn differs by truth(dataset, model, n), with a little
    noise."""
    random, made = np.random.default_rng(0), []
    for dataset in datasets:
        for model in models:
            for fold in FOLDS[dataset]:
                for n in ns:
                    for repeat in (1, 2, 3):
                        values = {
                            "log_eps": 0.5,
                            "log_learn": 0.5 + truth(dataset, model, n) + noise * random.normal(),
                        }
                        for frontend, value in values.items():
                            names = {"dataset": {"name": dataset}, "model": {"name": model}}
                            key = f"{dataset}{model}{frontend}{fold}-{n}-{repeat}"
                            made.append(record(fold, n, repeat, frontend, value, names, key=key))
    cells = claims(chosen(made), "claims", "Claims", PAIRS[0], NS).cells
    cells = cells.set_index("claim")
    return cells["verdict"].to_dict(), cells["points"]


ALL_CLAIMS = ["S1", "S2", "S3", "S4", "S5", "S6"]


def as_in_the_article(dataset, model, n):
    if dataset == "us8k":
        return -0.008 if model in ("vgg", "proto") and n == 10 else 0.003
    return (0.05 if n <= 10 else -0.02) if model == "sb_cnn" else -0.1


def test_a_store_as_the_article_says_has_every_claim_hold():
    assert verdicts(as_in_the_article)[0] == dict.fromkeys(ALL_CLAIMS, HOLDS)


def test_a_store_that_says_the_opposite_has_none_hold():
    words, _ = verdicts(
        lambda dataset, model, n: (
            -as_in_the_article(dataset, model, n) if dataset == "tut_asc" else -0.1
        )
    )
    assert words == dict.fromkeys(ALL_CLAIMS, FAILS) | {"S3": HOLDS}
    assert verdicts(lambda dataset, model, n: 0.05)[0]["S3"] == FAILS  # at no n negative


@pytest.mark.slow
def test_noise_leaves_every_claim_open():
    assert set(verdicts(lambda dataset, model, n: 0.0, noise=0.5)[0].values()) == {OPEN}


def test_gaps_leave_a_claim_open_and_are_named():
    words, points = verdicts(
        as_in_the_article, ns=[5, 10], datasets=["us8k"], models=["vgg", "timbre", "proto"]
    )
    assert words == dict.fromkeys(["S1", "S2", "S3"], OPEN)  # those of its dataset
    assert points["S1"].startswith("sb_cnn has no runs; vgg −0.2 [")
    assert points["S1"].endswith("; n = 50 missing")
    assert "n = 5 +0." in points["S3"]


def test_claims_without_runs_are_left_out():
    """A claim needs runs of its dataset and models."""
    with pytest.raises(NoRunsError, match="table claims: no finished pairs of runs of a dataset"):
        verdicts(as_in_the_article, models=["cnn14"])
    with pytest.raises(NoRunsError, match="claims are about several n, all runs have n = 5"):
        verdicts(as_in_the_article, ns=[5])


def test_a_gap_that_cannot_change_the_verdict_does_not():
    """One model far from zero is enough to deny that all are near it."""
    words, _ = verdicts(lambda dataset, model, n: 0.05, models=["vgg"])
    assert words["S1"] == FAILS
    assert list(words) == ["S1", "S3", "S5", "S6"]  # S2 and S4 are of other models


@pytest.mark.parametrize(
    ("low", "high", "signs"),
    [
        (0.02, 0.03, (True, False, False)),
        (-0.03, -0.02, (False, True, False)),
        (-0.005, 0.005, (None, None, True)),
        (0.001, 0.005, (True, False, True)),
        (-0.02, 0.005, (None, None, None)),
        (np.nan, np.nan, (None, None, None)),
    ],
)
def test_a_sign_is_so_not_so_or_open(low, high, signs):
    cells = pd.DataFrame({"low": [low], "high": [high]})
    truths = [sign(cells, 0.01)[0] for sign in (positive, negative, near_zero)]
    assert [None if pd.isna(truth) else truth for truth in truths] == list(signs)
    opposite = not_negative(cells, 0.01)[0]
    assert pd.isna(opposite) if signs[1] is None else opposite == (not signs[1])


def test_what_is_over_splits_of_one_fold_uses_its_runs():
    made = []
    for n in NS:
        for repeat in (1, 2, 3):
            for frontend, more in (("log_eps", 0), ("log_learn", 0.01 * repeat)):
                key = f"{frontend}{n}-{repeat}"
                made.append(record(1, n, repeat, frontend, 0.5 + more, key=key))
    numbers, verdicts = [], []
    for unit in ("fold", "split"):
        settings = replace(SETTINGS, how=replace(SETTINGS.how, unit=unit))
        table = claims(chosen(made, settings), "c", "C", PAIRS[0], NS)
        numbers.append(table.cells["points"].tolist())
        verdicts.append(table.cells["verdict"].tolist())
    assert numbers[0] == numbers[1]
    assert verdicts[0] == [TOO_FEW] * 2  # S1 and S2: of SB-CNN on UrbanSound8K
    assert TOO_FEW not in verdicts[1]  # these folds, as they are
    half = 2.4469118511449692 * 0.01 / 3  # 6 degrees of freedom, a standard error of 0.01 / 3
    assert f"sb_cnn +2.0 [{100 * (0.02 - half):.1f}, {100 * (0.02 + half):.1f}]" in numbers[0][1]
