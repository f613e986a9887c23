"""Random crops and side-by-side windows of clips, from a feature cache of waveforms."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from fewshot_audio.features.cache import Cache
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

    cache: Cache
    clips: Sequence[str]
    targets: Tensor
    size: int

    def lengths(self) -> np.ndarray:
        """Return the samples of each clip."""
        return np.array([self.cache.length(clip) for clip in self.clips])

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
        groups: Numbers of clips (clips,), of each of which an epoch holds as many crops; empty: all
            clips are one group.
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
        groups: Sequence[np.ndarray] = (),
    ):
        self.lengths, self.size, self.batch_size = lengths, size, batch_size
        self.per_clip, self.names, self.epoch, self.rank = per_clip, names, epoch, rank
        self.groups = groups or [np.arange(len(lengths))]

    def __len__(self) -> int:
        own = -(-len(self.lengths) * self.per_clip // self.rank[1])
        return -(-own // self.batch_size)

    def __iter__(self) -> Iterator[list[Place]]:
        random = np.random.default_rng(seed_for("crops", *self.names, self.epoch()))
        numbers = random.permutation(self._chosen(random))
        starts = random.integers(np.maximum(self.lengths[numbers] - self.size, 0) + 1)
        places = list(zip(numbers.tolist(), starts.tolist(), strict=True))
        number, world = self.rank
        places += list(islice(cycle(places), -len(places) % world))  # every device has as many
        own = places[number::world]
        for first in range(0, len(own), self.batch_size):
            yield own[first : first + self.batch_size]

    def _chosen(self, random: np.random.Generator) -> np.ndarray:
        """Return the clips of an epoch's crops: each as often as others of its group, or once more.

        There are as many crops as if all clips were one group.
        """
        total, chosen = len(self.lengths) * self.per_clip, []
        for number, group in enumerate(self.groups):
            times, rest = divmod((total + number) // len(self.groups), len(group))
            chosen.append(np.repeat(group, times))
            if rest:
                chosen.append(random.choice(group, rest, replace=False))
        return np.concatenate(chosen)


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
