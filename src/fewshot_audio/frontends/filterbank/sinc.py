"""Sinc filters: real band-passes, one lower edge and one band each."""

from math import pi

import torch
from torch import Tensor, nn

LEAST = 50  # Hz, added to every lower edge and to every band
UNIT = 4096  # Hz, of the parameters: in Hz, plain SGD's steps would be lost in rounding; a power of two rounds nothing


class Sinc(nn.Module):
    """Filters of an odd number of `taps` by lower edge and band (filters,), given in Hz, both learned, under a Hamming window.

    A lower edge is 50 Hz plus the size of its parameter; the upper one another 50 Hz and the size of the band's above it, at
    most half the rate. Each filter's largest tap is 1, before the window. Source: Ravanelli & Bengio, arXiv 1808.00158, as in
    the code of Zeghidour et al., arXiv 2101.08596.
    """

    def __init__(self, low: Tensor, band: Tensor, taps: int, sample_rate: int):
        super().__init__()
        self.low, self.band = nn.Parameter(low / UNIT), nn.Parameter(band / UNIT)
        self.taps, self.sample_rate = taps, sample_rate

    def edges(self) -> tuple[Tensor, Tensor]:
        """Lower and upper edges (filters,) in Hz."""
        low = LEAST + UNIT * self.low.abs()
        return low, (low + LEAST + UNIT * self.band.abs()).clamp(max=self.sample_rate / 2)

    def at_bound(self) -> Tensor:
        """Which filters (filters,) end at half the rate."""
        return self.edges()[1] >= self.sample_rate / 2

    def in_hz(self, sample_rate: int) -> tuple[Tensor, Tensor]:
        """Centres and bandwidths (filters,) in Hz."""
        low, high = self.edges()
        return (low + high) / 2, high - low

    def forward(self) -> Tensor:
        """Impulse responses (filters, taps); the middle tap is number taps // 2."""
        low, high = (each[:, None] for each in self.edges())
        t = torch.arange(self.taps, device=low.device, dtype=low.dtype)
        seconds = (t - self.taps // 2) / self.sample_rate
        passes = _low_pass(high, seconds) - _low_pass(low, seconds)
        window = 0.54 - 0.46 * torch.cos(2 * pi * t / self.taps)
        largest = passes.amax(1, keepdim=True)
        return (
            passes / torch.where(largest == 0, 1.0, largest) * window
        )  # 0 where both edges lie at half the rate


def _low_pass(hz: Tensor, seconds: Tensor) -> Tensor:
    """Ideal low-passes (filters, taps) up to some frequencies; in the reference's order, whose rounding shows at high ones."""
    turns = 2 * pi * hz * seconds
    return 2 * hz * torch.where(turns == 0, 1.0, turns.sin() / torch.where(turns == 0, 1.0, turns))
