"""What all benchmarks share: times, peaks of memory, the machine, a dataset of noise."""

import multiprocessing
import os
import platform
import re
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.benchmark import Timer

from fewshot_audio import compose, config
from fewshot_audio.datasets.base import Clip, Dataset, Fold
from fewshot_audio.datasets.splits import FewShotSplits
from fewshot_audio.features.cache import FeatureCache
from fewshot_audio.runner.environment import provenance
from fewshot_audio.training.prepare import JobData
from fewshot_audio.training.run import train
from fewshot_audio.training.score import score
from fewshot_audio.types import Job, Sampling


def seconds(action: Callable[[], Any]) -> float:
    """How long something takes that can be done once only."""
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def median(action: Callable[[], Any], rounds: int) -> float:
    """Seconds, the median of some calls."""
    return medians({"action": action}, rounds)["action"]


def medians(actions: Mapping[Any, Callable[[], Any]], rounds: int) -> dict[Any, float]:
    """Seconds of each, the median of some rounds by turns, by torch's timer (which knows GPUs)."""
    threads = torch.get_num_threads()
    timers = {
        name: Timer("action()", globals={"action": action}, num_threads=threads)
        for name, action in actions.items()
    }
    taken: dict[Any, list[float]] = {name: [] for name in actions}
    for _ in range(rounds):
        for name, timer in timers.items():
            taken[name].append(timer.timeit(1).median)  # after two calls that do not count
    return {name: statistics.median(values) for name, values in taken.items()}


def apart(action: Callable, *arguments: Any) -> Any:
    """What it gives in a new process."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(action, *arguments).result()


def peak(action: Callable, *arguments: Any) -> int:
    """The peak memory (MiB) of a new process that does this."""
    return round(apart(_measured, action, *arguments))


def _measured(action: Callable, *arguments: Any) -> float:
    action(*arguments)
    return resident()["VmHWM"]


def resident() -> dict[str, float]:
    """Return MiB of this process: VmHWM at its peak; RssAnon of its own, RssFile of libraries."""
    # of this process alone; getrusage would count its parent's peak too
    status = Path("/proc/self/status").read_text()
    return {
        name: int(size) / 1024
        for name, size in re.findall(r"(VmHWM|RssAnon|RssFile):\s+(\d+)", status)
    }


def machine(threads: int) -> dict[str, Any]:
    """The machine that was measured."""
    gpu = {"gpu": torch.cuda.get_device_name()} if torch.cuda.is_available() else {}
    about = {
        "processor": _processor(),
        "threads": threads,
        "torch": torch.__version__,
        "commit": provenance()["commit"],
    }
    return about | gpu


def _processor() -> str:
    """The processor's name and number of cores, as far as Linux or Python tell."""
    info = Path("/proc/cpuinfo")
    names = re.findall(r"model name\s*: (.*)", info.read_text()) if info.exists() else []
    return f"{names[0] if names else platform.processor()}, {os.cpu_count()} cores"


def job(model: str, *settings: str) -> Job:
    """A job of the study's settings on synthetic sounds."""
    return config.job(compose.composed([f"model={model}", "dataset=synthetic", *settings]))


def train_and_score(
    job: Job, material: JobData, n_per_class: int, repeats: Sequence[int], accelerator: str
) -> list[dict[str, Any]]:
    """What lines tell of the results of some runs that train together."""
    return [
        score(run, material)[0] for run in train(job, material, n_per_class, repeats, accelerator)
    ]


def noise_material(classes: int, train: int, test: int, rows: int, columns: int) -> JobData:
    """Return a dataset of noise in memory: classes that differ in level, clips of one size."""
    random = np.random.default_rng(0)
    parts = {
        part: tuple(
            Clip(f"{part}/{label}/{i}", (label,), 1, str(i))
            for label in range(classes)
            for i in range(count)
        )
        for part, count in (("train", train), ("test", test))
    }
    clips = parts["train"] + parts["test"]
    dataset = Dataset("noise", Path(), tuple(map(str, range(classes))), (Fold(1, *parts.values()),))
    noise = np.empty((len(clips), rows, columns), np.float32)
    for clip, of_clip in zip(clips, noise, strict=True):
        random.random(out=of_clip, dtype=np.float32)
        of_clip *= (1 + clip.label) / 10
    spans = {clip.path: (i * rows, (i + 1) * rows) for i, clip in enumerate(clips)}
    return JobData(
        dataset,
        FewShotSplits(dataset, dataset.fold(1), 0, Sampling("clip"), None),
        FeatureCache("noise", noise.reshape(-1, columns), spans),
    )
