"""Peak memory with a feature cache of the size of TUT Acoustic Scenes."""

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measure import machine, peak, train_and_score
from fewshot_audio import config
from fewshot_audio.datasets import tut2017 as tut_asc
from fewshot_audio.datasets.base import Dataset
from fewshot_audio.datasets.splits import FewShotSplits
from fewshot_audio.datasets.synthetic import write_tut_asc_names
from fewshot_audio.features.base import Transform
from fewshot_audio.features.cache import Cache, open_cache
from fewshot_audio.features.resample import resample
from fewshot_audio.runner import environment
from fewshot_audio.training.prepare import JobData
from fewshot_audio.types import Sampling

FRAMES = 431  # of a clip of 10 s


@dataclass(frozen=True)
class Noise(Transform):
    """Noise of a fixed size for any samples: features of any size without the audio."""

    sample_rate: int
    frames: int

    resample = staticmethod(resample)

    @property
    def n_columns(self) -> int:
        """Bands."""
        return 128

    def __call__(self, samples: np.ndarray) -> np.ndarray:
        """Return noise that depends on the samples."""
        seed = int(np.abs(samples).sum() * 1e6)
        return np.random.default_rng(seed).random((self.frames, 128), dtype=np.float32)


def memory(
    models: Sequence[str], sizes: Sequence[int], epochs: int, threads: int
) -> dict[str, Any]:
    """Measure the peak memory (MiB) of building a feature cache of noise, and of runs with it.

    Each is a process of its own; pages of the memory-mapped features that it touches are counted.

    Args:
        models: Names of the models.
        sizes: Clips per class.
        epochs: Epochs of a run.
        threads: Threads of torch.
    """
    with tempfile.TemporaryDirectory() as folder:
        write_tut_asc_names(Path(folder) / "data", 0.05)
        peaks = {"features": peak(_build_features, folder)}
        for name, n in product(models, sizes):
            peaks[f"{name}, n {n}"] = peak(_run_on_noise, folder, name, n, epochs, threads)
        size = next(Path(folder).glob("cache/*/features.npy")).stat().st_size
    about = {"epochs": epochs, "features_mib": round(size / 2**20)}
    return {"bench": "memory", **about, "machine": machine(threads), "peak_mib": peaks}


def lines(result: dict[str, Any]) -> Iterator[str]:
    """Yield a result for people."""
    for name, peak_mib in result["peak_mib"].items():
        yield f"{name:16}{peak_mib:7d} MiB"


def _noise_features(folder: str) -> tuple[Dataset, Cache]:
    dataset = tut_asc.tut_acoustic_scenes("tut_asc", Path(folder) / "data")
    return dataset, open_cache(dataset, Noise(44100, FRAMES), Path(folder) / "cache", 1)


def _build_features(folder: str) -> None:
    _noise_features(folder)


def _run_on_noise(folder: str, model: str, n_per_class: int, epochs: int, threads: int) -> None:
    environment.set_up(threads, keep_memory=False)
    dataset, features = _noise_features(folder)
    settings = [
        "dataset=tut_asc",
        f"dataset.root={dataset.root}",
        f"model={model}",
        f"method.max_epochs={epochs}",
        "repeats=1",
    ]
    job = config.job(config.composed([*settings, f"n_per_class={n_per_class}"]))
    splits = FewShotSplits(dataset, dataset.fold(1), 0, Sampling("clip"), None)
    train_and_score(job, JobData(dataset, splits, features), n_per_class, [1], "cpu")
