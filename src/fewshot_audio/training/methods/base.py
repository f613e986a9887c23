"""The contract of a way to fit: batches in, a loss out, and how patches make a clip's score."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from pydantic import PositiveInt
from torch import Tensor

from fewshot_audio.seeding import seed_for
from fewshot_audio.training.network import Network, Patches


class Batch(NamedTuple):
    """Which clips (batch,), from which frame (batch,), and the dropout's uniform numbers (batch, size) each."""

    clips: Tensor
    starts: Tensor
    noise: tuple[Tensor, ...]

    def to(self, device: torch.device) -> "Batch":
        """The same on a device."""
        return Batch(
            self.clips.to(device),
            self.starts.to(device),
            tuple(each.to(device) for each in self.noise),
        )

    @classmethod
    def of_runs(cls, batches: Sequence["Batch"]) -> "Batch":
        """Batches of one size as one, (runs, batch, ...)."""
        clips, starts, noise = zip(*batches, strict=True)
        return cls(
            torch.stack(clips),
            torch.stack(starts),
            tuple(torch.stack(each) for each in zip(*noise, strict=True)),
        )

    def of(self, place: int) -> "Batch":
        """One run's batch of several."""
        return Batch(
            self.clips[place], self.starts[place], tuple(each[place] for each in self.noise)
        )


class TrainingSet(NamedTuple):
    """The clips that a run trains on: what its frontend prepared of them, frames (clips,), labels (clips,)."""

    inputs: tuple[Tensor, ...]
    lengths: Tensor
    labels: Tensor

    def patches(self, batch: Batch) -> Patches:
        """A batch on the same device to its patches."""
        return Patches(self.inputs, self.lengths, batch.clips, batch.starts)

    def to(self, device: torch.device) -> "TrainingSet":
        """The same on a device."""
        return TrainingSet(
            tuple(each.to(device) for each in self.inputs),
            self.lengths.to(device),
            self.labels.to(device),
        )


@dataclass(frozen=True)
class Generators:
    """A run's generators, one per use, on the CPU so that every device sees the same numbers."""

    init: torch.Generator
    patches: torch.Generator
    dropout: torch.Generator
    support: torch.Generator

    @classmethod
    def named(cls, *names: str | int) -> "Generators":
        """Independent generators that depend on the names alone."""
        uses = ("init", "patches", "dropout", "support")
        return cls(*(torch.Generator().manual_seed(seed_for(use, *names)) for use in uses))


@dataclass(frozen=True)
class Method(ABC):
    """One run's way to train a network on few clips and to score others with it."""

    data: TrainingSet  # on the CPU
    generators: Generators
    max_epochs: PositiveInt | None  # None: until `stop_reason`
    test_hop: PositiveInt  # frames between the patches of a clip to score
    reestimate_batch_norm: bool  # the batch norms' statistics, after training
    score_in_bfloat16: bool  # test clips through the classifier in bfloat16

    @abstractmethod
    def adapt(self, network: Network) -> None:
        """Add to an untrained network what this method needs. ConfigError where the method cannot train it."""

    @property
    def supports(self) -> int:
        """How many of a batch's patches, the first ones, are a support."""
        return 0

    @abstractmethod
    def batches(self, dropout_sizes: tuple[int, ...]) -> Iterator[Batch]:
        """The next epoch's batches."""

    @abstractmethod
    def loss(
        self, network: Network, patches: Patches | Tensor, labels: Tensor, noise: tuple[Tensor, ...]
    ) -> Tensor:
        """A batch's patches, labels (batch,) and dropout noise to the scalar that is minimised."""

    @abstractmethod
    def stop_reason(self, network: Network, data: TrainingSet) -> str | None:
        """Why training ends after the epoch that is over, None while it goes on. Called once per epoch.

        `data` is the method's own, on the network's device, here and below.
        """

    @abstractmethod
    def scorer(self, network: Network, data: TrainingSet) -> Callable[[Tensor], Tensor]:
        """A network in evaluation mode to the function from its outputs (..., size) to patch scores (..., classes).

        A clip's answer is the class with the largest mean over its patches.
        """
