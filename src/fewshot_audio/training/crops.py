"""Random crops and side-by-side windows of clips, from a feature cache of waveforms."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from fewshot_audio.features.cache import FeatureCache
from fewshot_audio.seeding import seed_for

Place = tuple[int, int]  # number of a clip, first sample


@dataclass(frozen=True)
class Waveforms(Dataset):
    """Clips that crops of one length are cut from.

    Args:
        cache: Waveforms of the clips.
        clips: What the cache knows the clips by.
        targets: 0 and 1 (clips, n_classes).
        size: Samples of a crop.
    """

    cache: FeatureCache
    clips: Sequence[str]
    targets: Tensor
    size: int

    def lengths(self) -> np.ndarray:
        """Return the samples of each clip."""
        spans = [self.cache.spans[clip] for clip in self.clips]
        return np.array([stop - start for start, stop in spans])

    def crops(self, places: Sequence[Place]) -> Tensor:
        """Return crops (places, size) that start at places; zeros lie behind the end of a clip."""
        crops = np.zeros((len(places), self.size), np.float32)
        for crop, (number, start) in zip(crops, places, strict=True):
            samples = self.cache.rows(self.clips[number], start, start + self.size)[:, 0]
            crop[: len(samples)] = samples
        return torch.from_numpy(crops)

    def __getitems__(self, places: Sequence[Place]) -> tuple[Tensor, Tensor]:
        """Return a batch: crops (batch, size) and targets (batch, n_classes)."""
        return self.crops(places), self.targets[[number for number, _ in places]]


class RandomCrops:
    """Batches of places in random order, the same for the same epoch.

    Args:
        lengths: Samples of each clip.
        size: Samples of a crop.
        batch_size: Crops of a batch.
        per_clip: Crops of each clip in an epoch.
        names: What the run's random numbers depend on.
        epoch: Returns the number of the epoch.
        rank: Number of this device, and of all: each has every so-many-th place.
        targets: Draw as many crops, but as many of each class (clips, n_classes); None: so many of
            each clip.
    """

    def __init__(
        self,
        lengths: np.ndarray,
        size: int,
        batch_size: int,
        per_clip: int,
        names: Sequence[str | int | None],
        epoch: Callable[[], int],
        rank: tuple[int, int] = (0, 1),
        targets: Tensor | None = None,
    ):
        self.lengths, self.size, self.batch_size = lengths, size, batch_size
        self.targets = targets
        self.per_clip, self.names, self.epoch, self.rank = per_clip, names, epoch, rank

    def __len__(self) -> int:
        own = -(-len(self.lengths) * self.per_clip // self.rank[1])
        return -(-own // self.batch_size)

    def __iter__(self) -> Iterator[list[Place]]:
        random = np.random.default_rng(seed_for("crops", *self.names, self.epoch()))
        numbers = np.repeat(np.arange(len(self.lengths)), self.per_clip)
        if self.targets is None:
            numbers = random.permutation(numbers)
        else:
            numbers = evenly(self.targets.numpy(), len(numbers), random)
        starts = random.integers(np.maximum(self.lengths[numbers] - self.size, 0) + 1)
        places = list(zip(numbers.tolist(), starts.tolist(), strict=True))
        number, world = self.rank
        places += places[: -len(places) % world]  # every device has as many
        own = places[number::world]
        for first in range(0, len(own), self.batch_size):
            yield own[first : first + self.batch_size]


def evenly(targets: np.ndarray, count: int, random: np.random.Generator) -> np.ndarray:
    """Return numbers of clips (count,), one of each class in turn, the classes in random order.

    A class begins again, its clips in another order, once all have come. A clip without labels
    never comes. Source: Kong et al., arXiv 1912.10211, balanced sampling.

    Args:
        targets: Which clips have which classes (clips, n_classes).
        count: How many.
        random: What orders clips and classes.
    """
    members = [np.flatnonzero(clips) for clips in targets.T if clips.any()]
    turns = -(-count // len(members))
    drawn = []
    for clips in members:
        again = [random.permutation(clips) for _ in range(-(-turns // len(clips)))]
        drawn.append(np.concatenate(again)[:turns])
    return random.permuted(np.stack(drawn, 1), axis=1).ravel()[:count]


def loader(waveforms: Waveforms, sampler: RandomCrops, workers: int, pin: bool) -> DataLoader:
    """Return what loads the batches of an epoch, by so many other processes."""
    return DataLoader(
        waveforms,
        batch_sampler=sampler,
        num_workers=workers,
        collate_fn=_as_is,
        pin_memory=pin,
        persistent_workers=workers > 0,
        multiprocessing_context="spawn" if workers else None,
    )


def _as_is(batch: Any) -> Any:
    return batch


def window_starts(length: int, size: int, hop: int) -> list[int]:
    """Return the first samples of a clip's windows; the last one ends where the clip does.

    A clip that is shorter than a window has one.
    """
    last = max(length - size, 0)
    starts = list(range(0, last + 1, hop))
    return starts if starts[-1] == last else [*starts, last]
