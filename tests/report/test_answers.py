"""Answers in words, and one verdict for a pair wherever it is shown; which values are better."""

import re
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from synthetic_records import PAIRS, SETTINGS, accuracies, chosen, record, records

from fewshot_audio.report.answers import answers, headlines, questions
from fewshot_audio.report.build import pairs_by_table
from fewshot_audio.report.claims import claims
from fewshot_audio.report.differences import compare, gains, pair_all, with_pairs
from fewshot_audio.report.evidence import tests as table_of_tests
from fewshot_audio.report.figures import draw
from fewshot_audio.report.tables import against_baseline, difference
from fewshot_audio.report.written import written
from fewshot_audio.types import Component


def sentence(made, pairs=PAIRS, settings=SETTINGS):
    selection = chosen(made, settings)
    answer, reading = answers(
        questions(pair_all(selection, "v", pairs, partial=True), selection), selection
    )
    assert "Gain, loss: the interval excludes zero" in reading
    return answer


def shifted(shift, noise, folds=8, repeats=1, seed=0):
    """Records of log-EPS, and of log-learn that differs by so much and a little noise."""
    random, made = np.random.default_rng(seed), []
    for fold in range(1, folds + 1):
        for repeat in range(1, repeats + 1):
            made.append(record(fold, 1, repeat, "log_eps", 0.5))
            value = 0.5 + shift + noise * random.normal()
            made.append(record(fold, 1, repeat, "log_learn", value))
    return made


def test_the_answer_is_a_sentence_per_dataset_and_pair():
    assert sentence(records()) == (
        "UrbanSound8K, 2 folds, n = 1, 10 (not every fold has every n): log-learn minus log-EPS, in "
        "points, is +3.1 for SB-CNN: cannot tell yet; there are too few folds to say how many it needs."
    )


@pytest.mark.parametrize(
    ("shift", "noise", "words"),
    [
        (0.2, 0.002, "gain"),
        (-0.2, 0.002, "loss"),
        (0.0, 0.002, "no difference"),
        (-0.02, 0.03, "no gain"),
        (
            0.0,
            0.05,
            "cannot tell yet; 1 point would show with about 73 folds, 3 points with about 10",
        ),
    ],
)
def test_the_verdict_is_that_of_the_interval(shift, noise, words):
    start = r"UrbanSound8K, 8 folds, n = 1: log-learn minus log-EPS, in points, is \S+ \[\S+ \S+\] for SB-CNN"
    assert re.fullmatch(f"{start}: {words}\\.", sentence(shifted(shift, noise)))


def test_an_end_that_is_shown_as_zero_is_none():
    selection = chosen(shifted(0.0, 0.1))
    pairs = pair_all(selection, "p", PAIRS, True)
    half = compare(selection, pairs.assign(value=pairs["value"] - pairs["value"].mean()))["high"]
    for above, verdict in ((0.0004, "cannot tell yet"), (0.0006, "gain")):
        centre = pairs["value"] - pairs["value"].mean() + half.item() + above
        assert compare(selection, pairs.assign(value=centre))["verdict"].item() == verdict


def test_with_fewer_than_four_folds_it_speaks_of_these_folds():
    assert sentence(shifted(0.2, 0.002, 3, 4)).endswith(": gain on these 3 folds.")
    assert sentence(shifted(0.2, 0.002, 1, 4)).endswith(": gain on this one fold.")
    settings = replace(SETTINGS, how=replace(SETTINGS.how, unit="split"))
    made = shifted(-0.2, 0.002, 5, 4)
    assert sentence(made, settings=settings).endswith(": loss on these 5 folds.")
    assert sentence(made).endswith(": loss.")
    assert sentence(shifted(0.2, 0.002, 1)).endswith("too few folds to say how many it needs.")


def test_one_frontend_alone_has_no_answer():
    selection = chosen(records()[::2])
    (answer,) = answers(
        questions(pair_all(chosen(records()), "v", PAIRS, True).head(0), selection), selection
    )
    assert re.match("There are runs of log-EPS only", answer)


def several(shifts, ns=(1,)):
    """Records of frontends that lie so far from log-EPS, on eight folds."""
    made = []
    for fold in range(1, 9):
        for n in ns:
            for number, (frontend, shift) in enumerate({"log_eps": 0.0, **shifts}.items()):
                value = 0.4 + shift + 0.004 * (fold * (number + 2) % 5)
                made.append(record(fold, n, 1, frontend, value))
    return made


def test_a_pair_has_one_verdict_wherever_it_is_shown():
    """It is shown in every table, the figure and the answer."""
    made = several({"log_learn": 0.005, "one": 0.005, "two": 0.2, "three": 0.0})
    selection = with_pairs(chosen(made), {"difference": PAIRS})
    assert selection.comparisons == 4
    pairs = pair_all(selection, "p", list(selection.pairs), partial=True)
    drawn = compare(selection, pairs).set_index("first")
    shown = ["low", "high", "verdict"]
    assert drawn["marked"].to_dict() == {"log_learn": False, "one": False, "two": True} | {
        "three": False
    }
    alone = compare(chosen(made), pairs).set_index("first")["marked"]
    assert alone["one"]  # by an interval for one comparison
    asked = [("one", "log_eps")]
    tables = [Component("report", "tests", "x.y", {"pairs": asked})]
    assert pairs_by_table(tables) == {}  # the pairs of the study stay
    for cells in (
        table_of_tests(selection, "tests", "Tests", None).cells,
        table_of_tests(selection, "tests", "Tests", asked).cells,
        difference(selection, "difference", "{pairs}", PAIRS).cells,
        against_baseline(selection, "baseline", "B").cells,
    ):
        cells = cells.set_index("first")[shown]
        assert cells.equals(drawn.loc[cells.index, shown])
    assert sorted(cells.index) == ["one", "three", "two"]
    assert set(gains(selection)["frontend"]) == {"two"}
    figures = {each.name: each.data for each in draw(selection, pairs, [], Path())}
    assert figures["forest"].set_index("first")["marked"].to_dict() == drawn["marked"].to_dict()
    *said, _ = answers(questions(pairs, selection), selection)
    marked = {written(first): each for first, each in drawn["marked"].items()}
    assert {text.split()[6]: "gain" in text for text in said} == marked


