"""Runs before their training: which clips, which network, which method."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from fewshot_audio.components import build
from fewshot_audio.datasets.base import Clip, Dataset, FewShotSplit
from fewshot_audio.datasets.splits import FewShotSplits
from fewshot_audio.features.cache import Cache
from fewshot_audio.training.checks import check_labels
from fewshot_audio.training.clips import ClipBatches
from fewshot_audio.training.crops import Waveforms
from fewshot_audio.training.evaluate import clip_batches
from fewshot_audio.training.loop import training_set
from fewshot_audio.training.methods.base import Method
from fewshot_audio.training.network import Network, build_network
from fewshot_audio.training.randomness import Generators
from fewshot_audio.training.waveform_network import WaveformNetwork, build_waveform_network
from fewshot_audio.types import Job


@dataclass(frozen=True)
class JobData:
    """What all runs of a job share: clips, which of them train, and their features."""

    dataset: Dataset
    splits: FewShotSplits
    features: Cache
    _loaded: dict[tuple, ClipBatches] = field(default_factory=dict, compare=False, repr=False)

    def batches(self, clips: Sequence[Clip], network: Network) -> ClipBatches:
        """Return the features of clips where a network of the job is, loaded there once."""
        ids = tuple(clip.id for clip in clips)
        if (ids, network.device) not in self._loaded:
            self._loaded[ids, network.device] = clip_batches(network, self.features.of(ids))
        return self._loaded[ids, network.device]


class Stopwatch:
    """Seconds by part."""

    def __init__(self) -> None:
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

    job: Job
    split: FewShotSplit
    network: Network
    method: Method
    watch: Stopwatch


@dataclass(frozen=True)
class PreparedOnCrops:
    """A run on crops before its training.

    Args:
        job: The settings.
        split: Which clips train, validate and test.
        network: The untrained network.
        watch: Counts its time.
        names: What its random numbers depend on.
    """

    job: Job
    split: FewShotSplit
    network: WaveformNetwork
    watch: Stopwatch
    names: tuple[str | int | None, ...]


def prepare_run(job: Job, data: JobData, n_per_class: int | None, repeat: int) -> Prepared:
    """Return one run's split, its untrained network and its method."""
    watch, names = Stopwatch(), (job.seed, data.dataset.name, job.fold, n_per_class, repeat)
    with watch.part("prepare"):
        split = data.splits.split(n_per_class, repeat)
        rows = [torch.from_numpy(data.features[clip.id].copy()) for clip in split.train]
        labels, n_classes = targets_of(split.train, data.dataset), len(data.dataset.classes)
        network, method = prepared(job, n_classes, rows, labels, Generators.named(*names))
        check_labels(job, method, data.dataset)
    return Prepared(job, split, network, method, watch)


def prepare_on_crops(
    job: Job, data: JobData, n_per_class: int | None, repeat: int
) -> PreparedOnCrops:
    """Return one run's split and its network with new weights."""
    watch, names = Stopwatch(), (job.seed, data.dataset.name, job.fold, n_per_class, repeat)
    with watch.part("prepare"):
        split, generators = data.splits.split(n_per_class, repeat), Generators.named(*names)
        seed = generators.init.initial_seed()
        network = build_waveform_network(job, data.dataset.classes, seed=seed)
        network.network.classifier.initialise(generators.init)
        network.network.frontend.begin(generators.init)
    return PreparedOnCrops(job, split, network, watch, names)


def prepared(
    job: Job, n_classes: int, rows: list[Tensor], labels: list[int] | Tensor, generators: Generators
) -> tuple[Network, Method]:
    """Return a job's untrained network and what trains it on clips, as `training_set` takes them.

    Raises:
        ConfigError: Network and method do not fit each other.
    """
    network = build_network(job, n_classes, seed=generators.init.initial_seed())
    data = training_set(network.frontend, rows, labels, job.patch_frames)
    method = build(job.method, Method, data=data, generators=generators)
    method.adapt(network)
    return network, method


def targets_of(clips: Sequence[Clip], dataset: Dataset) -> Tensor:
    """Return the labels (clips,) of clips, or 0 and 1 (clips, n_classes) for several per clip."""
    if not dataset.multi_label:
        return torch.tensor([clip.label for clip in clips])
    targets = torch.zeros(len(clips), len(dataset.classes))
    for number, clip in enumerate(clips):
        targets[number, list(clip.labels)] = 1
    return targets


def waveforms_of(network: WaveformNetwork, clips: Sequence[Clip], data: JobData) -> Waveforms:
    """Return clips as what crops for a network are cut from."""
    targets, n_classes = targets_of(clips, data.dataset), len(data.dataset.classes)
    if not data.dataset.multi_label:
        targets = one_hot(targets, n_classes)
    size = network.method.samples(network.sample_rate)
    return Waveforms(data.features, [clip.id for clip in clips], targets.float(), size)
