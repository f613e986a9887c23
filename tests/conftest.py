"""Small data, made once; real recordings where there are any."""

import os
from pathlib import Path

import pytest
import torch

from fewshot_audio.components import build
from fewshot_audio.data.synthetic import synthetic
from fewshot_audio.types import Component, Job, Machine, Mel

ROOT = Path(__file__).parents[1]


@pytest.fixture(autouse=True, scope="session")
def _one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real recordings and official lists."""
    folder = Path(os.environ.get("FEWSHOT_AUDIO_SHARED", ROOT.parent / "shared"))
    if not (folder / "data").is_dir():
        pytest.skip(f"no real recordings in {folder}; set FEWSHOT_AUDIO_SHARED")
    return folder / "data"


@pytest.fixture(scope="session")
def synthetic_root(tmp_path_factory) -> Path:
    """A folder with a small synthetic dataset: three folds of two clips per class."""
    root = tmp_path_factory.mktemp("synthetic")
    synthetic(root, "us8k", 3, 2, "next", ())
    return root


@pytest.fixture(scope="session")
def cache(tmp_path_factory) -> Path:
    """A folder for banks that tests share."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def job(synthetic_root) -> Job:
    """A job of two short runs."""
    arguments = {"root": str(synthetic_root), "layout": "us8k", "groups": 3, "clips_per_class": 2, "validation": "next"}
    fit = {"epochs": 2, "batch_size": 256, "learning_rate": 0.1, "clip_norm": 5, "decay": 0.001, "test_hop": 16}
    fixed = {"alpha": 1, "beta": 2.220446049250313e-16, "base": 10}
    return Job(
        dataset=Component("dataset", "synthetic", "fewshot_audio.data.synthetic.synthetic", {**arguments, "tolerate": []}),
        fold=1,
        model=Component("model", "timbre", "fewshot_audio.models.timbre.Timbre", {}),
        frontend=Component("frontend", "log_eps", "fewshot_audio.frontends.log_fixed.LogFixed", fixed),
        fit=Component("fit", "supervised", "fewshot_audio.train.supervised.Supervised", fit),
        mel=Mel(16000, 1024, 512, "reflect"),
        repeats={1: 2},
        seed=0,
        draws=None,
    )


@pytest.fixture
def machine(tmp_path, cache) -> Machine:
    """A machine with results of the test's own."""
    return Machine(tmp_path / "results", cache, "cpu", threads=1, workers=1, dry_run=False)


@pytest.fixture
def dataset(job):
    """The job's dataset."""
    return build(job.dataset)
