"""The command line as subprocess and in this process."""

import logging
import subprocess
import sys
from pathlib import Path

import pytest

from fewshot_audio import cli
from fewshot_audio.commands import run as run_script
from fewshot_audio.runner.store import Store

ROOT = Path(__file__).parents[1]


@pytest.fixture
def command(tmp_path, synthetic_root, cache):
    """A run.py command on the small dataset; cheap settings, results of the test's own."""
    return cheap(tmp_path, synthetic_root, cache)


def cheap(folder, synthetic_root, cache):
    data = [
        f"dataset.root={synthetic_root}",
        "dataset.groups=3",
        "dataset.clips_per_class=2",
        "sample_rate=16000",
        "hop=512",
    ]
    where = [f"results={folder / 'results'}", f"cache={cache}", "workers=1", "accelerator=cpu"]
    return [
        sys.executable,
        str(ROOT / "scripts/run.py"),
        "dataset=synthetic",
        *data,
        *where,
        "model=timbre",
        "method.test_hop=16",
    ]


def run(command, *more, **options):
    return subprocess.run(
        [*command, *more], capture_output=True, text=True, check=False, cwd=options.get("cwd")
    )


@pytest.fixture
def in_process(command, monkeypatch, capsys):
    """Do what the command does with more words, in this process, which has imported torch."""
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")

    def call(*more, words=command[2:]):
        monkeypatch.setattr(sys, "argv", ["run.py", *words, *more])
        monkeypatch.setattr(logging.root, "handlers", [])
        script = run_script
        with pytest.raises(SystemExit) as ended:
            cli.command(script.main, script.plan, script.open_datasets, script.summarise)
        return subprocess.CompletedProcess(sys.argv, ended.value.code, *capsys.readouterr())

    level = logging.root.level
    yield call
    logging.root.setLevel(level)


def lines(tmp_path):
    return list(Store(tmp_path / "results").records())
