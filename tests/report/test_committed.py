"""The tables in results/ are those of the records beside them, number by number."""

import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from scripts import readme

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.slow
FOLDERS = sorted(path.parent for path in (ROOT / "results").glob("*/runs"))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The folders' tables, made anew."""
    results = tmp_path_factory.mktemp("made") / "results"
    for folder in FOLDERS:
        shutil.copytree(folder / "runs", results / folder.name / "runs")
    command = [sys.executable, "scripts/report.py", f"results={results}", "show=[tables]"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return results


@pytest.mark.parametrize("page", ["README.md", "docs/index.md"])
def test_pages_say_what_the_report_says(made, page):
    """`results/` of the marks is the copy made anew; `make answers` writes the pages."""
    text = (ROOT / page).read_text(encoding="utf-8")
    assert "<!-- answers: results/us8k_" in text
    assert readme.answered(text, made.parent) == text
    changed = text.replace("log_learn minus log_eps, in points, is", "log_learn wins by")
    assert readme.answered(changed, made.parent) == text


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_tables_are_those_of_the_records(made, folder):
    tables = made / folder.name / "tables"
    files = sorted((folder / "tables").glob("*.csv"))
    assert [file.name for file in files] == sorted(file.name for file in tables.glob("*.csv"))
    for file in files:
        committed, anew = (pd.read_csv(path) for path in (file, tables / file.name))
        pd.testing.assert_frame_equal(committed, anew, rtol=1e-12, obj=str(file))
