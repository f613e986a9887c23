"""The claims of LEAF's article on synthetic runs of which the truth is known."""

from dataclasses import replace

import numpy as np
import pytest
from synthetic_records import SETTINGS, chosen, record

from fewshot_audio.report.claims import FAILS, HOLDS
from fewshot_audio.report.differences import OPEN, with_pairs
from fewshot_audio.report.leaf_claims import OTHERS, leaf_claims
from fewshot_audio.report.text import NONE
from fewshot_audio.types import NoRunsError

TASKS = ("birds", "words", "instruments")
AS_IN_THE_ARTICLE = {"log_mel": 0, "leaf": 0.03, "leaf_random": -0.02, "sincnet": -0.1}


def runs(gains, together=None, noise=0.001, share=0.00007):
    """Records of frontends that differ from log-mel by so much on average, three tasks and seeds.

    `together` are the gains of networks that learned all tasks.
    """
    random, made = np.random.default_rng(0), []
    for seed in (1, 2, 3):
        for frontend, gain in gains.items():
            counts = {"parameters": 1_000_000, "frontend_parameters": round(share * 1_000_000)}
            for place, task in enumerate(TASKS):
                value = 0.6 + gain + 0.1 * place + noise * random.normal()
                made.append(_record(task, frontend, seed, value, **counts))
        for frontend, gain in (together or {}).items():
            values = [0.6 + gain + 0.1 * place + noise * random.normal() for place in range(3)]
            each = _record("all", frontend, seed, float(np.mean(values)))
            names = [f"{task} accuracy" for task in TASKS]
            each["metrics"] |= dict(zip(names, values, strict=True))
            each["class_names"] = [f"{task}/{end}" for task in TASKS for end in ("yes", "no")]
            made.append(each)
    return made


def _record(dataset, frontend, seed, value, **counts):
    names = {"dataset": {"name": dataset}, "model": {"name": "efficientnet_b0"}}
    each = record(1, None, seed, frontend, value, names, **counts)
    return {**each, "key": f"{dataset}{frontend}{seed}", "few_shot_split": None}


def table(made, settings=SETTINGS):
    selection = with_pairs(chosen(made, settings), {"leaf": [("leaf", "leaf_random")]})
    return leaf_claims(selection, "leaf_claims", "Claims")


def verdicts(*arguments, **more):
    cells = table(runs(*arguments, **more)).cells
    return list(cells[["claim", "verdict"]].itertuples(index=False, name=None))


def test_runs_as_in_the_article_have_every_claim_hold():
    found = verdicts(AS_IN_THE_ARTICLE, together={"log_mel": 0.01, "leaf": 0.05})
    assert found == [(claim, HOLDS) for claim in ("L1", "L1", "L2", "L4", "L5")]


def test_the_opposite_has_every_claim_fail():
    gains = {name: -gain for name, gain in AS_IN_THE_ARTICLE.items()}
    found = verdicts(gains, together={"log_mel": 0, "leaf": -0.1}, share=0.008)
    assert found == [(claim, FAILS) for claim in ("L1", "L1", "L2", "L4", "L5")]


def test_runs_that_vary_much_decide_nothing_but_the_count():
    found = verdicts(AS_IN_THE_ARTICLE, together={"log_mel": 0, "leaf": 0.05}, noise=0.1)
    assert found == [(claim, HOLDS if claim == "L4" else OPEN) for claim, _ in found]


def test_no_difference_contradicts_a_gain_and_is_no_worse():
    gains = {"log_mel": 0, "leaf": 0.0, "leaf_random": 0.0, "sincnet": 0.0}
    found = verdicts(gains, together={"log_mel": 0, "leaf": 0.0}, noise=0.0005)
    assert found == [("L1", FAILS), ("L1", FAILS), ("L2", HOLDS), ("L4", HOLDS), ("L5", FAILS)]


def test_each_other_frontend_has_a_row_and_none_is_lost():
    """One that lacks runs of a task has no average, and a row that says so."""
    made = runs(AS_IN_THE_ARTICLE | {"td_fbanks": 0.1, "wavegram": -0.1})
    lacking = [
        each
        for each in made
        if (each["identity"]["frontend"]["name"], each["identity"]["dataset"]["name"])
        != ("wavegram", "birds")
    ]
    cells = table(lacking).cells.set_index("says")
    found = {name: cells.loc[f"log_mel better than {name}"] for name in OTHERS}
    assert [found[name]["verdict"] for name in OTHERS] == [FAILS, HOLDS, OPEN]
    assert found["td_fbanks"]["found"].startswith("td_fbanks − log_mel +10.0 [")
    assert found["wavegram"]["found"] == "wavegram − log_mel has no average: some tasks lack runs"


def test_l1_is_about_the_mel_spectrogram_alone():
    settings = replace(SETTINGS, baseline="sincnet")
    assert set(table(runs(AS_IN_THE_ARTICLE), settings=settings).cells["claim"]) == {"L4", "L5"}


def test_l4_is_about_efficientnet_alone():
    made = runs(AS_IN_THE_ARTICLE)
    for each in made:
        each["identity"]["model"] = {"name": "net"}
    cells = table(made).cells.set_index("claim")
    assert cells.loc["L4", "verdict"] == NONE
    assert cells.loc["L4", "found"] == "0.007 % of 1,000,000"


@pytest.mark.parametrize(
    ("gain", "noise", "verdict"),
    [(-0.001, 0.001, HOLDS), (-0.02, 0.001, FAILS), (-0.005, 0.006, OPEN)],
)
def test_no_worse_is_above_minus_the_margin(gain, noise, verdict):
    found = verdicts(AS_IN_THE_ARTICLE, together={"log_mel": 0, "leaf": 0.03 + gain}, noise=noise)
    assert ("L2", verdict) in found


def test_networks_of_several_tasks_with_one_frontend_take_nothing_away():
    found = verdicts(AS_IN_THE_ARTICLE, together={"leaf": 0.05})
    assert found == [(claim, HOLDS) for claim in ("L1", "L1", "L2", "L4", "L5")]


def test_numbers_are_the_mean_over_tasks_and_seeds():
    made = runs(AS_IN_THE_ARTICLE, noise=0.02)
    means = {
        name: np.mean(
            [r["metrics"]["accuracy"] for r in made if r["identity"]["frontend"]["name"] == name]
        )
        for name in ("leaf", "log_mel")
    }
    found = table(made).cells["found"].iloc[0]
    assert found.startswith(f"leaf − log_mel +{100 * (means['leaf'] - means['log_mel']):.1f} [")


def test_few_clips_and_one_task_have_no_such_table():
    of_one = [
        each for each in runs(AS_IN_THE_ARTICLE) if each["identity"]["dataset"]["name"] == "birds"
    ]
    few = [
        {**each, "identity": each["identity"] | {"n_per_class": 5}}
        for each in runs(AS_IN_THE_ARTICLE)
    ]
    for made in of_one, few:
        with pytest.raises(NoRunsError, match="leaf_claims"):
            table(made)
