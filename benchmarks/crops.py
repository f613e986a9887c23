"""Crops of waveforms that a loader cuts a second, beside the training steps that it feeds."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from benchmarks.measure import machine, medians
from fewshot_audio.features.cache import FeatureCache
from fewshot_audio.frontends import Leaf, LogMel
from fewshot_audio.training.crops import RandomCrops, Waveforms, loader

RATE, CLIPS, SECONDS, CLASSES, BATCH = 16000, 1024, 4, 50, 64
FRONTENDS = {"log-mel": lambda: LogMel(RATE, 64), "LEAF": lambda: Leaf(RATE, 64)}


def crops(rounds: int, threads: int) -> dict[str, Any]:
    """Clips a second: crops of 1 s from a cache of 16-bit samples on disk, and EfficientNet-B0."""
    torch.set_num_threads(threads)
    torch.set_flush_denormal(True)
    with tempfile.TemporaryDirectory() as folder:
        waveforms = _waveforms(Path(folder))
        taken = medians({"loader": lambda: _load(waveforms)}, rounds)
        speeds = {"loader": CLIPS / taken["loader"]}
        batch = waveforms.crops([(number, number) for number in range(BATCH)])
        for name, make in FRONTENDS.items():
            step = _step(make(), batch, waveforms.targets[:BATCH])
            speeds[name] = BATCH / medians({name: step}, rounds)[name]
    return {"bench": "crops", "clips_per_second": speeds, "machine": machine(threads)}


def lines(result: dict[str, Any]) -> Iterator[str]:
    """Return a result for people."""
    for name, speed in result["clips_per_second"].items():
        yield f"{name:10} {speed:10.1f} clips/s"


def _waveforms(folder: Path) -> Waveforms:
    """Return noise on disk."""
    length = RATE * SECONDS
    shape = (CLIPS * length, 1)
    samples = np.lib.format.open_memmap(folder / "samples.npy", "w+", np.int16, shape)
    samples[:] = np.random.default_rng(0).integers(-3000, 3000, shape, dtype=np.int16)
    samples.flush()
    read = np.load(folder / "samples.npy", mmap_mode="r")
    spans = {str(number): (number * length, (number + 1) * length) for number in range(CLIPS)}
    targets = torch.eye(CLASSES)[torch.arange(CLIPS) % CLASSES]
    return Waveforms(FeatureCache("noise", read, spans), list(spans), targets, RATE)


def _load(waveforms: Waveforms) -> None:
    drawn = RandomCrops(waveforms.lengths(), RATE, BATCH, 1, ("benchmark",), lambda: 0)
    for _ in loader(waveforms, drawn, 0, pin=False):
        pass


def _step(frontend: nn.Module, batch: torch.Tensor, targets: torch.Tensor) -> Any:
    import timm

    classifier = timm.create_model("efficientnet_b0", in_chans=1, num_classes=CLASSES).train()
    optimizer = torch.optim.Adam([*frontend.parameters(), *classifier.parameters()], 1e-4)

    def step() -> None:
        optimizer.zero_grad()
        cross_entropy(classifier(frontend(batch)[:, None]), targets).backward()
        optimizer.step()

    return step
