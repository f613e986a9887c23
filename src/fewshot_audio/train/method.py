"""The contract of a way to fit: batches in, a loss out, and how patches make a clip's score."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from fewshot_audio.seeds import seed_for
from fewshot_audio.train.network import Network


class TrainingSet(NamedTuple):
    """The clips that a run trains on: maps (clips, frames, bands) padded to the longest, frames, labels (clips,)."""

    maps: Tensor
    lengths: Tensor
    labels: Tensor


class Batch(NamedTuple):
    """Which clips (batch,), from which frame (batch,), and the dropout's uniform numbers (batch, size) each."""

    clips: Tensor
    starts: Tensor
    noise: tuple[Tensor, ...]


@dataclass(frozen=True)
class Randomness:
    """A run's generators, one per use, on the CPU so that every device sees the same numbers."""

    init: torch.Generator
    patches: torch.Generator
    dropout: torch.Generator

    @classmethod
    def named(cls, *names: str | int) -> "Randomness":
        """Three independent generators that depend on the names alone."""
        return cls(*(torch.Generator().manual_seed(seed_for(use, *names)) for use in ("init", "patches", "dropout")))


class Method(ABC):
    """How a network is trained on few clips and scored."""

    epochs: int
    learning_rate: float
    clip_norm: float
    test_hop: int  # frames

    @abstractmethod
    def epoch(self, data: TrainingSet, randomness: Randomness, noise_sizes: tuple[int, ...]) -> Iterator[Batch]:
        """One epoch of batches."""

    @abstractmethod
    def loss(self, network: Network, patches: Tensor, labels: Tensor, noise: tuple[Tensor, ...]) -> Tensor:
        """Patches (batch, 128, 128), labels (batch,) and dropout noise to the scalar that is minimised."""

    @abstractmethod
    def clip_scores(self, logits: Tensor) -> Tensor:
        """Logits (clips, patches, classes) to scores (clips, classes), the largest of which is the answer."""
