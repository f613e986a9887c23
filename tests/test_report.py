"""Tables from a small hand-made store."""

import json
import math
from dataclasses import replace

import pytest

from fewshot_audio.report import render
from fewshot_audio.report.pairs import all_paired, best
from fewshot_audio.report.significance import significance
from fewshot_audio.report.tables import batch_norm, cost, drift
from fewshot_audio.report.verdict import verdicts
from fewshot_audio.report.write import texts, write
from fewshot_audio.types import ConfigError, NoRunsError
from synthetic_records import ASKED, PAIRS, PARTIAL, accuracies, differences, frame, line, store

HALF = math.sqrt(1 / 3) / 4  # sample deviation of two quarters and two halves: 0.1443
BEST = (
    "Bold: the best arm, where the paired t test on the same draws tells it from every other, after Holm over all comparisons of "
    "the table in a dataset (p < 0.05)."
)


def test_accuracy_is_the_mean_over_folds_of_the_means_over_runs():
    cells = accuracies(store()).cells
    row = cells[(cells["arm"] == "log_eps") & (cells["n_per_class"] == 1)].iloc[0]
    assert (row["mean"], row["count"], row["folds"]) == (0.375, 4, 2)
    assert row["spread"] == pytest.approx(HALF, rel=1e-15)
    uneven = [*store(), line(1, 1, 3, "log_eps", 1.0)]
    cells = accuracies(uneven, PARTIAL).cells
    row = cells[(cells["arm"] == "log_eps") & (cells["n_per_class"] == 1)].iloc[0]
    assert row["mean"] == pytest.approx(((0.25 + 0.5 + 1) / 3 + 0.375) / 2)


def test_accuracies_as_files():
    made = texts(accuracies(store()), ["a note"])
    assert made["tables/accuracy.md"] == (
        f"Accuracy in %: mean ± standard deviation over runs (number of runs). {BEST}\n"
        "\n"
        "| dataset   | model   | n = 1 log_eps   | n = 1 log_learn   | n = 10 log_eps   | n = 10 log_learn   |\n"
        "|:----------|:--------|:----------------|:------------------|:-----------------|:-------------------|\n"
        "| us8k      | sb_cnn  | 37.5 ± 14.4 (4) | 50.0 ± 20.4 (4)   | 75.0 (1)         | 50.0 (1)           |\n"
        "\n"
        "- a note\n"
    )
    assert made["tables/accuracy.tex"] == (
        f"% Accuracy in %: mean ± standard deviation over runs (number of runs). {BEST}\n"
        "\\begin{tabular}{llrrrr}\n"
        "\\toprule\n"
        " &  & \\multicolumn{2}{c}{n = 1} & \\multicolumn{2}{c}{n = 10} \\\\ \\cmidrule(lr){3-4} \\cmidrule(lr){5-6}\n"
        "dataset & model & log\\_eps & log\\_learn & log\\_eps & log\\_learn \\\\\n"
        "\\midrule\n"
        "us8k & sb\\_cnn & 37.5 $\\pm$ 14.4 (4) & 50.0 $\\pm$ 20.4 (4) & 75.0 (1) & 50.0 (1) \\\\\n"
        "\\bottomrule\n"
        "\\end{tabular}\n"
    )
    assert made["tables/accuracy.html"] == (
        '<table id="accuracy">\n<thead>\n'
        '<tr><th scope="col" rowspan="2">dataset</th><th scope="col" rowspan="2">model</th>'
        '<th scope="colgroup" colspan="2">n = 1</th><th scope="colgroup" colspan="2">n = 10</th></tr>\n'
        '<tr><th scope="col">log_eps</th><th scope="col">log_learn</th><th scope="col">log_eps</th>'
        '<th scope="col">log_learn</th></tr>\n'
        '</thead>\n<tbody>\n<tr><th scope="row">us8k</th><th scope="row">sb_cnn</th><td>37.5 ±\u00a014.4 (4)</td>'
        "<td>50.0 ±\u00a020.4 (4)</td><td>75.0 (1)</td><td>50.0 (1)</td></tr>\n</tbody>\n</table>\n"
    )
    # Both folds have the same mean: no interval.
    assert made["tables/accuracy.csv"] == (
        "dataset,model,arm,n_per_class,mean,spread,count,folds,unit,se,df,low,high\n"
        "us8k,sb_cnn,log_eps,1,0.375,0.14433756729740643,4,2,folds,,1.0,,\n"
        "us8k,sb_cnn,log_eps,10,0.75,,1,1,draws,,,,\n"
        "us8k,sb_cnn,log_learn,1,0.5,0.2041241452319315,4,2,folds,,1.0,,\n"
        "us8k,sb_cnn,log_learn,10,0.5,,1,1,draws,,,,\n"
    )
    assert made["tables/accuracy_by_fold.csv"] == (
        "dataset,model,arm,n_per_class,fold,mean,spread,count\n"
        "us8k,sb_cnn,log_eps,1,1,0.375,0.1767766952966369,2\n"
        "us8k,sb_cnn,log_eps,1,2,0.375,0.1767766952966369,2\n"
        "us8k,sb_cnn,log_eps,10,1,0.75,,1\n"
        "us8k,sb_cnn,log_learn,1,1,0.5,0.0,2\n"
        "us8k,sb_cnn,log_learn,1,2,0.5,0.3535533905932738,2\n"
        "us8k,sb_cnn,log_learn,10,1,0.5,,1\n"
    )


