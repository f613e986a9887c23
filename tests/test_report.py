"""Tables from a small hand-made store."""

import json
import math

import pytest

from fewshot_audio.report import render
from fewshot_audio.report.frame import frame
from fewshot_audio.report.tables import accuracy, batch_norm, difference, drift
from fewshot_audio.report.write import notes_on, provenance, write
from fewshot_audio.types import NothingToShow, StoreError

ACCURACIES = {  # (fold, n, repeat): log-EPS, log-learn
    (1, 1, 1): (0.25, 0.5),
    (1, 1, 2): (0.5, 0.5),
    (2, 1, 1): (0.25, 0.25),
    (2, 1, 2): (0.5, 0.75),
    (1, 10, 1): (0.75, 0.5),
}


def line(fold, n, repeat, frontend, accuracy, **more):
    identity = {"dataset": {"name": "us8k"}, "model": {"name": "sb_cnn"}, "frontend": {"name": frontend, "base": 10}}
    identity |= {"fold": fold, "n_per_class": n, "repeat": repeat, "seed": 0}
    fields = {"key": f"{frontend}{fold}{n}{repeat}", "status": "finished", "draw": f"{fold}{n}{repeat}", "commit": "c0ffee"}
    return {**fields, "identity": identity, "accuracy": accuracy, **more}


def store():
    return [
        line(*task, frontend, value)
        for task, values in ACCURACIES.items()
        for frontend, value in zip(("log_eps", "log_learn"), values, strict=True)
    ]


PAIRS = [("log_learn", "log_eps")]
HALF = math.sqrt(1 / 3) / 4  # sample deviation of two quarters and two halves: 0.1443


def test_accuracy_is_the_mean_over_folds_and_repeats():
    cells = accuracy(frame(store()), "accuracy", None, partial=False).cells
    row = cells[(cells["arm"] == "log_eps") & (cells["n_per_class"] == 1)].iloc[0]
    assert (row["mean"], row["count"]) == (0.375, 4)
    assert row["spread"] == pytest.approx(HALF, rel=1e-15)


def test_drift_is_told_number_by_number():
    report = {"frontend_report": {"summary": {"median drift, Hz": 12.5, "filters at a bound": 3}}}
    other = {"frontend_report": {"summary": {"median drift, Hz": 1234.5, "filters at a bound": 4}}}
    runs = frame([*store(), line(1, 1, 1, "leaf", 0.5, **report), line(1, 1, 2, "leaf", 0.5, **other)])
    table = drift(runs, "drift", partial=False)
    assert render.markdown(table, []).splitlines()[4:] == [
        "| us8k      | sb_cnn  | leaf: filters at a bound | 3.5 ± 0.707 (2) |",
        "| us8k      | sb_cnn  | leaf: median drift, Hz   | 624 ± 864 (2)   |",
    ]
    with pytest.raises(NothingToShow, match="table drift"):
        drift(frame(store()), "drift", partial=False)


def test_tables_as_text():
    table = accuracy(frame(store()), "accuracy", None, partial=False)
    assert render.markdown(table, ["a note"]) == (
        "Accuracy in %: mean ± standard deviation over folds and repeats (number of runs).\n"
        "\n"
        "| dataset   | model   | arm       | n = 1           | n = 10   |\n"
        "|:----------|:--------|:----------|:----------------|:---------|\n"
        "| us8k      | sb_cnn  | log_eps   | 37.5 ± 14.4 (4) | 75.0 (1) |\n"
        "| us8k      | sb_cnn  | log_learn | 50.0 ± 20.4 (4) | 50.0 (1) |\n"
        "\n"
        "- a note\n"
    )
    assert render.latex(table) == (
        "% Accuracy in %: mean ± standard deviation over folds and repeats (number of runs).\n"
        "\\begin{tabular}{lllrr}\n"
        "\\toprule\n"
        "dataset & model & arm & n = 1 & n = 10 \\\\\n"
        "\\midrule\n"
        "us8k & sb\\_cnn & log\\_eps & 37.5 $\\pm$ 14.4 (4) & 75.0 (1) \\\\\n"
        "us8k & sb\\_cnn & log\\_learn & 50.0 $\\pm$ 20.4 (4) & 50.0 (1) \\\\\n"
        "\\bottomrule\n"
        "\\end{tabular}\n"
    )
    assert render.csv(table.cells) == (
        "dataset,model,arm,n_per_class,mean,spread,count\n"
        "us8k,sb_cnn,log_eps,1,0.375,0.14433756729740643,4\n"
        "us8k,sb_cnn,log_eps,10,0.75,,1\n"
        "us8k,sb_cnn,log_learn,1,0.5,0.2041241452319315,4\n"
        "us8k,sb_cnn,log_learn,10,0.5,,1\n"
    )


