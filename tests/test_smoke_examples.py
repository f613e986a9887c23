"""examples/: the package as docs/extending.md tells, of which nothing is in the project; LEAF."""

import importlib
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from fewshot_audio.types import DataError

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


def test_clips_of_a_table_that_validate(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(PACKAGE)
    from_csv = importlib.import_module("my_package.datasets").from_csv
    rows = ["a.wav,x,1,p,", "b.wav,y,1,q,yes", "c.wav,x,2,r,no", "d.wav,y,2,s,yes"]
    table = tmp_path / "elsewhere" / "table.csv"
    table.parent.mkdir()
    table.write_text("\n".join(["path,label,fold,group,valid", *rows]))
    dataset = from_csv("mine", tmp_path, str(table))
    splits = [
        "".join(clip.path[0] for clip in part)
        for fold in dataset.folds
        for part in (fold.train, fold.valid, fold.test)
    ]
    assert splits == ["c", "d", "ab", "a", "b", "cd"]

    table.write_text(table.read_text().replace("yes", "true"))
    with pytest.raises(DataError, match="other words than yes and no"):
        from_csv("mine", tmp_path, str(table))
    with pytest.raises(DataError, match=r"metadata.csv: no such file; set dataset.root"):
        from_csv("mine", tmp_path)


@pytest.mark.slow
def test_leaf_in_your_own_model():
    printed = call(ROOT / "examples/leaf_in_your_own_model.py")
    assert float(printed.partition("%")[0]) > 90
