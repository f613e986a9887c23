"""Gaussian low-pass windows that turn a filter's energy into frames."""

import torch
from torch import Tensor, nn


class GaussianLowpass(nn.Module):
    """Windows of `taps` samples by their learned width, the standard deviation as a share of half the window.

    Widths are kept in [2 / taps, 0.5]. Not normalised, as in the source: the level depends on the rate.
    Source: Zeghidour et al., arXiv 2101.08596, and its code.
    """

    def __init__(self, widths: Tensor, taps: int):
        super().__init__()
        self.widths = nn.Parameter(widths)
        self.taps = taps

    def bounded(self) -> Tensor:
        """Widths (filters,) within their bounds."""
        return self.widths.clamp(2 / self.taps, 0.5)

    def at_bound(self) -> Tensor:
        """Which windows (filters,) have a width at a bound or beyond."""
        return (self.widths <= 2 / self.taps) | (self.widths >= 0.5)

    def in_samples(self) -> Tensor:
        """Standard deviations (filters,) in samples."""
        return self.bounded() * (self.taps - 1) / 2

    def forward(self) -> Tensor:
        """Windows (filters, taps)."""
        half = (self.taps - 1) / 2
        place = (
            torch.arange(self.taps, device=self.widths.device, dtype=self.widths.dtype) - half
        ) / half
        return torch.exp(-0.5 * (place / self.bounded()[:, None]) ** 2)
