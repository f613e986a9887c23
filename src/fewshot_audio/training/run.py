"""Runs from their draws to their scores, one or a stack of them."""

import gc
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from fewshot_audio.components import build
from fewshot_audio.datasets.splits import FewShotSplits, class_counts, split_digest
from fewshot_audio.features.cache import FeatureCache
from fewshot_audio.training.batchnorm import reestimate
from fewshot_audio.training.evaluate import filtered, score
from fewshot_audio.training.loop import TrainingHistory, finite, fit, training_set
from fewshot_audio.training.methods.base import Generators, Method, TrainingSet
from fewshot_audio.training.network import Network, build_network, cut
from fewshot_audio.training.stack import bytes_of_run
from fewshot_audio.types import Clip, Dataset, FewShotSplit, Job

CHECKED = 8  # test clips
FREE_SHARE = 0.8  # of a GPU's free memory that a stack may take


@dataclass(frozen=True)
class JobData:
    """What all runs of a job share."""

    dataset: Dataset
    draws: FewShotSplits
    bank: FeatureCache


class Stopwatch:
    """Seconds by part."""

    def __init__(self):
        self.seconds: dict[str, float] = {}

    @contextmanager
    def part(self, name: str, shared_by: int = 1) -> Iterator[None]:
        """Count the block's time under a name, or the share of one of those who share it."""
        start = time.perf_counter()
        yield
        self.seconds[name] = round((time.perf_counter() - start) / shared_by, 4)


@dataclass(frozen=True)
class Prepared:
    """A run before its training."""

    task: FewShotSplit
    network: Network
    method: Method
    watch: Stopwatch


@dataclass(frozen=True)
class Trained:
    """A run between its training, in a stack of so many, and its scores."""

    run: Prepared
    course: TrainingHistory
    stack: int


def train(
    job: Job, material: JobData, n_per_class: int, repeats: Sequence[int], accelerator: str
) -> list[Trained]:
    """Sampling runs of one n and train them together as one stack."""
    runs = [draw(job, material, n_per_class, repeat) for repeat in repeats]
    training = Stopwatch()
    with training.part("train", len(runs)):
        courses = fit(
            [run.network for run in runs],
            [run.method for run in runs],
            job.optimizer,
            accelerator,
        )
    for run in runs:
        run.watch.seconds |= training.seconds
    return [Trained(run, course, len(runs)) for run, course in zip(runs, courses, strict=True)]


def max_stack_size(job: Job, material: JobData, n_per_class: int, accelerator: str) -> int:
    """How many runs of one n a stack may hold: on a GPU what its free memory takes; 1 where a stack is no faster, on a CPU."""
    if accelerator == "cpu" or not torch.cuda.is_available():
        return 1
    run = draw(job, material, n_per_class, 1)
    try:
        wanted = bytes_of_run(run.network.to("cuda"), run.method)
    except torch.OutOfMemoryError:
        return 1
    gc.collect()
    torch.cuda.empty_cache()  # what earlier stacks held
    free, _ = torch.cuda.mem_get_info()
    return max(1, int(FREE_SHARE * free) // wanted)


def draw(job: Job, material: JobData, n_per_class: int, repeat: int) -> Prepared:
    """One run's draw, its untrained network and its method."""
    watch = Stopwatch()
    with watch.part("prepare"):
        task = material.draws.task(n_per_class, repeat)
        rows = [torch.from_numpy(material.bank[clip.path].copy()) for clip in task.train]
        random = Generators.named(job.seed, material.dataset.name, job.fold, n_per_class, repeat)
        made = prepared(job, len(material.dataset.classes), rows, _labels(task.train), random)
    return Prepared(task, *made, watch)


def scored(trained: Trained, material: JobData) -> dict[str, Any]:
    """A trained run's scores and what else describes its result: fields of its line."""
    run = trained.run
    network, method, watch, classes = (
        run.network,
        run.method,
        run.watch,
        len(material.dataset.classes),
    )
    data = method.data.to(network.device)
    rows = [material.bank[clip.path] for clip in run.task.test]
    with watch.part("filter"):
        maps = filtered(network, rows)
        check(network, rows)
    scores = partial(score, network, method, data, labels=_labels(run.task.test), classes=classes)
    stored = {}
    if method.reestimate_batch_norm:
        with watch.part("score stored"):
            stored = {"metrics_stored_batch_norm": scores(maps=maps).metrics()}
        with watch.part("reestimate"):
            reestimate(network, method, data)
            if any(isinstance(module, nn.BatchNorm2d) for module in network.frontend.modules()):
                maps = filtered(network, rows)  # its own statistics are new too
    with watch.part("score"):
        result = scores(maps=maps)
    with watch.part("measure"):
        said = {"patch_statistics": measured(network, method, data), **_reports(network)}
    return {
        "metrics": result.metrics(),
        "test_clips": result.clips,
        "unscored_clips": result.unscored_clips,
        "class_names": material.dataset.classes,
        **stored,
        "confusion_matrix": result.confusion,
        **asdict(trained.course),
        "learned": {
            name: values[-1] for name, values in trained.course.history.items() if name != "epoch"
        },
        **said,
        "frontend_input": network.frontend.reads,
        "parameters": sum(
            parameter.numel() for parameter in network.parameters() if parameter.requires_grad
        ),
        "few_shot_split": split_digest(run.task),
        **class_counts(run.task, classes),
        "notes": material.dataset.notes,
        "seconds": watch.seconds,
        "device": " ".join(
            [
                str(network.device),
                *([torch.cuda.get_device_name()] if network.device.type == "cuda" else []),
            ]
        ),
    }


@torch.no_grad()
def check(network: Network, rows: Sequence[np.ndarray]) -> None:
    """Let a frontend that needs whole clips see a few of a bank's rows of test clips, for its report."""
    if network.frontend.pointwise:
        return
    some = np.linspace(0, len(rows) - 1, min(CHECKED, len(rows))).round().astype(int)
    data = training_set(
        network.frontend, [torch.from_numpy(rows[i].copy()) for i in some], [0] * len(some)
    )
    network.frontend.check(*data.to(network.device).inputs)


def _reports(network: Network) -> dict[str, Any]:
    """What the frontends report, if they do."""
    reports = [each.report() for each in network.frontends()]
    names = ("frontend_diagnostics", "support_frontend_diagnostics")
    return {name: finite(report) for name, report in zip(names, reports, strict=False) if report}


def prepared(
    job: Job, classes: int, rows: list[Tensor], labels: list[int], random: Generators
) -> tuple[Network, Method]:
    """A job's untrained network and what trains it on clips. ConfigError where the two do not fit each other."""
    network = build_network(job, classes)
    method: Method = build(
        job.method, data=training_set(network.frontend, rows, labels), generators=random
    )
    method.adapt(network)
    return network, method


def measured(network: Network, method: Method, data: TrainingSet) -> dict[str, float | None]:
    """What the frontend says of the patches of one more epoch, a support's among them: means over patches."""
    sums: Counter[str] = Counter()
    if not network.frontend.pointwise:
        return {}
    for batch in method.batches(network.classifier.dropout_sizes):
        here = batch.to(network.device)
        said = network.frontend.patch_statistics(
            cut(data.inputs[0], data.lengths, here.clips, here.starts)
        )
        sums.update(
            {name: value * len(batch.clips) for name, value in said.items()}
            | {"patches": len(batch.clips)}
        )
    return {
        name: finite(total / sums["patches"]) for name, total in sums.items() if name != "patches"
    }


def _labels(clips: tuple[Clip, ...]) -> list[int]:
    return [clip.label for clip in clips]
