"""scripts/report.py on synthetic stores: what it writes, and what it says where it cannot."""

import json
import re
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hydra.core.global_hydra import GlobalHydra
from synthetic_checkpoints import CLIPS, keep_checkpoint
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


def keep(folder, kept, name="x"):
    """Write records as a results folder's store, and return the file."""
    (folder / "runs").mkdir(parents=True, exist_ok=True)
    file = folder / f"runs/{name}.jsonl"
    file.write_text("".join(json.dumps(each) + "\n" for each in kept))
    return file


def files_in(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.*")}


@pytest.fixture
def report(monkeypatch, capsys):
    """The command within this process, which saves its start: output, errors and exit code."""

    def run(results, *words):
        monkeypatch.setattr(sys, "argv", ["scripts/report.py", f"results={results}", *words])
        GlobalHydra.instance().clear()
        with pytest.raises(SystemExit) as ended:
            runpy.run_path(str(ROOT / "scripts/report.py"), run_name="__main__")
        return subprocess.CompletedProcess(sys.argv, ended.value.code, *capsys.readouterr())

    return run


def test_everything_is_written_and_the_same_again(report, tmp_path):
    keep(tmp_path, records())
    done = report(tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    written = files_in(tmp_path)
    tables = {f"tables/{name}.{kind}" for name in TABLES for kind in ("csv", "md", "tex")}
    tables |= {f"tables/{name}_by_fold.csv" for name in ("accuracy", "difference", "frontends")}
    names = ("accuracy", "forest", "heat")
    figures = {f"figures/{name}.{kind}" for name in names for kind in ("png", "pdf")}
    others = {"runs/x.jsonl", "README.md", "report.html", "tables/answers.md"}
    assert set(written) == tables | figures | others
    assert "| UrbanSound8K | SB-CNN  | log-learn − log-EPS | +12.5 [" in done.stdout
    assert b"for SB-CNN: cannot tell yet" in written["report.html"]
    assert report(tmp_path).stdout == done.stdout
    assert written == files_in(tmp_path)


@pytest.mark.slow
def test_files_are_written_though_nobody_reads_the_tables(tmp_path):
    keep(tmp_path, records())
    script = f"{sys.executable} scripts/report.py results={tmp_path} show=[tables] | true"
    done = subprocess.run(script, shell=True, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "tables/tests.csv").exists()


def test_one_table_alone_with_settings_of_its_own(report, tmp_path):
    keep(tmp_path, records())
    pairs = "report.pairs=[[log_eps,log_learn]]"
    done = report(tmp_path, "+report=difference", pairs, "statistics=splits")
    assert "over few-shot splits within" in done.stdout
    assert "log-EPS − log-learn | −12.5 [" in done.stdout
    assert {path.name for path in tmp_path.iterdir()} == {"runs", "tables"}
    missing = report(tmp_path, "+report=difference", "report.pairs=[[log_learn,leaf]]")
    assert missing.returncode == 1
    assert "table difference: there are no finished runs of leaf; scri" in missing.stderr


def test_an_unknown_frontend_is_on_the_page_with_its_difference(report, tmp_path):
    made = [record(1, 1, repeat, "mine", 0.5) for repeat in (1, 2)]
    keep(tmp_path, [*made, *[record(1, 1, repeat, "theirs", 0.25) for repeat in (1, 2)]])
    assert report(tmp_path, "show=[tables,page]").returncode == 0
    assert "n = 1: theirs minus mine" in (tmp_path / "report.html").read_text()
    for name in ("baseline", "tests"):
        assert "theirs − mine" in (tmp_path / f"tables/{name}.md").read_text()


def test_a_sweep_over_a_setting_is_reported(report, tmp_path):
    made = []
    for rate in (0.1, 0.01):
        for repeat in (1, 2):
            value, identity = rate + repeat / 4, {"optimizer": {"lr": rate}}
            key = f"{rate}{repeat}"
            made.append(record(1, 1, repeat, "log_eps", value, identity, key=key))
    keep(tmp_path, made)
    done = report(tmp_path, "report.compare=optimizer.lr", "show=[tables]")
    assert (done.returncode, done.stderr) == (0, "")
    table = (tmp_path / "tables/baseline.csv").read_text().splitlines()
    assert table[1].startswith("us8k,sb_cnn,0.1,0.01,1,0.08")
    pairs = ("report.pairs=[[0.1,0.01]]", "report.baseline=0.1")
    numbers = report(tmp_path, "report.compare=optimizer.lr", "+report=difference", *pairs)
    assert numbers.stdout.startswith("\nDifference 0.1 − 0.01\n")
    plain = report(tmp_path, "show=[tables]")
    assert plain.returncode == 0
    assert "warning: " in plain.stderr
    assert "report.compare=optimizer.lr" in plain.stderr
    assert "left out" not in plain.stdout  # said once
    one = report(tmp_path, "show=[tables]", "report.where={optimizer.lr: 0.1}")
    assert (one.returncode, one.stderr) == (0, "")


def test_several_labels_per_clip_end_to_end(report, tmp_path):
    made = []
    for frontend, value in (("log_eps", 0.25), ("log_learn", 0.75)):
        for repeat in (1, 2):
            metrics = {"auc": [value, None, 0.5], "macro_auc": value, "map": 0.5}
            more = {"metrics": metrics, "confusion_matrix": [], "class_names": ["a", "b", "c"]}
            made.append(record(1, 1, repeat, frontend, 0) | more)
    keep(tmp_path, made)
    done = report(tmp_path, "show=[tables,page]")
    assert (done.returncode, done.stderr) == (0, "")
    assert "Macro auc in %: mean" in done.stdout
    assert (tmp_path / "report.html").exists()
    by_class = (tmp_path / "tables/per_class.md").read_text()
    assert (
        "| UrbanSound8K | SB-CNN  | 1   | a       | 25.0 ± 0.0 (2) | 75.0 ± 0.0 (2)  |" in by_class
    )
    assert "| b " not in by_class
    wrong = report(tmp_path, "report.metric=auc")
    assert wrong.returncode == 1
    assert wrong.stderr.count("\n") == 1
    assert "auc: has a number for each class" in wrong.stderr


@pytest.mark.slow
def test_the_page_has_sound_of_the_worst_clips_if_asked(report, tmp_path):
    keep(tmp_path, records())
    for each in records():
        keep_checkpoint(tmp_path, each["key"], [("bell", 0.25, 0.25, 0.5)] * len(CLIPS))
    first = next(iter(CLIPS))
    (tmp_path / first).parent.mkdir()
    soundfile.write(tmp_path / first, np.zeros(8000), 8000)
    pages = []
    for words in ([], ["report.audio=true", f"report.audio_root={tmp_path}"]):
        done = report(tmp_path, "show=[tables,page]", *words)
        assert done.returncode == 0
        pages.append((tmp_path / "report.html").read_text())
    assert [page.count("<audio") for page in pages] == [0, 1]
    assert all(first in page for page in pages)
    assert "warning: " in done.stderr
    assert "3 of the worst clips have no sound" in done.stderr
    wrong = report(tmp_path, "report.audio=true")
    assert (wrong.returncode, wrong.stderr.count("\n")) == (1, 1)
    assert "expected report.audio_root=FOLDER, the dataset's root" in wrong.stderr


@pytest.mark.slow
def test_only_figures_of_an_earlier_report_are_removed(report, tmp_path):
    keep(tmp_path, records())
    (tmp_path / "figures").mkdir()
    earlier = {"accuracy_us8k.csv", "confusion_us8k_sb_cnn.pdf", "filters_us8k_log_eps.png"}
    earlier |= {"embeddings_us8k_sb_cnn.pdf", "completeness.png"}
    for name in (*earlier, "accuracy_of_mine.png"):
        (tmp_path / "figures" / name).write_bytes(b"")
    assert report(tmp_path).returncode == 0
    left = {path.name for path in (tmp_path / "figures").iterdir()}
    assert "accuracy_of_mine.png" in left
    assert not left & earlier


@pytest.mark.slow
def test_only_tables_of_an_earlier_report_are_removed(report, tmp_path):
    keep(tmp_path, records())
    assert report(tmp_path, "show=[tables]").returncode == 0
    (tmp_path / "tables/mine.csv").write_text("a\n")
    keep(tmp_path, [record(1, 1, repeat, "mine", 0.5) for repeat in (1, 2)])
    assert report(tmp_path, "show=[tables]", "+report=frontends").returncode == 0
    assert (tmp_path / "tables/difference.md").exists()  # one table alone removes nothing
    assert report(tmp_path, "show=[tables]").returncode == 0
    left = {path.name.split(".")[0] for path in (tmp_path / "tables").iterdir()}
    assert left == {"mine", "answers", "cost", "frontends", "frontends_by_fold"}


@pytest.mark.slow
def test_folders_are_read_together_and_conflicts_named(report, tmp_path):
    """A conflict names both records."""
    made = records()
    keep(tmp_path / "one", made[:4])
    file = keep(tmp_path / "other", made[2:])
    also = f"also=[{tmp_path}/one,{tmp_path}/other]"
    both = report(tmp_path / "all", also, "show=[tables]")
    keep(tmp_path / "whole", made)
    whole = report(tmp_path / "whole", "show=[tables]")
    assert both.stdout.replace("/all:", "/whole:") == whole.stdout
    made[2]["metrics"] = {"accuracy": 0.125}
    keep(tmp_path / "other", made[2:])
    torn = report(tmp_path / "all", also, "show=[tables]")
    assert torn.returncode == 1
    complaint = f"has two results: .* in {tmp_path}/one/runs/x.jsonl:3 and .* in {file}:1; remove"
    assert re.search(complaint, torn.stderr)
    absent = report(tmp_path / "all", f"also=[{tmp_path}/nowhere]")
    assert f"also: no runs/ in {tmp_path}/nowhere" in absent.stderr


@pytest.mark.slow
def test_results_folders_below_are_sections_of_one_page(report, tmp_path):
    for name in ("first", "second", "empty"):
        keep(tmp_path / name, records() if name != "empty" else [])
    done = report(tmp_path, "show=[tables,page]")
    assert done.returncode == 0
    assert f"error: {tmp_path}/empty: no finished runs; scripts/run.py makes them" in done.stderr
    page = (tmp_path / "report.html").read_text()
    assert re.findall(r"<h2[^>]*>\s*(first|second|empty)", page) == ["first", "second"]
    assert not (tmp_path / "first" / "report.html").exists()


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


def test_somebody_s_readme_is_left_as_it_is(report, tmp_path):
    keep(tmp_path, records())
    (tmp_path / "README.md").write_text("# My own notes\n")
    done = report(tmp_path, "show=[tables]")
    assert done.returncode == 0
    assert f"{tmp_path}/README.md: not made by this script, left as it is" in done.stderr
    assert (tmp_path / "README.md").read_text() == "# My own notes\n"


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
