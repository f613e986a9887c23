"""scripts/report.py on synthetic stores: what it writes."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from report_command import files_in, keep
from synthetic_checkpoints import CLIPS, keep_checkpoint
from synthetic_records import record, records

ROOT = Path(__file__).parents[2]
TABLES = ("accuracy", "claims", "cost", "difference", "frontends", "tests")


def test_everything_is_written_and_the_same_again(report, tmp_path):
    keep(tmp_path, records())
    done = report(tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    written = files_in(tmp_path)
    tables = {f"tables/{name}.{kind}" for name in TABLES for kind in ("csv", "md", "tex")}
    names = ("accuracy", "forest", "heat")
    figures = {f"figures/{name}.{kind}" for name in names for kind in ("png", "pdf")}
    others = {
        "figures/accuracy.csv",
        "runs/x.jsonl",
        "README.md",
        "report.html",
        "tables/answers.md",
    }
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
    for name in ("mine", "accuracy_by_fold"):  # one's own, and an earlier version's
        (tmp_path / f"tables/{name}.csv").write_text("a\n")
    keep(tmp_path, [record(1, 1, repeat, "mine", 0.5) for repeat in (1, 2)])
    assert report(tmp_path, "show=[tables]", "+report=frontends").returncode == 0
    assert (tmp_path / "tables/difference.md").exists()  # one table alone removes nothing
    assert report(tmp_path, "show=[tables]").returncode == 0
    left = {path.name.split(".")[0] for path in (tmp_path / "tables").iterdir()}
    assert left == {"mine", "answers", "cost", "frontends"}


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


def test_somebody_s_readme_is_left_as_it_is(report, tmp_path):
    keep(tmp_path, records())
    (tmp_path / "README.md").write_text("# My own notes\n")
    done = report(tmp_path, "show=[tables]")
    assert done.returncode == 0
    assert f"{tmp_path}/README.md: not made by this script, left as it is" in done.stderr
    assert (tmp_path / "README.md").read_text() == "# My own notes\n"
