"""Supervised training as in the study: random patches, cross-entropy, plain SGD."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from pydantic import NonNegativeFloat, PositiveInt
from torch import Tensor
from torch.nn.functional import cross_entropy

from fewshot_audio.models.base import FRAMES
from fewshot_audio.training.methods.base import Batch, Method, TrainingSet
from fewshot_audio.training.network import Network, Patches
from fewshot_audio.types import ConfigError


@dataclass(frozen=True)
class Supervised(Method):
    """One random patch per clip and epoch, reshuffled; cross-entropy with weight decay on kernels; last weights.

    A clip's score is the mean of its patches' probabilities. Source: Pons, Serrà & Serra, arXiv 1810.10274, and its code.
    """

    batch_size: PositiveInt
    weight_decay: NonNegativeFloat

    def adapt(self, network: Network) -> None:
        if self.max_epochs is None:
            raise ConfigError(
                "method.max_epochs=null: supervised training ends after a number of epochs; give it, as in method.max_epochs=199"
            )
        if network.classifier.embeds:
            raise ConfigError(
                "this model gives embeddings, not one output per class: train it with method=prototypical"
            )

    def batches(self, dropout_sizes: tuple[int, ...]) -> Iterator[Batch]:
        random, count = self.generators, len(self.data.labels)
        choices = (self.data.lengths - FRAMES).clamp(min=0) + 1
        starts = (torch.rand(count, generator=random.patches, dtype=torch.float64) * choices).long()
        for clips in torch.randperm(count, generator=random.patches).split(self.batch_size):
            noise = tuple(
                torch.rand(len(clips), size, generator=random.dropout) for size in dropout_sizes
            )
            yield Batch(clips, starts[clips], noise)

    def loss(
        self, network: Network, patches: Patches | Tensor, labels: Tensor, noise: tuple[Tensor, ...]
    ) -> Tensor:
        penalty = sum(kernel.square().sum() for kernel in network.classifier.kernels())
        return cross_entropy(network(patches, noise), labels) + self.weight_decay / 2 * penalty

    def stop_reason(self, network: Network, data: TrainingSet) -> None:
        return None

    def scorer(self, network: Network, data: TrainingSet) -> Callable[[Tensor], Tensor]:
        return lambda logits: logits.softmax(-1)
