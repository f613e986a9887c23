"""scripts/report.py on hand-made stores: what it writes, and what it says where it cannot."""

import json
import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hydra.core.global_hydra import GlobalHydra

from synthetic_records import line, store

ROOT = Path(__file__).parents[1]
TABLES = ("accuracy", "arms", "claims", "cost", "difference", "tests")


def keep(folder: Path, lines, name: str = "x") -> Path:
    """Write lines as a results folder's store; the file."""
    (folder / "runs").mkdir(parents=True, exist_ok=True)
    file = folder / f"runs/{name}.jsonl"
    file.write_text("".join(json.dumps(each) + "\n" for each in lines))
    return file


@pytest.fixture
def report(monkeypatch, capsys):
    """The command within this process, which saves its start: output, errors and exit code."""

    def run(results: Path, *words: str) -> subprocess.CompletedProcess:
        monkeypatch.setattr(sys, "argv", ["scripts/report.py", f"results={results}", *words])
        GlobalHydra.instance().clear()
        with pytest.raises(SystemExit) as ended:
            runpy.run_path(str(ROOT / "scripts/report.py"), run_name="__main__")
        return subprocess.CompletedProcess(sys.argv, ended.value.code, *capsys.readouterr())

    return run


def test_it_writes_tables_figures_a_readme_and_a_page_and_the_same_again(report, tmp_path):
    keep(tmp_path, store())
    done = report(tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    written = {
        path.relative_to(tmp_path).as_posix(): path.read_bytes() for path in tmp_path.rglob("*.*")
    }
    tables = {f"tables/{name}.{kind}" for name in TABLES for kind in ("csv", "md", "tex", "html")}
    figures = {
        f"figures/{name}.{kind}"
        for name in ("accuracy_us8k", "forest_us8k", "completeness")
        for kind in ("png", "pdf", "csv")
    }
    by_fold = {f"tables/{name}_by_fold.csv" for name in ("accuracy", "arms", "difference")}
    assert set(written) == tables | figures | by_fold | {"runs/x.jsonl", "README.md", "report.html"}
    assert "| us8k      | sb_cnn  | log_learn - log_eps | +12.5 (4) | −25.0 (1) |" in done.stdout
    assert b"undecided for sb_cnn" in written["report.html"]
    assert report(tmp_path).stdout == done.stdout
    assert written == {
        path.relative_to(tmp_path).as_posix(): path.read_bytes() for path in tmp_path.rglob("*.*")
    }


def test_one_table_alone_with_settings_of_its_own(report, tmp_path):
    keep(tmp_path, store())
    done = report(
        tmp_path, "+report=difference", "report.pairs=[[log_eps,log_learn]]", "statistics=draws"
    )
    assert "over draws within the folds as they are" in done.stdout
    assert "log_eps - log_learn | −12.5 [" in done.stdout
    assert {path.name for path in tmp_path.iterdir()} == {"runs", "tables"}
    missing = report(tmp_path, "+report=difference", "report.pairs=[[log_learn,leaf]]")
    assert (missing.returncode, missing.stdout) == (
        1,
        f"\n{tmp_path}: 0 files in tables/ and figures/\n",
    )
    assert (
        "error: table difference: the store has no finished runs of leaf; scripts/run.py makes them"
        in missing.stderr
    )


def test_folders_are_read_together_and_a_conflict_names_both_lines(report, tmp_path):
    lines = store()
    keep(tmp_path / "one", lines[:4])
    file = keep(tmp_path / "other", lines[2:])
    both = report(tmp_path / "all", f"also=[{tmp_path}/one,{tmp_path}/other]", "show=[tables]")
    keep(tmp_path / "whole", lines)
    whole = report(tmp_path / "whole", "show=[tables]")
    assert both.stdout.replace("/all:", "/whole:") == whole.stdout
    lines[2]["accuracy"] = 0.125
    keep(tmp_path / "other", lines[2:])
    torn = report(tmp_path / "all", f"also=[{tmp_path}/one,{tmp_path}/other]", "show=[tables]")
    assert torn.returncode == 1
    assert re.search(
        rf"has two results: .* in {tmp_path}/one/runs/x.jsonl:3 and .* in {file}:1; remove one",
        torn.stderr,
    )
    assert (
        f"also: no runs/ in {tmp_path}/nowhere"
        in report(tmp_path / "all", f"also=[{tmp_path}/nowhere]").stderr
    )


def test_results_folders_below_are_sections_of_one_page(report, tmp_path):
    for name in ("first", "second", "empty"):
        keep(tmp_path / name, store() if name != "empty" else [])
    done = report(tmp_path, "show=[tables,page]")
    assert done.returncode == 0
    assert f"error: {tmp_path}/empty: no finished runs; scripts/run.py makes them" in done.stderr
    page = (tmp_path / "report.html").read_text()
    assert re.findall(r"<h2[^>]*>\s*(first|second|empty)", page) == ["first", "second"]
    assert not (tmp_path / "first" / "report.html").exists()


def test_a_folder_that_contradicts_itself_does_not_hide_the_others(report, tmp_path):
    lines = store()
    changed = {
        **lines[0],
        "key": "other",
        "identity": {**lines[0]["identity"], "method": {"max_epochs": 3, "name": "supervised"}},
    }
    keep(tmp_path / "first", [*lines, changed])
    keep(tmp_path / "second", lines)
    done = report(tmp_path, "show=[tables]")
    assert done.returncode == 1
    assert re.search(
        rf"error: {tmp_path}/first: .*method.max_epochs .* and .*; give each its own results folder",
        done.stderr,
    )
    assert (tmp_path / "second/tables/accuracy.csv").exists()
    assert not (tmp_path / "first/tables").exists()


def test_somebody_s_readme_is_left_as_it_is(report, tmp_path):
    keep(tmp_path, store())
    (tmp_path / "README.md").write_text("# My own notes\n")
    done = report(tmp_path, "show=[tables]")
    assert done.returncode == 0
    assert f"{tmp_path}/README.md: not made by this script, left as it is" in done.stderr
    assert (tmp_path / "README.md").read_text() == "# My own notes\n"


@pytest.mark.parametrize(
    ("lines", "complaint"),
    [
        (None, "no runs/ there or in a folder of it; scripts/run.py makes them"),
        ([], "no finished runs; scripts/run.py makes them"),
        ([{**store()[0], "status": "failed", "error": "e"}], r"no finished runs \(1 failed\)"),
        (
            [{**store()[0], "accuracy": float("nan")}],
            r"x.jsonl:1: not a result .*; remove this line, its run will be done anew",
        ),
        ([{**store()[0], "accuracy": None}], "x.jsonl:1: not a result"),
        (
            [{**store()[0], "accuracy": 40.5}],
            "x.jsonl:1: not a result .*accuracy 40.5, expected a share of 1",
        ),
    ],
)
def test_a_store_that_tells_nothing_gives_one_message_and_no_file(
    report, tmp_path, lines, complaint
):
    if lines is not None:
        keep(tmp_path, lines)
    done = report(tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert re.fullmatch(rf"error: .*{complaint}.*\n", done.stderr)
    assert [path.name for path in tmp_path.iterdir()] == ([] if lines is None else ["runs"])


def test_a_gap_is_told_with_its_command_unless_partial(report, tmp_path):
    keep(tmp_path, [{**each, "command": "python scripts/run.py fold=1"} for each in store()[:-1]])
    done = report(tmp_path, "show=[tables]")
    assert done.returncode == 1
    assert (
        "  dataset=us8k fold=1 model=sb_cnn frontend=log_learn n_per_class=10 repeat=1 key="
        in done.stderr
    )
    assert (
        "\n  python scripts/run.py fold=1 model=sb_cnn frontend=log_learn 'n_per_class=[10]'\n"
        in done.stderr
    )
    some = report(tmp_path, "show=[tables]", "partial=true")
    assert (some.returncode, some.stderr) == (0, "")
    assert "75.0 (1)" in some.stdout


@pytest.mark.parametrize("repeats", [[1], [1, 2]])
def test_one_fold_and_one_repeat_do(report, tmp_path, repeats):
    lines = [
        line(1, 5, repeat, arm, 0.25 * repeat)
        for repeat in repeats
        for arm in ("log_eps", "log_learn")
    ]
    keep(tmp_path, lines)
    done = report(tmp_path, "show=[tables]")
    assert (done.returncode, done.stderr) == (0, "")
    assert "0.0 (" in done.stdout
    assert "over draws within one fold" in done.stdout


def test_published_numbers_that_fit_nothing_are_an_error(report, tmp_path):
    keep(tmp_path, store())
    (tmp_path / "p.csv").write_text(
        "dataset,model,arm,n_per_class,percent\nus8k,sb_cnn,log-eps,1,40\n"
    )
    done = report(tmp_path, f"published={tmp_path}/p.csv", "show=[tables]")
    assert done.returncode == 1
    assert (
        "none of its rows is a cell of the tables; its first is dataset us8k, model sb_cnn, arm log-eps, n_per_class 1"
        in done.stderr
    )


def test_the_committed_results_are_what_their_runs_say(report, tmp_path):
    """Tables in results/ are those of the runs beside them."""
    for folder in sorted(path.parent for path in (ROOT / "results").glob("*/runs")):
        shutil.copytree(folder / "runs", tmp_path / folder.name / "runs")
    done = report(tmp_path, "show=[tables]")
    assert done.returncode == 0, done.stderr
    for folder in (ROOT / "results").glob("*/runs"):
        name = folder.parent.name
        for file in sorted((folder.parent / "tables").iterdir()):
            assert (tmp_path / name / "tables" / file.name).read_bytes() == file.read_bytes(), file
