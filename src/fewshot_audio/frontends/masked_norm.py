"""Batch norm of clips of different lengths, as if nothing lay between one clip's end and the next one's start."""

from typing import Any

import torch
from torch import Tensor, nn


class MaskedNorm(nn.BatchNorm2d):
    """Features of padded clips (clips, channels, positions) to the scale and shift (channels, 1) that normalise each channel.

    Mean and variance are those of all positions that are `inside` (clips, 1, positions), 1 there and 0 elsewhere, however
    many others there are; else it is torch's batch norm, and a BatchNorm2d so that what treats those treats it too.
    Momentum 0.99 of the old value and epsilon 1e-3, as everywhere here.
    """

    def __init__(self, channels: int):
        super().__init__(channels, eps=1e-3, momentum=0.01)

    def forward(self, x: Tensor, inside: Tensor) -> tuple[Tensor, Tensor]:
        mean, variance = self._followed(x, inside) if self.training else (self.running_mean, self.running_var)
        scale = self.weight * (variance + self.eps).rsqrt()
        return scale[:, None], (self.bias - mean * scale)[:, None]

    def _followed(self, x: Tensor, inside: Tensor) -> tuple[Tensor, Tensor]:
        """A batch's mean and variance, which the running ones follow; None for a momentum: as a plain mean over batches."""
        count = inside.sum()
        mean, variance = Moments.apply(x, inside, count)
        with torch.no_grad():
            self.num_batches_tracked += 1
            weight = 1 / self.num_batches_tracked if self.momentum is None else self.momentum
            self.running_mean.lerp_(mean, weight)
            self.running_var.lerp_(variance * count / (count - 1), weight)
        return mean, variance


class Moments(torch.autograd.Function):
    """Features (clips, channels, positions), `inside` and how many are to mean and variance (channels,), keeping no copy of x."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, inside: Tensor, count: Tensor) -> tuple[Tensor, Tensor]:
        mean = _summed(x, inside) / count
        variance = _summed((x - mean[:, None]).square_(), inside) / count
        ctx.save_for_backward(x, inside, count, mean)
        return mean, variance

    @staticmethod
    def backward(ctx: Any, by_mean: Tensor, by_variance: Tensor) -> tuple[Tensor, None, None]:
        x, inside, count, mean = ctx.saved_tensors
        slope = 2 * by_variance / count
        offset = by_mean / count - slope * mean
        return torch.addcmul(offset[:, None], x, slope[:, None]).mul_(inside), None, None


def _summed(x: Tensor, inside: Tensor) -> Tensor:
    """Sums (channels,) over the positions inside."""
    return torch.matmul(x, inside.transpose(1, 2)).sum((0, 2))
