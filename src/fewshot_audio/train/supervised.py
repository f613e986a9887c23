"""Supervised training as in the study: random patches, cross-entropy, plain SGD."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from pydantic import NonNegativeFloat, PositiveFloat, PositiveInt
from torch import Tensor
from torch.nn.functional import cross_entropy

from fewshot_audio.models.classifier import FRAMES
from fewshot_audio.train.method import Batch, Method, Randomness, TrainingSet
from fewshot_audio.train.network import Network


@dataclass(frozen=True)
class Supervised(Method):
    """One random patch per clip and epoch, reshuffled; cross-entropy with weight decay on kernels; last weights.

    A clip's score is the mean of its patches' probabilities. Source: Pons, Serrà & Serra, arXiv 1810.10274, and its code.
    """

    epochs: PositiveInt
    batch_size: PositiveInt
    learning_rate: PositiveFloat
    clip_norm: PositiveFloat
    decay: NonNegativeFloat
    test_hop: PositiveInt  # frames

    def epoch(self, data: TrainingSet, randomness: Randomness, noise_sizes: tuple[int, ...]) -> Iterator[Batch]:
        count = len(data.labels)
        choices = (data.lengths - FRAMES).clamp(min=0) + 1
        starts = (torch.rand(count, generator=randomness.patches, dtype=torch.float64) * choices).long()
        for clips in torch.randperm(count, generator=randomness.patches).split(self.batch_size):
            noise = tuple(torch.rand(len(clips), size, generator=randomness.dropout) for size in noise_sizes)
            yield Batch(clips, starts[clips], noise)

    def loss(self, network: Network, patches: Tensor, labels: Tensor, noise: tuple[Tensor, ...]) -> Tensor:
        penalty = sum(kernel.square().sum() for kernel in network.classifier.kernels())
        return cross_entropy(network(patches, noise), labels) + self.decay / 2 * penalty

    def clip_scores(self, logits: Tensor) -> Tensor:
        return logits.softmax(2).mean(1)
