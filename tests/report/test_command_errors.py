"""scripts/report.py on synthetic stores: what it says where it cannot."""

import re
from pathlib import Path

import pytest
from report_command import keep
from synthetic_records import failed, record, records

ROOT = Path(__file__).parents[2]
TABLES = ("accuracy", "claims", "cost", "difference", "frontends", "tests")
ERRORS = {
    "no folder": (None, "no runs/ there or in a folder of it; scripts/run.py makes them"),
    "no runs": ([], "no finished runs; scripts/run.py makes them"),
    "failed": ([failed()], r"no finished runs \(1 failed\)"),
    "not a share": (
        [record(1, 1, 1, "log_eps", 40.5)],
        r"x.jsonl:1: .*share of 1, got 40.5 - at `\$.metrics.acc",
    ),
}


@pytest.mark.parametrize("name", ["tables", pytest.param("report.html", marks=pytest.mark.slow)])
def test_what_cannot_be_written_costs_no_other_folder(report, tmp_path, name):
    """The error names it; the other folders are reported."""
    for folder in "ab":
        keep(tmp_path / folder, records())
    if name == "tables":
        (tmp_path / "a/tables").touch()  # a file
    else:
        (tmp_path / name).mkdir()
    done = report(tmp_path, "show=[tables,page]")
    assert done.returncode == 1
    line = next(line for line in done.stderr.splitlines() if "cannot be written" in line)
    assert line.startswith(f"error: {tmp_path / 'a' if name == 'tables' else tmp_path} cannot")
    assert str(tmp_path) + ("/a/tables" if name == "tables" else "") in line.partition("written")[2]
    assert (tmp_path / "b/tables/accuracy.csv").is_file()


@pytest.mark.parametrize("case", ERRORS)
def test_a_store_without_results_gives_one_message_and_no_file(report, tmp_path, case):
    kept, complaint = ERRORS[case]
    if kept is not None:
        keep(tmp_path, kept)
    done = report(tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert re.fullmatch(rf"error: .*{complaint}.*\n", done.stderr)
    assert [path.name for path in tmp_path.iterdir()] == ([] if kept is None else ["runs"])


def test_a_gap_is_an_error_with_its_command_unless_partial(report, tmp_path):
    keep(
        tmp_path,
        [
            each | {"command": "python scripts/run.py fold=1 results=gone"}
            for each in records()[:-1]
        ],
    )
    done = report(tmp_path, "show=[tables,page]")
    assert done.returncode == 1
    assert "<p>Not complete: accuracy: 1 run is m" in (tmp_path / "report.html").read_text()
    assert " fold=1 model=sb_cnn frontend=log_learn n_per_class=10 repeat=1\n" in done.stderr
    own = f"run.py results={tmp_path} fold=1 model=sb_cnn frontend=log_learn 'n_per_class=[10]'\n"
    assert own in done.stderr
    some = report(tmp_path, "show=[tables,page]", "partial=true")
    assert (some.returncode, some.stderr) == (0, "")
    assert "Not complete" not in (tmp_path / "report.html").read_text()
    assert "75.0 (1)" in some.stdout


def test_one_fold_and_one_repeat_do(report, tmp_path):
    keep(tmp_path, [record(1, 5, 1, frontend, 0.25) for frontend in ("log_eps", "log_learn")])
    done = report(tmp_path, "show=[tables]")
    assert (done.returncode, done.stderr) == (0, "")
    assert "0.0 (1)" in done.stdout


def test_published_numbers_that_fit_nothing_are_an_error(report, tmp_path):
    keep(tmp_path, records())
    header = "dataset,model,frontend,n_per_class,percent\n"
    (tmp_path / "p.csv").write_text(f"{header}us8k,sb_cnn,log-eps,1,40\n")
    done = report(tmp_path, f"published={tmp_path}/p.csv", "show=[tables]")
    assert done.returncode == 1
    first = "its first is dataset us8k, model sb_cnn, frontend log-eps, n_per_class 1"
    assert first in done.stderr


def test_a_table_that_cannot_be_made_costs_no_other(report, tmp_path):
    """Here one whose function raises ValueError: a number for each of two classes without names."""
    metrics = {"accuracy": 0.5, "own": [0.25, 0.75]}
    keep(tmp_path, [each | {"metrics": metrics} for each in records()])
    done = report(tmp_path, "show=[tables]", "partial=true")
    assert done.returncode == 1
    assert f"error: {tmp_path}: per_class: " in done.stderr
    assert (tmp_path / "tables/accuracy.csv").is_file()
    assert not (tmp_path / "tables/per_class.csv").exists()
    assert "per_class" not in (tmp_path / "tables/answers.md").read_text()  # no runs are missing
