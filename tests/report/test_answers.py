"""Verdicts in words, and one answer for a pair wherever it is shown; which values are better."""

import re
from dataclasses import replace

import pytest
from synthetic_records import PAIRS, SETTINGS, accuracies, chosen, record, records

from fewshot_audio.report.build import pairs_by_table
from fewshot_audio.report.claims import claims
from fewshot_audio.report.differences import best, compare, pair_all, verdicts, with_families
from fewshot_audio.report.tables import against_baseline, difference
from fewshot_audio.report.tables import tests as table_of_tests
from fewshot_audio.types import Component


def sentence(made, pairs=PAIRS):
    selection = chosen(made)
    (verdict,) = verdicts(pair_all(selection, "v", pairs, partial=True), selection)
    return verdict


def test_the_answer_is_a_sentence_per_dataset_and_pair():
    assert sentence(records()) == (
        "us8k, log_learn against log_eps, averaged over n = 1, 10 (not every fold has every n): "
        "undecided for sb_cnn (+3.1, −116.0 to 122.2). "
        "Points of accuracy, 95 % t interval over 2 folds."
    )
    far, alike = [], []
    for fold in range(1, 9):
        level = 0.5 + 0.001 * (fold % 3)
        far.append(record(fold, 1, 1, "log_eps", level))
        far.append(record(fold, 1, 1, "log_learn", level + 0.2 + 0.002 * fold))
        alike.append(record(fold, 1, 1, "log_eps", 0.5))
        alike.append(record(fold, 1, 1, "log_learn", 0.5 + 0.0001 * (fold * fold % 7 - 2)))
    start = "us8k, log_learn against log_eps, at n = 1: better for sb_cnn (+20.9, "
    assert sentence(far).startswith(start)
    assert ": worse for sb_cnn (−20.9, " in sentence(far, [("log_eps", "log_learn")])
    assert ": as good for sb_cnn (" in sentence(alike)


def test_one_frontend_alone_has_no_verdict():
    selection = chosen(records()[::2])
    (verdict,) = verdicts(pair_all(chosen(records()), "v", PAIRS, True).head(0), selection)
    assert re.match("There are runs of log_eps only", verdict)


def several(shifts):
    """Records of frontends that lie so far from log-EPS, on eight folds."""
    made = []
    for fold in range(1, 9):
        for number, (frontend, shift) in enumerate({"log_eps": 0.0, **shifts}.items()):
            value = 0.4 + shift + 0.004 * (fold * (number + 2) % 5)
            made.append(record(fold, 1, 1, frontend, value))
    return made


def test_a_pair_is_marked_alike_in_every_table_the_figure_and_the_answer():
    made = several({"log_learn": 0.003, "one": 0.003, "two": 0.2, "three": 0.0})
    selection = with_families(chosen(made), {"difference": PAIRS})
    pairs = pair_all(selection, "p", list(selection.families), partial=True)
    drawn = compare(selection, pairs).set_index("first")["p_holm"]
    behind = table_of_tests(selection, "tests", "Tests", None).cells.set_index("first")["p_holm"]
    asked = [("one", "log_eps")]
    tables = [Component("report", "tests", "x.y", {"pairs": asked})]
    assert pairs_by_table(tables) == {}  # other tables' pairs: their families stay
    some = table_of_tests(selection, "tests", "Tests", asked).cells["p_holm"]
    assert some.item() == behind["one"] == drawn["one"]
    assert behind.to_dict() == drawn.to_dict()
    learned = difference(selection, "difference", "{pairs}", PAIRS)
    assert learned.cells["p"].item() == drawn["log_learn"]  # alone in its table: not adjusted
    assert learned.title == "log_learn − log_eps"
    others = against_baseline(selection, "baseline", "B").cells.set_index("first")
    assert sorted(others.index) == ["one", "three", "two"]
    assert others["p_holm"].to_dict() == drawn[others.index].to_dict()
    assert others["p_holm"].min() == pytest.approx(3 * others["p"].min())  # of three cells
    said = {text.split()[1]: "better" in text for text in verdicts(pairs, selection)}
    assert said == (drawn < 0.05).to_dict()


def test_where_lower_is_better_bold_and_words_follow():
    more = {"metrics": {"accuracy": 0.5}, "lower_is_better": ["ece"]}
    made = []
    for each in several({"log_learn": 0.2}):
        metrics = {"metrics": {"ece": each["metrics"]["accuracy"]}}
        made.append(each | more | metrics)
    lower = chosen(made, replace(SETTINGS, metric="ece"))
    assert set(best(lower)["frontend"]) == {"log_eps"}
    assert sentence(made).startswith("us8k, log_learn against log_eps, at n = 1: worse for sb_cnn ")
    caption = accuracies(made, replace(SETTINGS, metric="ece")).caption
    assert caption.startswith("Ece in %, lower is better: mean")
    higher = chosen([each | {"lower_is_better": []} for each in made])
    assert set(best(higher)["frontend"]) == {"log_learn"}
    text = claims(lower, "claims", "Claims", PAIRS[0], [1])
    assert "claims on log_eps − log_learn" in text.caption
    turned = claims(higher, "claims", "Claims", ("log_eps", "log_learn"), [1])
    assert text.cells["verdict"].tolist() == turned.cells["verdict"].tolist()
