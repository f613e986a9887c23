"""Tables from a small synthetic store."""

import json
import math
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from synthetic_records import (
    PAIRS,
    PARTIAL,
    SETTINGS,
    accuracies,
    chosen,
    differences,
    record,
    records,
)

from fewshot_audio.report.differences import with_pairs
from fewshot_audio.report.evidence import tests as table_of_tests
from fewshot_audio.report.export import csv, fixed, html, latex, markdown, table_files, write
from fewshot_audio.report.tables import against_baseline, batch_norm, cost, drift, parameters
from fewshot_audio.types import ConfigError, NoRunsError

HALF = math.sqrt(1 / 3) / 4  # sample deviation of two quarters and two halves: 0.1443
CAPTION = "Accuracy in %: mean ± standard deviation over runs (number of runs)."
MARKDOWN = f"""{CAPTION}

| dataset      | model   | n = 1 log-EPS   | n = 1 log-learn   | n = 10 log-EPS   | n = 10 log-learn   |
|:-------------|:--------|:----------------|:------------------|:-----------------|:-------------------|
| UrbanSound8K | SB-CNN  | 37.5 ± 14.4 (4) | 50.0 ± 20.4 (4)   | 75.0 (1)         | 50.0 (1)           |

- a note
"""
IN_LATEX = CAPTION.replace("%", r"\%").replace("±", r"$\pm$").replace("<", "$<$")
LATEX = f"""% \\usepackage{{booktabs}}
\\begin{{table}}
\\centering
\\caption{{{IN_LATEX}}}
\\label{{tab:mine:accuracy}}
\\begin{{tabular}}{{llrrrr}}
\\toprule
\\multicolumn{{2}}{{c}}{{}} & \\multicolumn{{2}}{{c}}{{n = 1}} & \\multicolumn{{2}}{{c}}{{n = 10}} \\\\
dataset & model & log-EPS & log-learn & log-EPS & log-learn \\\\
\\midrule
UrbanSound8K & SB-CNN & 37.5 $\\pm$ 14.4 (4) & 50.0 $\\pm$ 20.4 (4) & 75.0 (1) & 50.0 (1) \\\\
\\bottomrule
\\end{{tabular}}
\\end{{table}}
"""
CSV = """dataset,model,frontend,n_per_class,mean,spread,count,folds,unit,se,df,low,high,repeats,\
variance_folds,variance_splits
us8k,sb_cnn,log_eps,1,0.375,0.14433756729740643,4,2,splits,0.08838834764831845,2.0,\
0.10588719837429338,0.7524657146901504,2.0,0.0,0.015625
us8k,sb_cnn,log_eps,10,0.75,,1,1,splits,,,,,1.0,,
us8k,sb_cnn,log_learn,1,0.5,0.2041241452319315,4,2,splits,0.125,1.0,0.0017383094992046075,\
0.9982616905007955,2.0,0.0,0.03125
us8k,sb_cnn,log_learn,10,0.5,,1,1,splits,,,,,1.0,,
"""


def test_accuracy_is_the_mean_over_folds_of_the_means_over_runs():
    cells = accuracies(records()).cells.set_index(["frontend", "n_per_class"])
    row = cells.loc["log_eps", 1]
    assert (row["mean"], row["count"], row["folds"]) == (0.375, 4, 2)
    assert row["spread"] == pytest.approx(HALF, rel=1e-15)
    uneven = [*records(), record(1, 1, 3, "log_eps", 1.0)]
    cells = accuracies(uneven, PARTIAL).cells.set_index(["frontend", "n_per_class"])
    mean = ((0.25 + 0.5 + 1) / 3 + 0.375) / 2
    assert cells.loc[("log_eps", 1), "mean"] == pytest.approx(mean)


def test_accuracies_as_files():
    files = table_files(accuracies(records()), ["a note"], "mine")
    assert files["tables/accuracy.md"] == MARKDOWN
    assert files["tables/accuracy.tex"] == LATEX
    assert files["tables/accuracy.csv"] == CSV


