"""examples/: the package as docs/extending.md tells, of which nothing is in the project; LEAF."""

import importlib
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from fewshot_audio.datasets.table import from_table

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "examples/my_package"
SEARCH = "hydra.searchpath=[pkg://my_package.conf]"


def call(*command: str | Path) -> str:
    """Return what a Python program prints, with the example importable."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(PACKAGE)])}
    words = [sys.executable, *map(str, command)]
    done = subprocess.run(
        words, check=True, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True
    )
    return done.stdout


@pytest.mark.slow
def test_parts_of_another_package_run_and_are_reported(tmp_path):
    """Dataset, frontend, model, metric and table are that package's."""
    call(PACKAGE / "make_sounds.py", tmp_path / "sounds")
    settings = [
        SEARCH,
        "dataset=my_sounds",
        f"dataset.root={tmp_path / 'sounds'}",
        f"cache={tmp_path / 'cache'}",
        f"results={tmp_path / 'results'}",
        "accelerator=cpu",
        "n_per_class=2",
        "repeats=1",
        "sample_rate=16000",
        "hop=512",
        "metrics=with_top_2",
        "method.max_epochs=2",
        "method.test_hop=16",
    ]
    sweep = ["-m", *settings, "frontend=log_eps,root", "fold=1,2"]
    call("scripts/run.py", *sweep, "model=timbre")
    call("scripts/run.py", *sweep, "model=resnet18", "optimizer=adamw", "method.weight_decay=0")
    planned = call("scripts/run.py", *sweep, "model=timbre", "dry_run=true")
    assert "4 finished" in planned

    call("scripts/report.py", SEARCH, f"results={tmp_path / 'results'}", "+report=root")
    table = pd.read_csv(tmp_path / "results/tables/root.csv")
    assert set(table["model"]) == {"timbre", "resnet18"}
    assert (table["count"] == 2).all()


def test_names_say_what_the_table_says(tmp_path, monkeypatch):
    """A dataset function of one's own, and dataset=csv."""
    monkeypatch.syspath_prepend(PACKAGE)
    importlib.import_module("make_sounds").main(tmp_path)
    own = importlib.import_module("my_package.datasets").from_names("mine", tmp_path)
    assert len(own.clips) == 72
    assert own.folds == from_table("mine", tmp_path).folds


@pytest.mark.slow
def test_leaf_in_your_own_model():
    printed = call(ROOT / "examples/leaf_in_your_own_model.py")
    assert float(printed.partition("%")[0]) > 90
