"""The contract of a training method: batches, a loss, and how patches make a clip's score."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, NamedTuple

import torch
from pydantic import PositiveInt
from torch import Tensor

from fewshot_audio.training.network import Network, Patches
from fewshot_audio.training.randomness import Generators


class Batch(NamedTuple):
    """The patches of an update, of one run or of several."""

    clips: Tensor  # numbers of the clips (batch,), or (runs, batch)
    starts: Tensor  # first frames of the patches, of the same shape
    noise: tuple[Tensor, ...]  # uniform (batch, size), or (runs, batch, size), of each dropout

    def map(self, function: Callable[[Tensor], Tensor]) -> "Batch":
        """Return what a function makes of each tensor."""
        return Batch(function(self.clips), function(self.starts), tuple(map(function, self.noise)))

    def to(self, device: torch.device) -> "Batch":
        """Return the same on a device."""
        return self.map(lambda each: each.to(device))

    @classmethod
    def of_runs(cls, batches: Sequence["Batch"]) -> "Batch":
        """Return batches of one size as one (runs, batch, ...)."""
        clips, starts, noise = zip(*batches, strict=True)
        layers = tuple(torch.stack(layer) for layer in zip(*noise, strict=True))
        return cls(torch.stack(clips), torch.stack(starts), layers)

    def of(self, place: int) -> "Batch":
        """Return the batch of one of the runs."""
        return self.map(lambda each: each[place])


class TrainingSet(NamedTuple):
    """The clips that a run trains on."""

    inputs: tuple[Tensor, ...]  # what the frontend prepared of them
    lengths: Tensor  # frames of each clip (clips,)
    labels: Tensor  # (clips,), or for several labels per clip 0 and 1 (clips, n_classes)
    n_frames: int = 128  # frames of a patch

    def patches(self, batch: Batch) -> Patches:
        """Return the patches of a batch on the same device."""
        return Patches(self.inputs, self.lengths, batch.clips, batch.starts, self.n_frames)

    def of(self, batch: Batch) -> tuple[Patches, Tensor, tuple[Tensor, ...]]:
        """Return what a loss takes of a batch on the same device: patches, labels and noise."""
        return self.patches(batch), self.labels[batch.clips], batch.noise

    def to(self, device: torch.device) -> "TrainingSet":
        """Return the same on a device."""
        inputs = tuple(each.to(device) for each in self.inputs)
        return TrainingSet(inputs, self.lengths.to(device), self.labels.to(device), self.n_frames)


@dataclass(frozen=True, kw_only=True)
class Method(ABC):
    """How one run trains a network on its clips, and scores others with it.

    Args:
        data: The clips that train, on the CPU.
        generators: The run's random numbers.
        max_epochs: Largest number of epochs; None: until `stop_reason` gives one.
        test_hop: Frames between the patches of a clip that is scored.
        reestimate_batch_norm: Whether batch norm's statistics are estimated anew after training.
        precision: What training computes in: "32-true", "tf32" (a GPU rounds factors of products to
            11 bits), "bf16-mixed" (classifiers in bfloat16, weights in float32).
        score_in_bfloat16: Whether clips pass through the classifier in bfloat16 when scored.
        keep_best: Metric on the clips that validate; the weights of the epoch at which it is best
            are kept. None: those of the last epoch.
    """

    multi_label: ClassVar[bool] = False
    """Whether it trains on clips with several labels."""

    data: TrainingSet
    generators: Generators
    max_epochs: PositiveInt | None
    test_hop: PositiveInt
    reestimate_batch_norm: bool = False
    precision: Literal["32-true", "tf32", "bf16-mixed"] = "32-true"
    score_in_bfloat16: bool = False
    keep_best: str | None = None

    @abstractmethod
    def adapt(self, network: Network) -> None:
        """Add to an untrained network what this method needs.

        Raises:
            ConfigError: The method cannot train this network.
        """

    @property
    def supports(self) -> int:
        """How many of a batch's patches, the first ones, are a support."""
        return 0

    @property
    @abstractmethod
    def updates_per_epoch(self) -> int:
        """How many batches an epoch has: a run that made another number of updates has failed."""

    @abstractmethod
    def batches(self, dropout_sizes: tuple[int, ...]) -> Iterator[Batch]:
        """Yield the batches of the next epoch."""

    @abstractmethod
    def loss(
        self, network: Network, patches: Patches | Tensor, labels: Tensor, noise: tuple[Tensor, ...]
    ) -> Tensor:
        """Return the scalar that is minimised.

        Args:
            network: The network in training mode.
            patches: The patches of a batch.
            labels: Their labels (batch,) or (batch, n_classes).
            noise: The batch's random numbers for dropout.
        """

    @abstractmethod
    def stop_reason(self, network: Network, data: TrainingSet) -> str | None:
        """Return why training ends after this epoch, None while it goes on. Called once per epoch.

        Args:
            network: The network in training mode, as it must be left.
            data: The method's own clips, on the network's device.
        """

    def scoring_state(self, network: Network, data: TrainingSet) -> dict[str, Tensor]:
        """Return by name what scores depend on besides the network; nothing in most methods.

        Args:
            network: The network in evaluation mode.
            data: The method's own clips, on the network's device.
        """
        return {}

    @abstractmethod
    def scorer(self, state: Mapping[str, Tensor]) -> Callable[[Tensor], Tensor]:
        """Return the function from outputs (..., size) to patch scores (..., n_classes).

        A clip's score is the mean over its patches. `state` is what `scoring_state` returned; the
        method's clips are not looked at, so that it may have none.
        """

    @abstractmethod
    def logits(self, scores: Tensor) -> Tensor:
        """Return the logits (..., n_classes) of scores: of softmax, of sigmoid for several labels.

        Gradients pass through them.
        """

    def probabilities(self, scores: Tensor) -> Tensor:
        """Return the probabilities (..., n_classes) of scores, which they are in most methods."""
        return scores
