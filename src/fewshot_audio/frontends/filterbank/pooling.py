"""Windows that turn filtered samples into frames, other than a Gaussian for each filter."""

import torch
from torch import Tensor, nn


class SharedWindow(nn.Module):
    """One window (taps,) for all filters, every tap of it learned. Source: Zeghidour et al., arXiv 1711.01161."""

    def __init__(self, window: Tensor, filters: int):
        super().__init__()
        self.window = nn.Parameter(window)
        self.filters = filters

    def at_bound(self) -> Tensor:
        """Which windows (filters,) lie at a bound: none, there are no bounds."""
        return torch.zeros(self.filters, dtype=torch.bool, device=self.window.device)

    def in_samples(self) -> Tensor:
        """The window's spread in samples (filters,): the standard deviation of the size of its taps."""
        share = self.window.abs() / self.window.abs().sum()
        t = torch.arange(len(share), device=share.device, dtype=share.dtype)
        spread = (share * (t - (share * t).sum()).square()).sum().sqrt()
        return spread.expand(self.filters)

    def forward(self) -> Tensor:
        """Windows (filters, taps), all the same."""
        return self.window.expand(self.filters, -1)


class Largest(nn.Module):
    """No weights: the largest sample under a window of so many taps. Source: Ravanelli & Bengio, arXiv 1808.00158."""

    def __init__(self, filters: int, taps: int):
        super().__init__()
        self.register_buffer("ones", torch.ones(filters, taps), persistent=False)

    def at_bound(self) -> Tensor:
        """Which windows (filters,) lie at a bound: none, nothing is learned."""
        return torch.zeros(len(self.ones), dtype=torch.bool, device=self.ones.device)

    def forward(self) -> Tensor:
        """Windows (filters, taps) of ones."""
        return self.ones


def squared_hann(taps: int) -> Tensor:
    """The square of a symmetric Hann window (taps,), time-domain filterbanks' first low-pass."""
    return torch.hann_window(taps, periodic=False, dtype=torch.float64).square().float()
