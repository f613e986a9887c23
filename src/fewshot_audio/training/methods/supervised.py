"""Training on one random patch per clip and epoch, of clips with one label or several."""

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from pydantic import NonNegativeFloat, PositiveInt
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from fewshot_audio.training.methods.base import Batch, Method, TrainingSet
from fewshot_audio.training.network import Network, Patches, refuse_embeddings
from fewshot_audio.types import ConfigError


@dataclass(frozen=True, kw_only=True)
class RandomPatches(Method):
    """One random patch per clip and epoch, reshuffled; weight decay on kernels in the loss.

    Args:
        batch_size: Patches of an update.
        weight_decay: Factor of half the sum of squares of all kernels, in the loss.
    """

    batch_size: PositiveInt
    weight_decay: NonNegativeFloat

    @abstractmethod
    def cost(self, outputs: Tensor, labels: Tensor) -> Tensor:
        """Return the mean cost of a batch's outputs (batch, n_classes)."""

    def adapt(self, network: Network) -> None:
        if self.max_epochs is None:
            raise ConfigError(
                "method.max_epochs=null: this method ends after a number of epochs; give it, as in "
                "method.max_epochs=199"
            )
        refuse_embeddings(network, "method=prototypical")

    @property
    def updates_per_epoch(self) -> int:
        return -(-len(self.data.labels) // self.batch_size)

    def batches(self, dropout_sizes: tuple[int, ...]) -> Iterator[Batch]:
        """Yield batches that hold each clip once, from a random frame that leaves a patch."""
        random, count = self.generators, len(self.data.labels)
        choices = (self.data.lengths - self.data.n_frames).clamp(min=0) + 1
        uniform = torch.rand(count, generator=random.patches, dtype=torch.float64)
        starts = (uniform * choices).long()
        for clips in torch.randperm(count, generator=random.patches).split(self.batch_size):
            yield Batch(clips, starts[clips], random.noise(len(clips), dropout_sizes))

    def loss(
        self, network: Network, patches: Patches | Tensor, labels: Tensor, noise: tuple[Tensor, ...]
    ) -> Tensor:
        penalty = sum(kernel.square().sum() for kernel in network.classifier.kernels())
        return self.cost(network(patches, noise), labels) + self.weight_decay / 2 * penalty

    def stop_reason(self, network: Network, data: TrainingSet) -> None:
        """Go on to the last epoch."""


@dataclass(frozen=True, kw_only=True)
class Supervised(RandomPatches):
    """Cross-entropy; a clip's score is the mean of its patches' softmax probabilities.

    Source: Pons, Serrà & Serra, arXiv 1810.10274, and its code.
    """

    def cost(self, outputs: Tensor, labels: Tensor) -> Tensor:
        return cross_entropy(outputs, labels)

    def scorer(self, state: Mapping[str, Tensor]) -> Callable[[Tensor], Tensor]:
        return lambda logits: logits.softmax(-1)

    def logits(self, scores: Tensor) -> Tensor:
        return scores.clamp(min=torch.finfo(scores.dtype).tiny).log()


@dataclass(frozen=True, kw_only=True)
class MultiLabel(RandomPatches):
    """Binary cross-entropy; a clip's score is the mean of its patches' sigmoid probabilities."""

    multi_label: ClassVar[bool] = True

    def cost(self, outputs: Tensor, labels: Tensor) -> Tensor:
        return binary_cross_entropy_with_logits(outputs, labels.to(outputs.dtype))

    def scorer(self, state: Mapping[str, Tensor]) -> Callable[[Tensor], Tensor]:
        return torch.sigmoid

    def logits(self, scores: Tensor) -> Tensor:
        return scores.logit(torch.finfo(scores.dtype).eps)
