"""Sinc filters: real band-passes, one lower edge and one bandwidth each."""

from math import pi

import torch
from torch import Tensor, nn

from fewshot_audio.frontends.bounds import within
from fewshot_audio.frontends.filterbank.filters import Filters
from fewshot_audio.frontends.filterbank.init import Init, Mel

LEAST = 50  # Hz, added to every lower edge and to every bandwidth
UNIT = 4096  # Hz of the parameters: in Hz, plain SGD's steps would be lost in rounding


class Sinc(Filters):
    """Real band-passes under a Hamming window, lower edge and bandwidth learned.

    The lower edge is 50 Hz plus the size of its parameter. The upper edge is 50 Hz plus the size of
    the bandwidth's parameter above it, and at most half the sample rate. The lower one has no such
    bound, as in the source's code: beyond, the bandwidth is negative. Before the window the
    largest tap of each filter is 1. Source: Ravanelli & Bengio, arXiv 1808.00158, as in the code of
    Zeghidour et al., arXiv 2101.08596.

    Args:
        n_filters: How many.
        sample_rate: Hz.
        window_ms: Length of the impulse responses, rounded up to an odd number of taps.
        init: Where they start, side by side.
    """

    is_complex = False
    comes_back = True  # from beyond half the sample rate

    def __init__(
        self, n_filters: int, sample_rate: int, window_ms: float = 25.0, init: Init | None = None
    ):
        super().__init__(n_filters, sample_rate, window_ms)
        self.taps += 1 - self.taps % 2
        low, band = (Mel(low=50) if init is None else init).edges(n_filters, sample_rate)
        low, band = (each.to(torch.get_default_dtype()) for each in (low, band))
        self.low, self.band = nn.Parameter(low / UNIT), nn.Parameter(band / UNIT)

    def edges(self) -> tuple[Tensor, Tensor]:
        """Return lower and upper edges in Hz (filters,)."""
        low = LEAST + UNIT * self.low.abs()
        high = low + LEAST + UNIT * self.band.abs()
        return low, within(high, None, self.sample_rate / 2, self.comes_back)

    @torch.no_grad()
    def scales(self) -> dict[str, float]:
        """Return the bandwidth of the filters, for both edges."""
        bandwidth = self.in_hz()[1].median().item() / UNIT
        return {"low": bandwidth, "band": bandwidth}

    def impulse_responses(self) -> Tensor:
        low, high = (each[:, None] for each in self.edges())
        t = torch.arange(self.taps, device=low.device, dtype=low.dtype)
        seconds = (t - self.taps // 2) / self.sample_rate
        band_pass = _low_pass(high, seconds) - _low_pass(low, seconds)
        window = 0.54 - 0.46 * torch.cos(2 * pi * t / self.taps)
        largest = band_pass.amax(1, keepdim=True)  # 0 where both edges are at half the rate
        return band_pass / torch.where(largest == 0, 1.0, largest) * window

    def in_hz(self) -> tuple[Tensor, Tensor]:
        low, high = self.edges()
        return (low + high) / 2, high - low

    def at_bound(self) -> Tensor:
        """Return which filters end at half the sample rate."""
        return self.edges()[1] >= self.sample_rate / 2


def _low_pass(hz: Tensor, seconds: Tensor) -> Tensor:
    """Return ideal low-passes, computed in the reference's order, whose rounding shows."""
    turns = 2 * pi * hz * seconds
    return 2 * hz * torch.where(turns == 0, 1.0, turns.sin() / torch.where(turns == 0, 1.0, turns))