def test_accuracies_on_the_page():
    table = ElementTree.fromstring(html(accuracies(records()), "accuracy"))
    rows = [[(cell.tag, cell.text, cell.attrib) for cell in row] for row in table.iter("tr")]
    hidden, column, group = {"hidden": ""}, {"scope": "col"}, {"scope": "colgroup", "colspan": "2"}
    names = ("dataset", "model", *["log-EPS", "log-learn"] * 2)
    texts = ("37.5 ±\u00a014.4 (4)", "50.0 ±\u00a020.4 (4)", "75.0 (1)", "50.0 (1)")
    assert rows == [
        [("td", None, {"colspan": "1"}), ("th", "n = 1", group), ("th", "n = 10", group)],
        [("th", names[0], column | hidden), *[("th", name, column) for name in names[1:]]],
        [("th", "UrbanSound8K", {"scope": "row"} | hidden), ("th", "SB-CNN", {"scope": "row"})]
        + [("td", text, {}) for text in texts],
    ]
    assert fixed(accuracies(records())) == " All rows: dataset UrbanSound8K."  # so it is hidden
    assert [part.tag for part in table] == ["thead", "tbody"]


def test_a_mean_over_n_has_no_n_in_files():
    cells = pd.DataFrame({"n_per_class": [1, np.inf, np.nan], "mean": [0.5, 0.25, 0.375]})
    assert csv(cells) == "n_per_class,mean\n1,0.5\nall,0.25\n,0.375\n"


def test_signs_and_names_are_escaped():
    made = [each | {"key": each["key"] + "x"} for each in records()]
    for each in made:
        each["identity"]["model"]["name"] = "a&b<c>_{d}"
    table = accuracies(made)
    assert "a&amp;b&lt;c&gt;_{d}" in html(table, "x")
    assert r"a\&b$<$c$>$\_\{d\}" in latex(table)


def test_an_interval_is_named_by_what_it_is_over():
    values = {1: 0.25, 2: 0.75, 3: 0.25, 4: 0.75}
    made = [record(fold, 1, 1, "log_eps", value) for fold, value in values.items()]
    table = accuracies(made, spread="interval", side_by_side=False)
    start = "Accuracy in %: mean [95 % t interval over 4 folds] (number of runs)."
    assert table.caption.startswith(start)
    row = "| UrbanSound8K | SB-CNN  | log-EPS    | 50.0 [13.7, 86.3] (4) |"
    assert row in markdown(table, [])  # 3.182 x 0.2887 / 2 / 0.25 on the logit scale
    one = [record(1, 1, repeat, "log_eps", value) for repeat, value in ((1, 0.25), (2, 0.75))]
    table = accuracies(one, spread="interval")
    assert "[95 % t interval over few-shot splits within this one fold]" in table.caption
    assert "50.0 [0.0, 100.0] (2)" in markdown(table, [])  # 12.706 x 0.25 / 0.25 there
    splits = replace(SETTINGS, how=replace(SETTINGS.how, unit="split", confidence=0.9))
    caption = accuracies(records()[:8], splits, "interval").caption
    assert "[90 % t interval over few-shot splits within these 2 folds]" in caption
    few = [each | {"identity": each["identity"] | {"n_per_class": 5}} for each in made[:3]]
    few = [each | {"key": f"{each['key']}n"} for each in few]
    caption = accuracies([*made, *few], PARTIAL, "interval").caption
    assert "over folds, or over few-shot splits where there are fewer than 4 folds" in caption


def test_a_gain_over_the_baseline_is_bold():
    made = []
    levels = {"leaf": 0.5, "log_eps": 0.3, "log_learn": 0.301}
    for fold in range(1, 9):
        for shift, (frontend, level) in enumerate(levels.items(), 1):
            value = level + 0.01 * fold + 0.001 * (fold * shift % 3)
            made.append(record(fold, 1, 1, frontend, value))
    table = accuracies(made)
    assert table.caption.endswith(" Bold: a gain over log_eps, as in its differences.")
    assert table.bold.iloc[0].tolist() == [False, False, True, False, False]
    assert "**54." in markdown(table, [])
    assert r"\textbf{54." in latex(table)
    assert "<td><strong>54." in html(table, "x")


