"""Small data, made once; real recordings where there are any."""

import os
from pathlib import Path

import numpy as np
import pytest
import scipy.signal
import torch

from command_line import command, in_process  # noqa: F401  # fixtures
from fewshot_audio import compose, config, progress
from fewshot_audio.components import build
from fewshot_audio.datasets.base import Dataset
from fewshot_audio.datasets.synthetic import synthetic
from fewshot_audio.types import Job, Machine

ROOT = Path(__file__).parents[1]
LONG = ("test_smoke", "test_impossible_settings", "test_killed", "test_rates")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put tests of minutes first: at the end one process would wait for them."""
    items.sort(key=lambda item: item.path.stem not in LONG)


@pytest.fixture(autouse=True, scope="session")
def _one_thread():
    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _nothing_said():
    """Let this process say what it has said in an earlier test."""
    progress.say_once.cache_clear()


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
    synthetic("synthetic", root, "us8k", 3, 2, "next", ())
    return root


@pytest.fixture(scope="session")
def cache(tmp_path_factory) -> Path:
    """A folder for banks that tests share."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def job(synthetic_root) -> Job:
    """A job of two short runs."""
    data = [
        "dataset=synthetic",
        f"dataset.root={synthetic_root}",
        "dataset.groups=3",
        "dataset.clips_per_class=2",
    ]
    quick = [
        "model=timbre",
        "method.max_epochs=2",
        "method.test_hop=16",
        "n_per_class=1",
        "repeats=2",
        "sample_rate=16000",
        "hop=512",
    ]
    return config.job(compose.composed([*data, *quick]))


@pytest.fixture
def machine(tmp_path, cache) -> Machine:
    """A machine with results of the test's own."""
    plain = {
        "threads": 1,
        "builders": 1,
        "workers": 1,
        "stack": None,
        "max_jobs": None,
        "command": "python scripts/run.py",
    }
    return Machine(
        tmp_path / "results",
        cache,
        "cpu",
        **plain,
        missing_folds="error",
        keep_memory=False,
        retry_failed=True,
        checkpoint=False,
        dry_run=False,
    )


@pytest.fixture
def dataset(job):
    """The job's dataset."""
    return build(job.dataset, Dataset, name=job.dataset.name)


@pytest.fixture(scope="session")
def kaiser_best():
    """Resampling as librosa 0.6 did in 2018: resampy 0.2's filter and running sum of times, to the
    length rounded up.

    Later versions of resampy give the name to another filter and compute times exactly; their
    inner loop is the same.
    """
    interpn = pytest.importorskip("resampy.interpn")
    filters = pytest.importorskip("resampy.filters")

    def window(size: int) -> np.ndarray:
        return scipy.signal.windows.kaiser(size, 14.769656459379492)

    table, precision, _ = filters.sinc_window(
        num_zeros=64, precision=9, window=window, rolloff=0.9475937167399596
    )

    def resample(samples: np.ndarray, rate: int, target: int) -> np.ndarray:
        ratio = target / rate
        scaled = table * min(1.0, ratio)
        times, time = [], 0.0
        for _ in range(len(samples) * target // rate):
            times.append(time)
            time += 1 / ratio
        found = np.zeros(len(times))
        settings = (scaled, np.diff(scaled, append=scaled[-1]), precision, min(1.0, ratio))
        interpn._resample_loop_s(samples.astype(np.float64), np.array(times), *settings, found)
        return np.pad(found, (0, -(-len(samples) * target // rate) - len(found)))

    return resample


@pytest.fixture(autouse=True)
def _threads_as_before():
    """Leave torch the threads that it had: benchmarks and runs set them."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)
