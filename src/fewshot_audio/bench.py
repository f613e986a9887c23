"""How long things take, as ratios within one process."""

import json
import multiprocessing
import os
import platform
import re
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from fewshot_audio import config, process
from fewshot_audio.data import tut_asc
from fewshot_audio.data.bank import Bank, open_bank
from fewshot_audio.data.synthetic import write_tut_asc_names
from fewshot_audio.data.tasks import Draws
from fewshot_audio.provenance import provenance
from fewshot_audio.study.plan import run_specs
from fewshot_audio.study.store import FINISHED, Store
from fewshot_audio.train.fit import calibrate, initialise
from fewshot_audio.train.method import Randomness
from fewshot_audio.train.network import Network
from fewshot_audio.train.run import Material, prepared, train_and_score
from fewshot_audio.types import Clip, Dataset, Draw, Fold, Job

CLASSES, FRAMES, TRAIN, TEST = 10, 173, 10, 45  # clips of 4 s; clips per class
ASC_FRAMES = 431  # of a clip of 10 s


def fit(models: Sequence[str], n_per_class: int, epochs: int, rounds: int, threads: int) -> dict[str, Any]:
    """Seconds of one run by part for each model, and of a plain torch loop that makes the same updates.

    The overhead is what draw, Lightning and store add to the plain loop, round by round; its median is the result.
    """
    process.set_up(threads, keep_memory=False)
    material = noise_material()
    found = {}
    for name in models:
        settings = [f"model={name}", "dataset=synthetic", f"n_per_class={n_per_class}", "repeats=1", f"fit.epochs={epochs}"]
        job = config.job(config.composed(settings))
        found[name] = _summary([_round(replace(job, fold=1), material, n_per_class) for _ in range(rounds)])
    about = {"n_per_class": n_per_class, "epochs": epochs, "rounds": rounds, "test_clips": CLASSES * TEST}
    return {"bench": "fit", **about, "machine": machine(threads), "models": found}


def noise_material() -> Material:
    """A dataset of noise in memory: 10 classes that differ in level, clips of 173 frames."""
    random = np.random.default_rng(0)
    train, test = (
        tuple(Clip(f"{part}/{label}/{i}", label, 1, str(i)) for label in range(CLASSES) for i in range(count))
        for part, count in (("train", TRAIN), ("test", TEST))
    )
    dataset = Dataset("noise", Path(), tuple(map(str, range(CLASSES))), (Fold(1, train, test),))
    rows = np.concatenate([(1 + c.label) * random.random((FRAMES, 128), dtype=np.float32) for c in train + test])
    spans = {clip.path: (i * FRAMES, (i + 1) * FRAMES) for i, clip in enumerate(train + test)}
    return Material(dataset, Draws(dataset, dataset.fold(1), 0, Draw("clip"), None), Bank("noise", rows, spans))


def _round(job: Job, material: Material, n_per_class: int) -> dict[str, float]:
    """Seconds of one run by part, and of the plain loop."""
    (fields,) = train_and_score(job, material, n_per_class, [1], "cpu")
    (spec,) = run_specs(job, material.bank.key, None)
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder))
        store.prepare()
        line = {"key": spec.key, "status": FINISHED, "identity": spec.identity, **fields}
        stored = _seconds(lambda: store.append(store.file_of(spec), line))
    return {**fields["seconds"], "store": stored, "plain loop": _seconds(lambda: _plain_loop(job, material, n_per_class))}


def _plain_loop(job: Job, material: Material, n_per_class: int) -> Network:
    """The same updates as a run's, in as few lines of torch as they take."""
    clips = material.draws.task(n_per_class, 1).train
    rows = [torch.from_numpy(material.bank[c.path].copy()) for c in clips]
    random = Randomness.named(job.seed, material.dataset.name, job.fold, n_per_class, 1)
    network, method = prepared(job, CLASSES, rows, [c.label for c in clips], random)
    initialise(network, method)
    calibrate(network, method.data)
    data, optimiser = method.data, torch.optim.SGD(network.train().parameter_groups(method.learning_rate))
    for _ in range(method.epochs):
        for batch in method.epoch(network.classifier.noise_sizes):
            optimiser.zero_grad()
            method.loss(network, data.patches(batch), data.labels[batch.clips], batch.noise).backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), method.clip_norm)
            optimiser.step()
        if method.ended(network, data):
            break
    return network