def test_drift_is_shown_number_by_number():
    made = records()
    for repeat, (hertz, filters) in enumerate([(12.5, 3), (1234.5, 4)], 1):
        summary = json.dumps({"median drift, Hz": hertz, "filters at a bound": filters})
        diagnostics = {"frontend_diagnostics": {"summary": json.loads(summary)}}
        made.append(record(1, 1, repeat, "leaf", 0.5, **diagnostics))
    assert markdown(drift(chosen(made), "drift", "Drift"), []).splitlines()[4:] == [
        "| UrbanSound8K | SB-CNN  | LEAF       | filters at a bound | 3.5 ± 0.707 (2) |",
        "| UrbanSound8K | SB-CNN  | LEAF       | median drift, Hz   | 624 ± 864 (2)   |",
    ]
    with pytest.raises(NoRunsError, match="table drift"):
        drift(chosen(records()), "drift", "Drift")


def test_a_difference_pairs_run_with_run():
    table = differences(records())
    assert table.cells[["mean", "count"]].to_numpy().tolist() == [[0.125, 4], [-0.25, 1]]
    assert table.cells["spread"][0] == pytest.approx(HALF, rel=1e-15)  # of 0.25, 0, 0, 0.25
    row = "| UrbanSound8K | SB-CNN  | log-learn − log-EPS | +12.5 [−25.5, 50.5] (4) | −25.0 (1) |"
    assert row in markdown(table, [])
    over_splits = replace(SETTINGS, how=replace(SETTINGS.how, unit="split"))
    cell = differences(records(), over_splits).cells.iloc[0]
    half = 4.302652729911275 * math.sqrt(2 * 0.03125 / 2) / 2  # 2 degrees of freedom
    assert cell["high"] - cell["mean"] == pytest.approx(half)


def test_an_unknown_frontend_is_compared_with_the_baseline():
    made = [*records(), record(1, 1, 1, "mine", 0.75), record(1, 1, 2, "mine", 0.5)]
    selection = with_pairs(chosen(made, PARTIAL), {"difference": PAIRS})
    table = against_baseline(selection, "baseline", "Baseline")
    assert table.text["difference"].tolist() == ["mine − log_eps"]
    assert table.cells["mean"].tolist() == [0.25]
    assert set(differences(made, PARTIAL, None).cells["first"]) == {"log_learn", "mine"}
    strange = replace(PARTIAL, baseline="mine")
    assert set(differences(made, strange, None).cells["second"]) == {"mine"}
    alone = [each for each in made if each["identity"]["frontend"]["name"] == "mine"]
    with pytest.raises(NoRunsError, match="no finished runs of two frontends to compare"):
        differences(alone, pairs=None)


def test_what_differences_rest_on_is_a_table():
    made = []
    for fold in (1, 2, 3, 4):
        made.append(record(fold, 1, 1, "log_eps", 0.25))
        made.append(record(fold, 1, 1, "log_learn", 0.25 + fold / 8))
    table = table_of_tests(chosen(made), "tests", "Tests", PAIRS)
    names = ["us8k", "sb_cnn", "log_learn − log_eps", "1"]
    numbers = ["+31.2 [5.6, 56.9] (4)", "gain", "[5.6, 56.9]", "0.030", "0.125", "0.125"]
    assert table.text.iloc[0].tolist() == [*names, *numbers, "–", "1,000+ (233)", "–"]
    assert "to show a difference of 1.0 (3.0) points in 80 of 100 studies" in table.caption
    table = table_of_tests(chosen(made[:4]), "tests", "Tests", PAIRS)
    assert table.text["any folds"].tolist() == ["too few folds"]


def test_what_runs_cost_is_a_table():
    made = [record(1, 1, 1, "log_learn", 0.5)]
    for repeat in (1, 2345, 6000):
        more = {"parameters": 42764, "seconds": {"train": float(repeat)}}
        made.append(record(1, 1, repeat, "log_eps", 0.5, **more))
    assert cost(chosen(made), "cost", "Cost").text.to_numpy().tolist() == [
        ["us8k", "sb_cnn", "log_eps", "42,764", "50.0 %, 2,340 s (3)"],
        ["us8k", "sb_cnn", "log_learn", "–", "50.0 %, 1.5 s (1)"],
    ]


def test_parameters_and_the_share_of_the_frontend():
    made = [record(1, 1, 1, "log_eps", 0.5, parameters=4_019_782, frontend_parameters=0)]
    made.append(record(1, 1, 1, "leaf", 0.5, parameters=4_020_062, frontend_parameters=280))
    table = parameters(chosen([*made, record(1, 1, 1, "old", 0.5, parameters=3)]), "p", "P")
    assert table.text.to_numpy().tolist() == [
        ["us8k", "sb_cnn", "leaf", "4,020,062", "280", "0.00697 %"],
        ["us8k", "sb_cnn", "log_eps", "4,019,782", "0", "0 %"],
    ]