def test_an_interval_is_named_by_what_it_is_over():
    lines = [line(fold, 1, 1, "log_eps", value) for fold, value in ((1, 0.25), (2, 0.75))]
    table = accuracies(lines, spread="interval", side_by_side=False)
    assert table.caption.startswith(
        "Accuracy in %: mean [95 % t interval over 2 folds] (number of runs)."
    )
    assert "| us8k      | sb_cnn  | log_eps | 50.0 [−267.7, 367.7] (2) |" in render.markdown(
        table, []
    )  # 12.706 x 0.25
    one = [line(1, 1, repeat, "log_eps", value) for repeat, value in ((1, 0.25), (2, 0.75))]
    assert (
        "[95 % t interval over draws within one fold]" in accuracies(one, spread="interval").caption
    )
    draws = replace(ASKED, how=replace(ASKED.how, unit="draw", confidence=0.9))
    assert (
        "[90 % t interval over draws within the 2 folds as they are]"
        in accuracies(store()[:8], draws, "interval").caption
    )


def test_the_best_arm_is_bold_where_the_test_backs_it():
    lines = [
        line(fold, 1, 1, frontend, level + 0.01 * fold + 0.001 * (fold * shift % 3))
        for fold in range(1, 9)
        for shift, (frontend, level) in enumerate(
            {"leaf": 0.5, "log_eps": 0.3, "log_learn": 0.301}.items(), 1
        )
    ]
    table = accuracies(lines)
    assert table.marked.iloc[0].tolist() == [False, False, True, False, False]
    assert "**54." in render.markdown(table, [])
    assert r"\textbf{54." in render.latex(table)
    assert "<td><strong>54." in render.html(table, "a")
    near = [each for each in lines if each["identity"]["frontend"]["name"] != "leaf"]
    assert best(frame(near), ASKED.how).empty


def test_drift_is_told_number_by_number():
    report = {
        "frontend_diagnostics": {"summary": {"median drift, Hz": 12.5, "filters at a bound": 3}}
    }
    other = {
        "frontend_diagnostics": {"summary": {"median drift, Hz": 1234.5, "filters at a bound": 4}}
    }
    runs = frame(
        [*store(), line(1, 1, 1, "leaf", 0.5, **report), line(1, 1, 2, "leaf", 0.5, **other)]
    )
    table = drift(runs, "drift", "Drift", ASKED)
    assert render.markdown(table, []).splitlines()[4:] == [
        "| us8k      | sb_cnn  | leaf  | filters at a bound | 3.5 ± 0.707 (2) |",
        "| us8k      | sb_cnn  | leaf  | median drift, Hz   | 624 ± 864 (2)   |",
    ]
    with pytest.raises(NoRunsError, match="table drift"):
        drift(frame(store()), "drift", "Drift", ASKED)


def test_a_difference_pairs_run_with_run():
    table = differences(store())
    assert table.cells[["mean", "count"]].to_numpy().tolist() == [[0.125, 4], [-0.25, 1]]
    assert table.cells["spread"][0] == pytest.approx(HALF, rel=1e-15)  # of 0.25, 0, 0, 0.25
    assert (
        "| us8k      | sb_cnn  | log_learn - log_eps | +12.5 (4) | −25.0 (1) |"
        in render.markdown(table, [])
    )
    assert table.by_fold[["n_per_class", "fold", "mean", "count"]].to_numpy().tolist() == [
        [1, 1, 0.125, 2],
        [1, 2, 0.125, 2],
        [10, 1, -0.25, 1],
    ]
    over_draws = replace(ASKED, how=replace(ASKED.how, unit="draw"))
    cell = differences(store(), over_draws).cells.iloc[
        0
    ]  # each fold: 0.25 and 0, or 0 and 0.25; 2 degrees of freedom
    assert cell["high"] - cell["mean"] == pytest.approx(
        4.302652729911275 * math.sqrt(2 * 0.03125 / 2) / 2
    )


def test_what_tests_say_is_a_table():
    lines = [
        line(fold, 1, 1, arm, value)
        for fold in (1, 2, 3)
        for arm, value in (("log_eps", 0.25), ("log_learn", 0.25 + fold / 8))
    ]
    table = significance(frame(lines), "tests", "Tests", PAIRS, ASKED)
    assert table.text.iloc[0].tolist() == [
        *(
            "us8k",
            "sb_cnn",
            "log_learn - log_eps",
            "1",
            "+25.0 [−6.1, 56.1] (3)",
            "–",
            "0.074",
            "0.074",
            "0.250",
            "0.250",
            "0.250",
        ),
        *("not shown", "–"),
    ]
    assert "within ± 1.0 points" in table.caption


