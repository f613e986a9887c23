"""Which bins of a block's spectrum a filter needs, and how many samples they make."""

from typing import NamedTuple

import torch
from torch import Tensor

from fewshot_audio.frontends.filterbank.engines.overlap_save import Blocking, power, responses


class BandPlan(NamedTuple):
    """For each filter (filters,): samples that its filtered block is kept at, and its band."""

    samples: Tensor  # more than size // 2: at the full rate
    centres: Tensor  # middle bins
    widths: Tensor  # numbers of bins


def plan_bands(
    filters: Tensor, windows: Tensor, shares: Tensor, window_share: float, blocking: Blocking
) -> BandPlan:
    """Return the bands of filters.

    The energy of a band of n bins has 2 n bins. The pooling window, a low-pass, takes the lowest of
    them; so little more than n samples suffice.

    Args:
        filters: Impulse responses (filters, taps).
        windows: Pooling windows (filters, taps).
        shares: The share of each filter's power that may lie outside of its band (filters,).
        window_share: The share of a window's power that may be lost.
        blocking: The blocks, whose bins are counted.
    """
    size = blocking.samples
    centres, widths = _bands(filters, shares, size, blocking.symmetric)
    coarse = _power_of_two(windows.shape[1])
    reach = _reach(power(torch.fft.rfft(windows, coarse)), window_share)
    of_window = (1 + reach) * (size // coarse)
    least = torch.minimum(widths + of_window, 2 * widths)
    steps = [2**power * factor for power in range(3, size.bit_length()) for factor in (2, 3)]
    ladder = torch.tensor([step for step in steps if step < size] + [size], device=least.device)
    samples = ladder[torch.searchsorted(ladder, least).clamp(max=len(ladder) - 1)]
    return BandPlan(samples, centres, widths)


def _bands(filters: Tensor, shares: Tensor, size: int, symmetric: bool) -> tuple[Tensor, Tensor]:
    """Return the bin with the largest response, and how many bins around it a band has."""
    coarse = _power_of_two(filters.shape[1])  # as many bins as show where the power lies
    response = responses(filters, coarse, symmetric)
    of_bins = response.square() if symmetric else power(response)
    centres = of_bins.max(1).indices  # faster than argmax
    by_distance = _from(of_bins, centres) + _from(of_bins.flip(1), coarse - 1 - centres)
    factor, reach = size // coarse, _reach(by_distance, shares[:, None])
    return centres * factor, (2 * factor * reach + 1).clamp(max=size)


def _power_of_two(least: int) -> int:
    return 1 << (least - 1).bit_length()


def _from(rows: Tensor, first: Tensor) -> Tensor:
    """Return half of each row and one more, from a bin on, as if rows went round."""
    bins = rows.shape[1]
    twice = torch.cat([rows, rows], 1).flatten()
    begin = first + torch.arange(len(rows), device=first.device) * (2 * bins)
    return twice.unfold(0, bins // 2 + 1, 1).index_select(0, begin)


def _reach(power: Tensor, share: Tensor | float) -> Tensor:
    """Return the distance from which on less than a share of the power lies."""
    beyond = power.flip(1).cumsum(1)  # from each distance on, the farthest first
    return beyond.shape[1] - torch.searchsorted(beyond, share * beyond[:, -1:], right=True)[:, 0]
