"""Per-channel energy normalisation, its smoothing without a loop over frames."""

from math import ceil, sqrt

import torch
from torch import Tensor, nn

FLOOR = 1e-12


class PCEN(nn.Module):
    """Energies (clips, frames, bands) to (x / (floor + M)^alpha + delta)^(1 / root) - delta^(1 / root), M being smoothed x.

    All four are learned per band; alpha is kept at most 1, root at least 1, the smoothing weight in [0, 1], delta above 0,
    where the function stops being real. Source: Wang et al., arXiv 1607.05666, as in Zeghidour et al., arXiv 2101.08596.
    """

    def __init__(self, alpha: Tensor, delta: Tensor, root: Tensor, smooth: Tensor):
        super().__init__()
        self.alpha, self.delta = nn.Parameter(alpha), nn.Parameter(delta)
        self.root, self.smooth = nn.Parameter(root), nn.Parameter(smooth)

    def bounded(self) -> dict[str, Tensor]:
        """The four within their bounds, (bands,) each, by name."""
        delta, root = self.delta.clamp(min=FLOOR), self.root.clamp(min=1)
        return {"alpha": self.alpha.clamp(max=1), "delta": delta, "root": root, "smooth": self.smooth.clamp(0, 1)}

    def forward(self, energies: Tensor) -> Tensor:
        alpha, delta, root, smooth = self.bounded().values()
        smoothed = smoothed_over_frames(energies, smooth)
        return (energies / (FLOOR + smoothed) ** alpha + delta) ** (1 / root) - delta ** (1 / root)


def smoothed_over_frames(x: Tensor, weight: Tensor) -> Tensor:
    """Exponential moving averages M_t = w x_t + (1 - w) M_(t-1) of x (clips, frames, bands), from M_(-1) = x_0; w (bands,).

    In two levels of about sqrt(frames): sums within blocks of frames by a triangular matrix of powers, and the same over
    the blocks' ends. The work is a small matrix product instead of a step per frame.
    """
    frames = x.shape[1]
    size = max(1, ceil(sqrt(frames)))
    blocks = -(-frames // size)
    padded = torch.nn.functional.pad(x, (0, 0, 0, blocks * size - frames)).unflatten(1, (blocks, size))
    keep = (1 - weight)[:, None, None]  # (bands, 1, 1)
    within = weight * torch.einsum("fij,bnjf->bnif", _powers(keep, size), padded)
    ends = torch.cat([x[:, :1], within[:, :-1, -1]], 1)  # what enters each block, (clips, blocks, bands)
    entering = torch.einsum("fij,bjf->bif", _powers(keep**size, blocks), ends)
    fading = keep[:, 0] ** torch.arange(1, size + 1, device=x.device, dtype=x.dtype)  # (bands, size)
    return (within + entering[:, :, None] * fading.T).flatten(1, 2)[:, :frames]


def _powers(base: Tensor, size: int) -> Tensor:
    """base^(i - j) below the diagonal and on it (bands, size, size)."""
    steps = torch.arange(size, device=base.device, dtype=base.dtype)
    return (base ** (steps[:, None] - steps).clamp(min=0)).tril()
