"""Peak memory with a bank of the size of TUT Acoustic Scenes."""

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measure import machine, peak, train_and_score
from fewshot_audio import config
from fewshot_audio import processes as process
from fewshot_audio.datasets import tut2017 as tut_asc
from fewshot_audio.datasets.splits import FewShotSplits
from fewshot_audio.datasets.synthetic import write_tut_asc_names
from fewshot_audio.features.cache import FeatureCache, open_cache
from fewshot_audio.training.run import JobData
from fewshot_audio.types import Dataset, Sampling

FRAMES = 431  # of a clip of 10 s


@dataclass(frozen=True)
class Noise:
    """Any samples to noise of a fixed size: a bank of any size without its audio."""

    sample_rate: int
    frames: int

    columns = 128

    def __call__(self, samples: np.ndarray) -> np.ndarray:
        seed = int(np.abs(samples).sum() * 1e6)
        return np.random.default_rng(seed).random((self.frames, self.columns), dtype=np.float32)


def memory(
    models: Sequence[str], sizes: Sequence[int], epochs: int, threads: int
) -> dict[str, Any]:
    """Peak memory (MiB) of building a bank of TUT Acoustic Scenes' size from noise, and of one run of each model and n with it.

    Each is a process of its own; pages of the memory-mapped bank that it touches are counted.
    """
    with tempfile.TemporaryDirectory() as folder:
        write_tut_asc_names(Path(folder) / "data", 0.05)
        found = {"bank": peak(_build_noise_bank, folder)}
        for name, n in product(models, sizes):
            found[f"{name}, n {n}"] = peak(_run_on_noise_bank, folder, name, n, epochs, threads)
        size = next(Path(folder).glob("cache/*/rows.npy")).stat().st_size
    about = {"epochs": epochs, "bank_mib": round(size / 2**20)}
    return {"bench": "memory", **about, "machine": machine(threads), "peak_mib": found}


def lines(result: dict[str, Any]) -> Iterator[str]:
    """A result for people."""
    for name, peak_mib in result["peak_mib"].items():
        yield f"{name:16}{peak_mib:7d} MiB"


def _noise_bank(folder: str) -> tuple[Dataset, FeatureCache]:
    dataset = tut_asc.tut_acoustic_scenes("tut_asc", Path(folder) / "data", ())
    return dataset, open_cache(dataset, Noise(44100, FRAMES), Path(folder) / "cache", 1, False)


def _build_noise_bank(folder: str) -> None:
    _noise_bank(folder)


def _run_on_noise_bank(
    folder: str, model: str, n_per_class: int, epochs: int, threads: int
) -> None:
    process.set_up(threads, keep_memory=False)
    dataset, bank = _noise_bank(folder)
    settings = [
        "dataset=tut_asc",
        f"dataset.root={dataset.root}",
        f"model={model}",
        f"method.max_epochs={epochs}",
        "repeats=1",
    ]
    job = config.job(config.composed([*settings, f"n_per_class={n_per_class}"]))
    material = JobData(
        dataset, FewShotSplits(dataset, dataset.fold(1), 0, Sampling("clip"), None), bank
    )
    train_and_score(job, material, n_per_class, [1], "cpu")
