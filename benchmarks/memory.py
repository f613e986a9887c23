"""Peak memory with a feature cache of the size of TUT Acoustic Scenes."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from benchmarks.measure import machine, peak, train_and_score
from fewshot_audio import compose, config
from fewshot_audio.datasets import tut2017
from fewshot_audio.datasets.base import Dataset
from fewshot_audio.datasets.splits import FewShotSplits
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
        peaks = {"features": peak(_noise_features, folder)}
        for name, n in product(models, sizes):
            peaks[f"{name}, n {n}"] = peak(_run_on_noise, folder, name, n, epochs, threads)
        size = next(Path(folder).glob("cache/*/features.npy")).stat().st_size
    about = {"epochs": epochs, "features_mib": round(size / 2**20)}
    return {"bench": "memory", **about, "machine": machine(threads), "peak_mib": peaks}


def write_tut_asc_names(root: Path, seconds: float) -> None:
    """Write all 6,300 clips of TUT Acoustic Scenes 2017 by their names, each a short noise."""
    random = np.random.default_rng(0)
    for part in tut2017.PARTS:
        folder, rows = root / tut2017.folder(part), tut2017.official_rows(part)
        (folder / "audio").mkdir(parents=True, exist_ok=True)
        lines = "".join("\t".join(row) + "\n" for row in rows)
        (folder / "meta.txt").write_text(lines, encoding="utf-8")
        for path, _, _ in rows:
            noise = 0.1 * random.standard_normal((int(44100 * seconds), 2)).clip(-9, 9)
            soundfile.write(folder / path, noise, 44100, subtype="PCM_24")


def _noise_features(folder: str) -> tuple[Dataset, Cache]:
    dataset = tut2017.tut_acoustic_scenes("tut_asc", Path(folder) / "data")
    return dataset, open_cache(dataset, Noise(44100, FRAMES), Path(folder) / "cache", 1)


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
    job = config.job(compose.composed([*settings, f"n_per_class={n_per_class}"]))
    splits = FewShotSplits(dataset, dataset.fold(1), 0, Sampling("clip"), None)
    train_and_score(job, JobData(dataset, splits, features), n_per_class, [1], "cpu")
