"""Batch norm of clips of different lengths, as if nothing lay between one clip's end and the next one's start."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn


class MaskedNorm(nn.BatchNorm2d):
    """A batch's features, some clips at a time, to the scale and shift (channels, 1) that normalise each channel.

    Each part is (clips, channels, positions) and comes with what of it is `inside` (clips, 1, positions), 1 there and 0
    elsewhere. Mean and variance are those of all positions inside, however many others there are; else it is torch's batch
    norm, and a BatchNorm2d so that what treats those treats it too. Momentum 0.99 of the old value and epsilon 1e-3, as in
    the models.
    """

    def __init__(self, channels: int):
        super().__init__(channels, eps=1e-3, momentum=0.01)

    def forward(self, parts: Sequence[Tensor], insides: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        mean, variance = (
            self._followed(parts, insides)
            if self.training
            else (self.running_mean, self.running_var)
        )
        scale = self.weight * (variance + self.eps).rsqrt()
        return scale[:, None], (self.bias - mean * scale)[:, None]

    def _followed(
        self, parts: Sequence[Tensor], insides: Sequence[Tensor]
    ) -> tuple[Tensor, Tensor]:
        """A batch's mean and variance, which the running ones follow; None for a momentum: as a plain mean over batches."""
        count = sum(each.sum() for each in insides)
        mean, variance = Moments.apply(insides, count, *parts)
        with torch.no_grad():
            self.num_batches_tracked += 1
            weight = 1 / self.num_batches_tracked if self.momentum is None else self.momentum
            self.running_mean.lerp_(mean, weight)
            self.running_var.lerp_(variance * count / (count - 1).clamp(min=1), weight)
        return mean, variance


class Moments(torch.autograd.Function):
    """What of the parts is inside, its count, and the parts to mean and variance (channels,), keeping no copies of the parts."""

    @staticmethod
    def forward(
        ctx: Any, insides: Sequence[Tensor], count: Tensor, *parts: Tensor
    ) -> tuple[Tensor, Tensor]:
        pairs = list(zip(parts, insides, strict=True))
        mean = sum(_summed(x, inside) for x, inside in pairs) / count
        variance = (
            sum(_summed((x - mean[:, None]).square_(), inside) for x, inside in pairs) / count
        )
        ctx.save_for_backward(count, mean, *insides, *parts)
        return mean, variance

    @staticmethod
    def backward(ctx: Any, by_mean: Tensor, by_variance: Tensor) -> tuple[Tensor | None, ...]:
        count, mean, *saved = ctx.saved_tensors
        slope = 2 * by_variance / count
        offset = by_mean / count - slope * mean
        half = len(saved) // 2
        pairs = zip(saved[half:], saved[:half], strict=True)
        return (
            None,
            None,
            *(
                torch.addcmul(offset[:, None], x, slope[:, None]).mul_(inside)
                for x, inside in pairs
            ),
        )


def _summed(x: Tensor, inside: Tensor) -> Tensor:
    """Sums (channels,) over the positions inside."""
    return torch.matmul(x, inside.transpose(1, 2)).sum((0, 2))