def test_a_difference_pairs_run_with_run():
    table = difference(frame(store()), "difference", PAIRS, partial=False)
    assert table.cells[["mean", "count"]].to_numpy().tolist() == [[0.125, 4], [-0.25, 1]]
    assert table.cells["spread"][0] == pytest.approx(HALF, rel=1e-15)  # of 0.25, 0, 0, 0.25
    assert "| us8k      | sb_cnn  | log_learn - log_eps | +12.5 ± 14.4 (4) | -25.0 (1) |" in render.markdown(table, [])
    assert table.by_fold[["n_per_class", "fold", "mean", "count"]].to_numpy().tolist() == [
        [1, 1, 0.125, 2],
        [1, 2, 0.125, 2],
        [10, 1, -0.25, 1],
    ]


@pytest.mark.parametrize("lost", range(10))
def test_a_missing_run_is_an_error_or_leaves_its_pair_out(lost):
    lines = store()
    gone = lines.pop(lost)["identity"]
    name = f"dataset=us8k fold={gone['fold']} model=sb_cnn frontend={gone['frontend']['name']} n_per_class={gone['n_per_class']}"
    for make, setting in ((accuracy, None), (difference, PAIRS)):
        with pytest.raises(StoreError, match=f"1 runs are missing:\n  {name} repeat={gone['repeat']}\n.*partial=true"):
            make(frame(lines), "table", setting, partial=False)
    assert difference(frame(lines), "difference", PAIRS, partial=True).cells["count"].sum() == 4
    assert accuracy(frame(lines), "accuracy", None, partial=True).cells["count"].sum() == 9


def test_partners_on_other_clips_are_refused():
    lines = [*store()[2:], line(1, 1, 1, "log_eps", 0.25), line(1, 1, 1, "log_learn", 0.5, draw="other")]
    with pytest.raises(StoreError, match="partners saw different clips:\n  dataset=us8k fold=1 model=sb_cnn"):
        difference(frame(lines), "difference", PAIRS, partial=False)


def test_the_same_run_twice_counts_once_and_two_results_are_an_error():
    lines = store()
    assert len(frame([*lines, *lines])) == 10
    one, other = {**lines[3], "where": "a/runs/x.jsonl:4"}, {**lines[3], "accuracy": 0.1, "where": "b/runs/x.jsonl:1"}
    complaint = (
        r"run log_learn112 has two results: .*'accuracy': 0.5.* in a/runs/x.jsonl:4 and .*'accuracy': 0.1.* in b/runs/x.jsonl:1"
    )
    with pytest.raises(StoreError, match=complaint):
        frame([*lines[:3], one, *lines[4:], other])


def test_one_name_for_two_settings_is_an_error():
    other = line(3, 1, 1, "log_eps", 0.5)
    other["identity"]["frontend"]["base"] = "e"
    with pytest.raises(
        StoreError, match=r"us8k, sb_cnn, log_eps stands for different settings: frontend .*'base': 10.*'base': 'e'"
    ):
        frame([*store(), other])