def test_a_study_counts_each_n_and_the_mean_over_n_once():
    made = several({"log_learn": 0.0, "leaf": 0.0}, ns=(1, 5))
    tables = {"difference": PAIRS, "turned": [("log_eps", "log_learn")]}
    assert with_pairs(chosen(made), tables).comparisons == 6  # two pairs
    selection = with_pairs(chosen(made), {})
    assert selection.joint.confidence == pytest.approx(1 - 0.05 / 6)
    rows = table_of_tests(selection, "tests", "Tests", PAIRS).text
    assert rows["n"].tolist() == ["1", "5", "mean"]


def test_where_lower_is_better_bold_and_words_follow():
    more = {"metrics": {"accuracy": 0.5}, "lower_is_better": ["ece"]}
    made = []
    for each in several({"log_learn": 0.2}):
        metrics = {"metrics": {"ece": each["metrics"]["accuracy"]}}
        made.append(each | more | metrics)
    assert sentence(made).endswith(": loss.")
    settings = replace(SETTINGS, metric="ece", baseline="log_learn")
    assert set(gains(chosen(made, settings))["frontend"]) == {"log_eps"}
    caption = accuracies(made, settings).caption
    assert caption.startswith("Ece in %, lower is better: mean")
    assert caption.endswith("Bold: a gain over log_learn, as in its differences.")
    higher = chosen([each | {"lower_is_better": []} for each in made])
    assert set(gains(higher)["frontend"]) == {"log_learn"}
    text = claims(chosen(made, settings), "claims", "Claims", PAIRS[0], [1])
    assert "claims on log_eps − log_learn" in text.caption
    turned = claims(higher, "claims", "Claims", ("log_eps", "log_learn"), [1])
    assert text.cells["verdict"].tolist() == turned.cells["verdict"].tolist()


def test_what_has_no_average_over_tasks_has_a_sentence_of_its_own():
    made = []
    for task, seed, name in product(("a", "b"), (1, 2, 3), ("log_eps", "log_learn", "leaf")):
        if (task, name) != ("b", "leaf"):
            value = {"log_eps": 0.5, "log_learn": 0.6, "leaf": 0.4}[name] + seed / 100
            about = {"dataset": {"name": task}}
            made.append(record(1, None, seed, name, value, about, key=f"{task}{name}{seed}"))
    selection = chosen(made)
    pairs = [("log_learn", "log_eps"), ("leaf", "log_eps")]
    *sentences, _ = answers(
        questions(pair_all(selection, "v", pairs, partial=True), selection), selection
    )
    assert [each.partition(" minus ")[0] for each in sentences] == [
        "a, 1 fold, n = all: LEAF",
        "average of 2 tasks, n = all: log-learn",
    ]


def test_the_study_of_most_folds_then_runs_speaks_of_a_model_at_the_top():
    asked = []
    for shift, folds, repeats in ((0.2, 8, 1), (-0.2, 8, 3), (0.0, 8, 2), (0.2, 4, 9)):
        selection = chosen(shifted(shift, 0.002, folds, repeats))
        asked.append(questions(pair_all(selection, "v", PAIRS, partial=True), selection))
    (top,) = headlines(asked)
    assert top == (
        "Learning the log-mel's compression (log-learn minus log-EPS, in points)",
        [("loss", "UrbanSound8K, 8 folds, n = 1: −20.0 [−20.1, −19.9] for SB-CNN")],
    )
    assert headlines([]) == []
    few = chosen(shifted(0.2, 0.002, 3, 3))
    ((_, said),) = headlines([questions(pair_all(few, "v", PAIRS, partial=True), few)])
    assert [verdict for verdict, _ in said] == ["gain on these 3 folds"]


def with_identity(made, **changes):
    """The same records as if of other runs."""
    key = str(changes)
    return [e | {"identity": e["identity"] | changes, "key": e["key"] + key} for e in made]


def test_each_dataset_and_verdict_is_named_at_the_top():
    made = several({"log_learn": 0.2, "leaf": 0.0, "other": 0.2})
    made += with_identity(several({"log_learn": -0.2}), model={"name": "vgg"})
    elsewhere = with_identity(several({"log_learn": 0.2}), dataset={"name": "zoo"})
    asked = []
    for runs in (made, elsewhere):
        selection = chosen(runs)
        pairs = pair_all(selection, "v", [*PAIRS, ("leaf", "log_eps")], partial=True)
        asked.append(questions(pairs, selection))
    compression, whole = headlines(asked)
    (gain, of_gain), (loss, of_loss) = compression[1]
    assert (gain, loss) == ("gain", "loss")
    number = r"[+−]\d+\.\d \[\S+ \S+\]"
    assert re.fullmatch(
        rf"UrbanSound8K, 8 folds, n = 1: {number} for SB-CNN; "
        rf"zoo, 8 folds, n = 1: {number} for SB-CNN",
        of_gain,
    )
    assert re.fullmatch(rf"UrbanSound8K, 8 folds, n = 1: {number} for VGG", of_loss)
    assert whole[0].startswith("Learning the whole frontend in place of the log-mel (LEAF minus ")
    assert len(whole[1]) == 1
