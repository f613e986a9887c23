"""One run, from its draw to its score."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from math import isfinite
from typing import Any

import torch

from fewshot_audio.components import build
from fewshot_audio.data.bank import Bank
from fewshot_audio.data.tasks import Draws, recordings, task_hash
from fewshot_audio.train.fit import fit, training_set
from fewshot_audio.train.method import Method, Randomness
from fewshot_audio.train.network import build_network
from fewshot_audio.train.score import score
from fewshot_audio.types import Clip, Dataset, Job


@dataclass(frozen=True)
class Material:
    """What all runs of a job share."""

    dataset: Dataset
    draws: Draws
    bank: Bank


class Stopwatch:
    """Seconds by part."""

    def __init__(self):
        self.seconds: dict[str, float] = {}

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Count the block's time under a name."""
        start = time.perf_counter()
        yield
        self.seconds[name] = round(time.perf_counter() - start, 4)


def train_and_score(job: Job, material: Material, n_per_class: int, repeat: int, accelerator: str) -> dict[str, Any]:
    """Draw, train and score one run: the fields of its line that describe the result."""
    watch, dataset = Stopwatch(), material.dataset
    with watch.part("draw"):
        task = material.draws.task(n_per_class, repeat)
        maps = [torch.from_numpy(material.bank[clip.path].copy()) for clip in task.train]
        data = training_set(maps, _labels(task.train))
    method: Method = build(job.fit)
    network = build_network(job, len(dataset.classes))
    with watch.part("train"):
        random = Randomness.named(job.seed, dataset.name, job.fold, n_per_class, repeat)
        device = fit(network, method, data, random, accelerator)
    with watch.part("score"):
        maps = [material.bank[clip.path] for clip in task.test]
        result = score(network, method, maps, _labels(task.test), len(dataset.classes), device)
    return {
        "accuracy": result.accuracy,
        **asdict(result),
        "learned": {name: value if isfinite(value) else None for name, value in network.frontend.learned().items()},
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
        "draw": task_hash(task),
        "recordings": recordings(task, len(dataset.classes)),
        "notes": dataset.notes,
        "seconds": watch.seconds,
        "device": str(device),
    }


def _labels(clips: tuple[Clip, ...]) -> list[int]:
    return [clip.label for clip in clips]
