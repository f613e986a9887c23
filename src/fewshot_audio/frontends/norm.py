"""Batch norm of clips of different lengths, which ignores what lies beyond the end of a clip."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

Parts = Sequence[Tensor]  # of a batch, some clips in each


class MaskedNorm(nn.Module):
    """Batch norm over the positions within clips.

    It returns a scale and a shift instead of normalised features, and takes a batch in parts, so
    that a few clips at a time can be normalised in place. Its parameters and buffers are those of
    torch's batch norms. It is none of them, as `SyncBatchNorm.convert_sync_batchnorm` would put a
    layer in its place that takes other arguments: each process has its own statistics.

    Args:
        channels: Channels of the features.
        eps: Added to the variance; as in the models.
        momentum: The weight of a batch in the running statistics; None: their plain mean.
    """

    running_mean: Tensor
    running_var: Tensor
    num_batches_tracked: Tensor

    def __init__(self, channels: int, eps: float = 1e-3, momentum: float | None = 0.01):
        super().__init__()
        self.eps, self.momentum = eps, momentum
        self.weight, self.bias = (
            nn.Parameter(start) for start in (torch.ones(channels), torch.zeros(channels))
        )
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))
        self.register_buffer("num_batches_tracked", torch.tensor(0))

    def reset_running_stats(self) -> None:
        """Set the running statistics to their start."""
        self.running_mean.zero_()
        self.running_var.fill_(1)
        self.num_batches_tracked.zero_()

    def forward(self, parts: Parts, masks: Parts) -> tuple[Tensor, Tensor]:
        """Return the scale and the shift (channels, 1) that normalise each channel of a batch.

        Args:
            parts: Features (clips, channels, positions).
            masks: 1 within a clip, 0 beyond its end (clips, 1, positions).
        """
        mean, variance = self.running_mean, self.running_var
        if self.training:
            count = torch.as_tensor(sum(mask.sum() for mask in masks)).clamp(min=1)
            mean, variance = Moments.apply(masks, count, *parts)
            with torch.no_grad():  # as in torch
                self.num_batches_tracked += 1
                weight = 1 / self.num_batches_tracked if self.momentum is None else self.momentum
                unbiased = variance * count / (count - 1).clamp(min=1)
                self.running_mean.copy_(self.running_mean.lerp(mean, weight))
                self.running_var.copy_(self.running_var.lerp(unbiased, weight))
        scale = self.weight * (variance + self.eps).rsqrt()
        return scale[:, None], (self.bias - mean * scale)[:, None]

    def fixed(self) -> tuple[Tensor, Tensor]:
        """Return the scale and the shift of evaluation mode (channels, 1)."""
        scale = self.weight * (self.running_var + self.eps).rsqrt()
        return scale[:, None], (self.bias - self.running_mean * scale)[:, None]


class Moments(torch.autograd.Function):
    """Mean and variance (channels,) over positions within clips, without copies of the features.

    Arguments of `apply`: the masks, the count of positions within clips, then the parts.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(masks: Parts, count: Tensor, *parts: Tensor) -> tuple[Tensor, Tensor]:
        pairs = list(zip(parts, masks, strict=True))
        mean = sum(_masked_sum(x, mask) for x, mask in pairs) / count
        centred = ((x - mean[:, None], mask) for x, mask in pairs)
        variance = sum(_masked_sum(x.mul_(x), mask) for x, mask in centred) / count
        return mean, variance

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
        masks, count, *parts = inputs
        ctx.save_for_backward(count, output[0], *masks, *parts)

    @staticmethod
    def backward(ctx: Any, by_mean: Tensor, by_variance: Tensor) -> tuple[Tensor | None, ...]:
        count, mean, *saved = ctx.saved_tensors
        masks, parts = saved[: len(saved) // 2], saved[len(saved) // 2 :]
        slope = 2 * by_variance / count
        offset = by_mean / count - slope * mean
        gradients = []
        for x, mask in zip(parts, masks, strict=True):
            gradients.append(torch.addcmul(offset[:, None], x, slope[:, None]).mul_(mask))
        return None, None, *gradients


def _masked_sum(x: Tensor, mask: Tensor) -> Tensor:
    return torch.matmul(x, mask.transpose(1, 2)).sum((0, 2))
