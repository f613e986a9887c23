"""examples/my_package by command line, as docs/extending.md tells: nothing of it is in the
project."""

import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

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
def test_dataset_frontend_model_metric_and_table_of_another_package(tmp_path):
    call(PACKAGE / "make_sounds.py", tmp_path / "sounds")
    settings = [
        SEARCH,
        "dataset=my_csv",
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
