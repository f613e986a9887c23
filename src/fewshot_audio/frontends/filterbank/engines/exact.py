"""The engine whose bands are so wide that its errors are like those of rounding."""

import torch
from torch import Tensor

from fewshot_audio.frontends.filterbank.engines.bands import Bands

SHARE = 1e-11  # of a filter's power that may be left out
SHARE_BRIEF = 1e-12  # the same under brief windows
BRIEF = 1 / 4  # sum of a brief window, as a share of its taps
WINDOW_SHARE = 1e-7  # of a window's power that may be left out


class Exact(Bands):
    """Filter at the rate of each filter's band, so wide that errors are like those of rounding.

    Against the definition in float64 they are at most 2e-5 of the largest value after compression
    for noise, also for spectra as steep as brown noise, and at most 1e-4 for tones and chirps,
    where quiet bands lie below float32's rounding of loud ones: plain convolutions in float32
    differ as much. In float64 they are at most 1e-5.
    """

    window_share = WINDOW_SHARE
    double_windows = True  # rounding would let a loud frame of a block into its quiet ones

    def share_outside(self, filters: Tensor, windows: Tensor) -> Tensor:
        brief = windows.sum(1) < BRIEF * windows.shape[1]
        return torch.where(brief, SHARE_BRIEF, SHARE)
