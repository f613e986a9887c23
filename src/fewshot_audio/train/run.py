"""One run, from its draw to its score."""

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from fewshot_audio.components import build
from fewshot_audio.data.bank import Bank
from fewshot_audio.data.tasks import Draws, class_counts, task_hash
from fewshot_audio.train.fit import finite, fit, training_set
from fewshot_audio.train.method import Method, Randomness
from fewshot_audio.train.network import Network, build_network, cut
from fewshot_audio.train.reestimate import reestimate
from fewshot_audio.train.score import filtered, score
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
    classes = len(dataset.classes)
    with watch.part("draw"):
        task = material.draws.task(n_per_class, repeat)
        rows = [torch.from_numpy(material.bank[clip.path].copy()) for clip in task.train]
        random = Randomness.named(job.seed, dataset.name, job.fold, n_per_class, repeat)
        network, method = prepared(job, classes, rows, _labels(task.train), random)
        del rows  # the method has what is needed of them
    with watch.part("train"):
        course = fit(network, method, accelerator)
    with watch.part("filter"):
        maps = filtered(network, [material.bank[clip.path] for clip in task.test])
    scores = partial(score, network, method, maps, _labels(task.test), classes)
    stored = {}
    if method.reestimate_bn:
        with watch.part("score stored"):
            stored = {"stored_bn": scores().numbers()}
        with watch.part("reestimate"):
            reestimate(network, method)
    with watch.part("score"):
        result = scores()
    return {
        **result.numbers(),
        **stored,
        "confusion": result.confusion,
        **asdict(course),
        "learned": {name: path[-1] for name, path in course.path.items() if name != "epoch"},
        "measured": measured(network, method),
        **_reports(network),
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
        "draw": task_hash(task),
        **class_counts(task, classes),
        "notes": dataset.notes,
        "seconds": watch.seconds,
        "device": str(network.device),
    }


def _reports(network: Network) -> dict[str, Any]:
    """What the frontends report, if they do."""
    reports = [each.report() for each in network.frontends()]
    names = ("frontend_report", "support_frontend_report")
    return {name: finite(report) for name, report in zip(names, reports, strict=False) if report}


def prepared(job: Job, classes: int, rows: list[Tensor], labels: list[int], random: Randomness) -> tuple[Network, Method]:
    """A job's untrained network and what trains it on clips. ConfigError where the two do not fit each other."""
    network = build_network(job, classes)
    method: Method = build(job.fit, data=training_set(network.frontend, rows, labels), randomness=random)
    method.equip(network)
    return network, method


def measured(network: Network, method: Method) -> dict[str, float | None]:
    """What the frontend says of the patches of one more epoch, a support's among them: means over patches."""
    sums: Counter[str] = Counter()
    if not network.frontend.pointwise:
        return {}
    data = method.data.to(network.device)
    for batch in method.epoch(network.classifier.noise_sizes):
        here = batch.to(network.device)
        said = network.frontend.measured(cut(data.inputs[0], data.lengths, here.clips, here.starts))
        sums.update({name: value * len(batch.clips) for name, value in said.items()} | {"patches": len(batch.clips)})
    return {name: finite(total / sums["patches"]) for name, total in sums.items() if name != "patches"}


def _labels(clips: tuple[Clip, ...]) -> list[int]:
    return [clip.label for clip in clips]
