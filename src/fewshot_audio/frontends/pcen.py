"""Per-channel energy normalisation, its smoothing without a step per frame."""

from math import sqrt

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

EPSILON = 1e-12


class PCEN(nn.Module):
    """Energies (clips, frames, bands) to (x / (floor + M)^alpha + delta)^(1 / root) - delta^(1 / root), M being smoothed x.

    All four are learned per band; alpha is kept at most 1, root at least 1, the smoothing weight in [0, 1], delta above 0,
    where the function stops being real. Source: Wang et al., arXiv 1607.05666, as in Zeghidour et al., arXiv 2101.08596.
    """

    def __init__(self, alpha: Tensor, delta: Tensor, root: Tensor, smooth: Tensor, floor: float):
        super().__init__()
        self.floor = floor
        self.alpha, self.delta = nn.Parameter(alpha), nn.Parameter(delta)
        self.root, self.smooth = nn.Parameter(root), nn.Parameter(smooth)

    def bounded(self) -> dict[str, Tensor]:
        """The four within their bounds, (bands,) each, by name."""
        delta, root = self.delta.clamp(min=EPSILON), self.root.clamp(min=1)
        return {
            "alpha": self.alpha.clamp(max=1),
            "delta": delta,
            "root": root,
            "smooth": self.smooth.clamp(0, 1),
        }

    @torch.no_grad()
    def physical_parameters(self) -> dict[str, Tensor]:
        """The four within their bounds, (bands,) each, by name, on the CPU."""
        return {name: value.cpu().clone() for name, value in self.bounded().items()}

    def forward(self, energies: Tensor) -> Tensor:
        alpha, delta, root, smooth = self.bounded().values()
        smoothed = smoothed_over_frames(energies, smooth)
        return (energies / (self.floor + smoothed) ** alpha + delta) ** (1 / root) - delta ** (
            1 / root
        )


def smoothed_over_frames(x: Tensor, weight: Tensor) -> Tensor:
    """Exponential moving averages M_t = w x_t + (1 - w) M_(t-1) of x (clips, frames, bands), from M_(-1) = x_0; w (bands,).

    In two levels of about sqrt(frames) steps: all blocks of frames at once as if each began with zero, then the blocks' ends,
    whose fading is added to each block.
    """
    frames, keep = x.shape[1], 1 - weight
    size = max(1, round(sqrt(frames)))
    padded = pad(x, (0, 0, 0, -frames % size)).unflatten(
        1, (-1, size)
    )  # (clips, blocks, size, bands)
    average, inside = torch.zeros_like(padded[:, :, 0]), []
    for frame in padded.unbind(2):
        average = torch.lerp(average, frame, weight)
        inside.append(average)
    before, entering = x[:, 0], []
    for end in average.unbind(1):
        entering.append(before)
        before = end + before * keep**size
    fading = (
        keep ** torch.arange(1, size + 1, device=x.device, dtype=x.dtype)[:, None]
    )  # (size, bands)
    return (torch.stack(inside, 2) + torch.stack(entering, 1)[:, :, None] * fading).flatten(1, 2)[
        :, :frames
    ]