def _summary(rounds: list[dict[str, float]]) -> dict[str, float]:
    parts = {part: statistics.median(each[part] for each in rounds) for part in rounds[0]}
    ratios = [(each["draw"] + each["train"] + each["store"]) / each["plain loop"] for each in rounds]
    return {**{part: round(seconds, 4) for part, seconds in parts.items()}, "overhead": round(statistics.median(ratios) - 1, 4)}


def _seconds(action: Callable[[], Any]) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


@dataclass(frozen=True)
class Noise:
    """Any samples to noise of a fixed size: a bank of any size without its audio."""

    sample_rate: int
    frames: int

    columns = 128

    def __call__(self, samples: np.ndarray) -> np.ndarray:
        seed = int(np.abs(samples).sum() * 1e6)
        return np.random.default_rng(seed).random((self.frames, self.columns), dtype=np.float32)


def memory(models: Sequence[str], n_per_class: int, epochs: int, rounds: int, threads: int) -> dict[str, Any]:
    """Peak memory (MiB) of building a bank of TUT Acoustic Scenes' size from noise, and of one run of each model with it.

    Each is a process of its own; pages of the memory-mapped bank that it touches are counted.
    """
    with tempfile.TemporaryDirectory() as folder:
        write_tut_asc_names(Path(folder) / "data", 0.05)
        found = {"bank": peak(_build_noise_bank, folder)}
        for name in models:
            found[name] = peak(_run_on_noise_bank, folder, name, n_per_class, epochs, threads)
        size = next(Path(folder).glob("cache/*/rows.npy")).stat().st_size
    about = {"n_per_class": n_per_class, "epochs": epochs, "bank_mib": round(size / 2**20)}
    return {"bench": "memory", **about, "machine": machine(threads), "peak_mib": found}


def peak(action: Callable, *arguments: Any) -> int:
    """The peak memory (MiB) of a new process that does this."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(_measured, action, *arguments).result()


def _measured(action: Callable, *arguments: Any) -> int:
    action(*arguments)
    status = Path("/proc/self/status").read_text()  # of this process alone; getrusage would count its parent's peak too
    return round(int(re.search(r"VmHWM:\s+(\d+)", status)[1]) / 1024)


def _noise_bank(folder: str) -> tuple[Dataset, Bank]:
    dataset = tut_asc.tut_acoustic_scenes("tut_asc", Path(folder) / "data", ())
    return dataset, open_bank(dataset, Noise(44100, ASC_FRAMES), Path(folder) / "cache", 1, False)


def _build_noise_bank(folder: str) -> None:
    _noise_bank(folder)


def _run_on_noise_bank(folder: str, model: str, n_per_class: int, epochs: int, threads: int) -> None:
    process.set_up(threads, keep_memory=False)
    dataset, bank = _noise_bank(folder)
    settings = ["dataset=tut_asc", f"dataset.root={dataset.root}", f"model={model}", f"fit.epochs={epochs}", "repeats=1"]
    job = config.job(config.composed([*settings, f"n_per_class={n_per_class}"]))
    train_and_score(job, Material(dataset, Draws(dataset, dataset.fold(1), 0, Draw("clip"), None), bank), n_per_class, [1], "cpu")


def machine(threads: int) -> dict[str, Any]:
    """The machine that was measured."""
    return {"processor": _processor(), "threads": threads, "torch": torch.__version__, "commit": provenance()["commit"]}


def _processor() -> str:
    """The processor's name and number of cores, as far as Linux or Python tell."""
    info = Path("/proc/cpuinfo")
    names = re.findall(r"model name\s*: (.*)", info.read_text()) if info.exists() else []
    return f"{names[0] if names else platform.processor()}, {os.cpu_count()} cores"


def lines(result: dict[str, Any]) -> Iterator[str]:
    """A result for people."""
    yield json.dumps({key: value for key, value in result.items() if key != "models"})
    for name, parts in result.get("models", {}).items():
        seconds = "  ".join(f"{part} {value:.3f} s" for part, value in parts.items() if part != "overhead")
        yield f"{name:12}{seconds}  overhead {parts['overhead']:.1%}"
