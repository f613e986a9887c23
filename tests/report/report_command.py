"""scripts/report.py within this process, and the stores that it reads."""

import json
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
from hydra.core.global_hydra import GlobalHydra

ROOT = Path(__file__).parents[2]


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