def test_what_runs_cost_is_a_table():
    lines = [
        line(1, 1, repeat, "log_eps", 0.5, parameters=42764, seconds={"train": repeat})
        for repeat in (1, 2345, 6000)
    ]
    table = cost(frame([*lines, line(1, 1, 1, "log_learn", 0.5)]), "cost", "Cost", ASKED)
    assert table.text.to_numpy().tolist() == [
        ["us8k", "sb_cnn", "log_eps", "42,764", "50.0 %, 2,340 s (3)"],
        ["us8k", "sb_cnn", "log_learn", "–", "50.0 %, 1.5 s (1)"],
    ]


def test_files_are_written_whole_and_stay_the_same(tmp_path):
    for lines in (store(), json.loads(json.dumps(list(reversed(store()))))):
        files = texts(accuracies(lines), ["a note"]) | texts(differences(lines), ["a note"])
        paths = write(files, tmp_path)
        assert sorted(paths) == sorted(tmp_path / name for name in files)
        contents = {path.relative_to(tmp_path).as_posix(): path.read_text() for path in paths}
        assert contents == files
    assert len(list(tmp_path.rglob("*"))) == len(files) + 1  # no drafts are left


def test_re_estimated_statistics_are_compared_run_by_run():
    lines = [
        line(1, 1, repeat, "log_eps", after, stored_bn={"accuracy": before})
        for repeat, (before, after) in enumerate([(0.25, 0.5), (0.5, 0.5), (0.5, 0.25)], 1)
    ]
    cells = batch_norm(frame(lines), "batch_norm", "Batch norm", ASKED).cells
    assert cells[["arm", "mean", "spread", "count"]].to_numpy().tolist() == [
        ["log_eps", 0, 0.25, 3]
    ]
    with pytest.raises(
        NoRunsError, match="table batch_norm: the store has no finished runs for it"
    ):
        batch_norm(frame(store()), "batch_norm", "Batch norm", ASKED)


def test_a_pair_with_an_arm_that_is_nowhere_is_left_out_and_named_where_there_is_no_other():
    with pytest.raises(
        NoRunsError, match="table difference: the store has no finished runs of log_fixed; scripts"
    ):
        differences(store(), pairs=[("log_fixed", "log_eps"), ("log_learn", "log_fixed")])
    assert set(differences(store(), pairs=[("log_fixed", "log_eps"), *PAIRS]).cells["arm"]) == {
        "log_learn - log_eps"
    }


def test_published_numbers_stand_beside_ours(tmp_path):
    published = tmp_path / "published.csv"
    published.write_text(
        "dataset,model,arm,n_per_class,percent\nus8k,sb_cnn,log_eps,1,40.5\nus8k,sb_cnn,leaf,1,50\n"
    )
    asked = replace(ASKED, published=published)
    table = accuracies(store(), asked)
    assert [head for head in table.text.columns if "published" in head[1]] == [
        ("n = 1", "log_eps published")
    ]
    assert table.text[("n = 1", "log_eps published")].tolist() == ["40.5 (−3.0)"]
    assert table.cells[["published", "deviation"]].iloc[0].tolist() == pytest.approx([0.405, -0.03])
    assert "published" not in differences(store(), asked).cells
    published.write_text("dataset,model,arm,n_per_class,percent\nus8k,sb_cnn,log_eps,1,many\n")
    with pytest.raises(ConfigError, match="line 2 is no number"):
        accuracies(store(), asked)
    published.write_text("dataset,model,n\n")
    with pytest.raises(ConfigError, match="no column arm, n_per_class, percent; expected dataset"):
        accuracies(store(), asked)
    with pytest.raises(ConfigError, match="none.csv: cannot be read"):
        accuracies(store(), replace(ASKED, published=tmp_path / "none.csv"))


def test_the_answer_is_a_sentence_per_dataset_and_pair():
    lines = store()
    assert verdicts(all_paired(frame(lines), "v", PAIRS, True), ASKED.how) == [
        "us8k, log_learn against log_eps, averaged over n = 1, 10 (not every fold has every n): undecided for sb_cnn "
        "(+3.1, −116.0 to 122.2). "
        "Points of accuracy, 95 % t interval over 2 folds."
    ]
    far = [
        line(fold, 1, 1, arm, 0.5 + 0.001 * (fold % 3) + (0.2 + 0.001 * fold) * (arm == better))
        for fold in range(1, 9)
        for arm, better in (("log_eps", "log_learn"), ("log_learn", "log_learn"))
    ]
    (sentence,) = verdicts(all_paired(frame(far), "v", PAIRS, True), ASKED.how)
    assert sentence.startswith(
        "us8k, log_learn against log_eps, at n = 1: better for sb_cnn (+20.4, "
    )
    worse = all_paired(frame(far), "v", [("log_eps", "log_learn")], True)
    assert ": worse for sb_cnn (−20.4, " in verdicts(worse, ASKED.how)[0]
    alike = [
        {**each, "accuracy": 0.5 + 0.0001 * (index * index % 7)} for index, each in enumerate(far)
    ]
    assert (
        ": as good for sb_cnn ("
        in verdicts(all_paired(frame(alike), "v", PAIRS, True), ASKED.how)[0]
    )
