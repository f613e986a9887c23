"""The tables in results/ are those of the records beside them, number by number."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from scripts import readme

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.slow
RESULTS = ROOT / "results"
OWN = "demo"  # of results/, which git leaves out
RUNS = sorted(set(RESULTS.glob("*/**/runs")) - set(RESULTS.glob(f"{OWN}/**/runs")))
FOLDERS = [path.parent for path in RUNS if (path.parent / "tables").exists()]


def reports() -> list[list[str]]:
    """Return the settings of each report of `make answers`."""
    recipe = (ROOT / "Makefile").read_text().partition("\nanswers:")[2].partition("\n\n")[0]
    return [["results=results"], *map(shlex.split, re.findall(r"report\.py (.+)", recipe))]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The folders' tables, made anew."""
    results = tmp_path_factory.mktemp("made") / "results"
    for runs in RUNS:
        shutil.copytree(runs, results / runs.relative_to(RESULTS))
    for settings in reports():
        here = [re.sub(r"\bresults(?=/|$)", str(results), setting) for setting in settings]
        command = [sys.executable, "scripts/report.py", *here, "show=[tables]"]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    return results


@pytest.mark.parametrize("page", readme.PAGES)
def test_pages_say_what_the_report_says(made, page):
    """`results/` of the marks is the copy made anew; `make answers` writes the pages."""
    text = (ROOT / page).read_text(encoding="utf-8")
    assert "<!-- answers: results/" in text
    assert readme.answered(text, made.parent) == text
    changed = text.replace(", in points, is", " wins by")
    assert changed != text
    assert readme.answered(changed, made.parent) == text


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: str(folder.relative_to(RESULTS)))
def test_tables_are_those_of_the_records(made, folder):
    tables = made / folder.relative_to(RESULTS) / "tables"
    files = sorted((folder / "tables").glob("*.csv"))
    assert [file.name for file in files] == sorted(file.name for file in tables.glob("*.csv"))
    for file in files:
        committed, anew = (pd.read_csv(path) for path in (file, tables / file.name))
        pd.testing.assert_frame_equal(committed, anew, rtol=1e-12, obj=str(file))
