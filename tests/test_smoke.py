"""A sweep on synthetic sounds by command line: it learns, it resumes, its tables are complete."""

import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from fewshot_audio.runner.store import Store

ROOT = Path(__file__).parents[1]
CHANCE = 0.2
SHAPES = {"timbre": [], "sb_cnn": ["n_bands=40", "patch_frames=100"]}


@pytest.mark.slow
@pytest.mark.parametrize("model", SHAPES)
def test_a_sweep_learns_and_a_second_one_trains_nothing(model, tmp_path):
    data = [
        "dataset=synthetic",
        f"cache={tmp_path}",
        f"results={tmp_path / 'results'}",
        "accelerator=cpu",
    ]
    jobs = [f"model={model}", "frontend=log_eps,log_learn", "fold=1,2", *SHAPES[model]]
    sweep = [
        sys.executable,
        "scripts/run.py",
        "-m",
        *data,
        *jobs,
        "n_per_class=1,8",
        "repeats=1",
        "method.max_epochs=100",
    ]
    subprocess.run(sweep, check=True, cwd=ROOT)
    first = list(Store(tmp_path / "results").records())
    assert len(first) == 8
    subprocess.run(sweep, check=True, cwd=ROOT)
    assert list(Store(tmp_path / "results").records()) == first
    subprocess.run([sys.executable, "scripts/report.py", *data], check=True, cwd=ROOT)
    rows = ["model", "frontend", "n_per_class"]
    cells = pd.read_csv(tmp_path / "results/tables/accuracy.csv").set_index(rows)
    assert (cells["count"] == 2).all()
    for frontend in ("log_eps", "log_learn"):
        assert cells.loc[(model, frontend, 8), "mean"] > 2.5 * CHANCE, frontend
    pairs = pd.read_csv(tmp_path / "results/tables/difference.csv")
    assert pairs["count"].tolist() == [2, 2]