def test_a_frontend_that_reads_waveforms_has_a_bank_of_its_own_and_others_share_theirs():
    lines = store()
    for each in lines:
        each["identity"]["bank"] = "mel"
    leaf = line(1, 1, 1, "leaf", 0.5)
    leaf["identity"] |= {"bank": "waveforms", "frontend": {"name": "leaf", "sample_rate": 44100}}
    assert set(frame([*lines, leaf])["reads"]) == {"mel", "waveform"}
    for each in lines[::2]:
        each["identity"]["bank"] = "another"
    with pytest.raises(StoreError, match="not trained alike for every frontend: bank"):
        frame([*lines, leaf])


def test_arms_that_were_trained_differently_are_refused():
    lines = store()
    for each in lines:
        each["identity"]["seed"] = int(each["identity"]["frontend"]["name"] == "log_learn")
    with pytest.raises(StoreError, match="us8k, sb_cnn was not trained alike for every frontend: seed 0 and 1; give each"):
        frame(lines)


def test_failed_runs_do_not_count_and_an_empty_store_says_so():
    failed = {"key": "x", "status": "failed", "identity": store()[0]["identity"], "error": "e"}
    assert len(frame([*store(), failed])) == 10
    for make, setting in ((accuracy, None), (difference, PAIRS)):
        with pytest.raises(
            StoreError, match=r"table t: the store has no finished runs (for it|of log_eps, log_learn); scripts/run.py makes them"
        ):
            make(frame([failed]), "t", setting, partial=False)


def test_notes_tell_of_parts_changes_and_clips_without_a_score():
    lines = store()
    lines[0] |= {"notes": ["only fold 1"], "nan_clips": 3, "dirty": True}
    runs = frame(lines)
    assert notes_on(lines, runs) == ["only fold 1", "3 clips in 1 runs had no finite score and count as wrong"]
    assert "done at commit c0ffee (9), c0ffee with changes (1)" in provenance([], runs, [], "command")


def test_files_say_what_they_were_made_from_and_stay_the_same(tmp_path):
    runs = frame(store())
    tables = [accuracy(runs, "accuracy", None, partial=False), difference(runs, "difference", PAIRS, partial=False)]
    paths = write(tables, runs, ["a note"], "python scripts/report.py", tmp_path)
    first = [path.read_bytes() for path in paths]
    readme = (tmp_path / "README.md").read_text()
    assert "10 finished runs in `runs/`, done at commit c0ffee (10)." in readme
    assert "Tables (accuracy, difference) by `python scripts/report.py`." in readme
    assert readme.endswith("- a note\n")
    shuffled = frame(json.loads(json.dumps(list(reversed(store())))))
    again = [accuracy(shuffled, "accuracy", None, partial=False), difference(shuffled, "difference", PAIRS, partial=False)]
    write(again, shuffled, ["a note"], "python scripts/report.py", tmp_path)
    assert [path.read_bytes() for path in paths] == first


def test_re_estimated_statistics_are_compared_run_by_run():
    lines = [
        line(1, 1, repeat, "log_eps", after, stored_bn={"accuracy": before})
        for repeat, (before, after) in enumerate([(0.25, 0.5), (0.5, 0.5), (0.5, 0.25)], 1)
    ]
    cells = batch_norm(frame(lines), "batch_norm", partial=False).cells
    assert cells[["arm", "mean", "spread", "count"]].to_numpy().tolist() == [["log_eps", 0, 0.25, 3]]
    with pytest.raises(NothingToShow, match="table batch_norm: the store has no finished runs for it"):
        batch_norm(frame(store()), "batch_norm", partial=False)


def test_a_pair_with_an_arm_that_is_nowhere_says_so():
    with pytest.raises(NothingToShow, match="table controls: the store has no finished runs of log_fixed"):
        difference(frame(store()), "controls", [("log_fixed", "log_eps"), ("log_learn", "log_fixed")], partial=False)
    with pytest.raises(StoreError, match="log_fixed - log_eps: 5 runs are missing"):
        difference(frame(store()), "some", [("log_fixed", "log_eps"), *PAIRS], partial=False)
