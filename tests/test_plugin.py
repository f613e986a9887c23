"""A package of a user's own: its yaml files count in every command, its classes by their names."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from fewshot_audio.record_fields import FINISHED
from fewshot_audio.runner.store import Store

ROOT = Path(__file__).parents[1]
CODE = """
from pathlib import Path
import torch
from torch import nn
from fewshot_audio.datasets.base import Dataset
from fewshot_audio.datasets.synthetic import synthetic
from fewshot_audio.frontends.base import Frontend

class Square(Frontend):
    def __init__(self, power: float = 0.5):
        super().__init__()
        self.power = power

    def compute(self, spectrogram):
        return spectrogram ** self.power

class Linear(nn.Module):
    def __init__(self, n_classes: int, n_bands: int):
        super().__init__()
        self.output = nn.Linear(n_bands, n_classes)

    def forward(self, patches):
        return self.output(patches.mean(1))

def sounds(name, root: Path, clips: int = 2) -> Dataset:
    return synthetic(name, root, "us8k", 3, clips, "next", ())
"""
FILES = {
    "frontend/square.yaml": "name: square\n_target_: plugin.Square\npower: 0.5\n",
    "model/linear.yaml": "name: linear\n_target_: plugin.Linear\n",
    "dataset/sounds.yaml": "name: sounds\n_target_: plugin.sounds\nroot: ???\nclips: 2\n",
    "study/mine.yaml": "# @package _global_\ndefaults:\n  - override /dataset: sounds\n"
    "n_per_class: 1\nrepeats: 2\nsample_rate: 16000\nhop: 512\n"
    "method: {max_epochs: 1, test_hop: 16}\n"
    "hydra:\n  sweeper:\n    params:\n      model: linear\n      frontend: square,log_eps\n",
}


@pytest.fixture
def script(tmp_path, synthetic_root, cache):
    """Runs a script with the settings of the package's study."""
    (tmp_path / "plugin.py").write_text(CODE)
    for name, text in FILES.items():
        (tmp_path / "conf" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "conf" / name).write_text(text)
    path = f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}"

    def run(name, *words):
        where = [f"cache={cache}", f"results={tmp_path / 'results'}", "accelerator=cpu"]
        data = [f"dataset.root={synthetic_root}", *where]
        return subprocess.run(
            [sys.executable, str(ROOT / f"scripts/{name}.py"), *data, *words],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "PYTHONPATH": path},
            cwd=tmp_path,
        )

    return run


@pytest.mark.slow
def test_a_package_of_ones_own_runs_and_is_reported(script, tmp_path):
    folder = ["--config-dir", str(tmp_path / "conf")]
    done = script("run", "-m", *folder, "+study=mine")
    assert "2 jobs: 4 of 4 runs finished, 0 failed" in done.stdout, done.stderr
    assert done.returncode == 0
    records = list(Store(tmp_path / "results").records())
    assert [record["status"] for record in records] == [FINISHED] * 4
    assert {record["identity"]["frontend"]["name"] for record in records} == {"square", "log_eps"}
    commands = {record["command"] for record in records}
    assert all("'hydra.searchpath=[file://FOLDER]'" in each for each in commands)
    assert not any(str(tmp_path) in each or "results" in each for each in commands)
    searched = f"hydra.searchpath=[file://{tmp_path / 'conf'}]"
    report = script("report", searched, "+study=mine", "show=[tables]")
    assert report.returncode == 0, report.stderr
    assert "square" in report.stdout


def test_a_misspelt_choice_names_those_of_the_package(script, tmp_path):
    done = script("run", "--config-dir", str(tmp_path / "conf"), "frontend=sqare")
    assert done.returncode == 1
    assert done.stderr == "error: frontend=sqare: no such frontend; did you mean square?\n"


@pytest.mark.slow
def test_plans_and_status_know_it_too(script, tmp_path):
    folder = ["--config-dir", str(tmp_path / "conf"), "+study=mine"]
    plan = script("run", "-m", *folder, "dry_run=true")
    assert "2 jobs: 4 runs, 0 finished, 4 missing" in plan.stdout, plan.stderr
    status = script("status", *folder)
    assert "0 of 4 runs finished" in status.stdout, status.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "words"),
    [("prepare", ()), ("splits", ("splits=splits.csv",)), ("maps", ("frontend=square,leaf",))],
)
def test_the_other_commands_know_it_too(script, tmp_path, name, words):
    folder = ["--config-dir", str(tmp_path / "conf")]
    done = script(name, *folder, "+study=mine", "model=linear", "frontend=square", *words)
    assert done.returncode == 0, done.stderr