def test_older_records_have_no_table_of_parameters():
    with pytest.raises(NoRunsError, match="table p: there are no finished runs for it"):
        parameters(chosen([record(1, 1, 1, "log_eps", 0.5, parameters=3)]), "p", "P")


def test_files_are_written_whole_and_stay_the_same(tmp_path):
    for made in (records(), list(reversed(records()))):
        files = table_files(accuracies(made), ["a"]) | table_files(differences(made), ["a"])
        paths = write(files, tmp_path)
        assert sorted(paths) == sorted(tmp_path / name for name in files)
        contents = {path.relative_to(tmp_path).as_posix(): path.read_text() for path in paths}
        assert contents == files
    assert len(list(tmp_path.rglob("*"))) == len(files) + 1  # no drafts are left


def test_re_estimated_statistics_are_compared_run_by_run():
    made = []
    for repeat, (before, after) in enumerate([(0.25, 0.5), (0.5, 0.5), (0.5, 0.25)], 1):
        stored = {"metrics_stored_batch_norm": {"accuracy": before}}
        made.append(record(1, 1, repeat, "log_eps", after, **stored))
    cells = batch_norm(chosen(made), "batch_norm", "Batch norm").cells
    assert cells[["mean", "spread", "count"]].to_numpy().tolist() == [[0, 0.25, 3]]
    with pytest.raises(NoRunsError, match="table batch_norm: there are no finished runs for it"):
        batch_norm(chosen(records()), "batch_norm", "Batch norm")


def test_a_pair_without_runs_is_left_out():
    """It is named where there is no other."""
    with pytest.raises(NoRunsError, match="there are no finished runs of log_fixed; scripts/run"):
        differences(records(), pairs=[("log_fixed", "log_eps"), ("log_learn", "log_fixed")])
    cells = differences(records(), pairs=[("log_fixed", "log_eps"), *PAIRS]).cells
    assert set(cells["first"]) == {"log_learn"}


def test_published_numbers_of_all_clips_stand_beside_ours(tmp_path):
    published = tmp_path / "published.csv"
    published.write_text(
        "dataset,model,frontend,n_per_class,percent\nus8k,sb_cnn,log_eps,all,40\n"
        "us8k,sb_cnn,log_eps,1,30\n"
    )
    made = [record(1, n, 1, "log_eps", 0.5) for n in (1, None)]
    cells = accuracies(made, replace(SETTINGS, published=published)).cells
    assert cells.set_index("n_per_class")["published"].to_dict() == {1: 0.3, np.inf: 0.4}


def test_published_numbers_stand_beside_ours(tmp_path):
    published = tmp_path / "published.csv"
    published.write_text(
        "dataset,model,frontend,minus,n_per_class,percent\n"
        "us8k,sb_cnn,log_eps,,1,40.5\nus8k,sb_cnn,log_learn,log_eps,1,2.5\n"
    )
    settings = replace(SETTINGS, published=published)
    table = accuracies(records(), settings)
    assert table.text[("n = 1", "log_eps published")].tolist() == ["40.5 (−3.0)"]
    assert table.cells[["published", "deviation"]].iloc[0].tolist() == pytest.approx([0.405, -0.03])
    table = differences(records(), settings)
    assert table.text["difference"].tolist()[-1] == "log_learn − log_eps published"
    assert table.text["n = 1"].tolist()[-1] == "2.5 (+10.0)"
    published.write_text("dataset,model,frontend,n_per_class,percent\nus8k,sb_cnn,log_eps,1,no\n")
    with pytest.raises(ConfigError, match="line 2 has no number"):
        accuracies(records(), settings)
    published.write_text("dataset,model,n\n")
    with pytest.raises(ConfigError, match="no column frontend, n_per_class, percent; expected"):
        accuracies(records(), settings)
    with pytest.raises(ConfigError, match=r"none.csv: cannot be read"):
        accuracies(records(), replace(SETTINGS, published=tmp_path / "none.csv"))
