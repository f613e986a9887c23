"""Augmentations of waveforms in training; they draw from torch's global generators.

Those of spectrograms are ordinary modules of (batch, bands, frames), as torchaudio's SpecAugment.
"""

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn
from torch.distributions import Beta

from fewshot_audio.types import ConfigError


class WaveformAugmentation(nn.Module, ABC):
    """Changes crops of waveforms, and their targets where that is needed."""

    @abstractmethod
    def forward(self, waveforms: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Return crops (batch, time) and targets (batch, n_classes) in [0, 1], both changed."""


class Gain(WaveformAugmentation):
    """Make each crop louder or softer.

    Args:
        low: Least gain in dB.
        high: Largest gain in dB.
    """

    def __init__(self, low: float = -6.0, high: float = 6.0):
        super().__init__()
        if not low <= high:
            raise ConfigError(f"augmentation: gain from low={low} to high={high} dB; swap them")
        self.low, self.high = low, high

    def forward(self, waveforms: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        uniform = torch.rand(len(waveforms), 1, device=waveforms.device)
        decibels = self.low + (self.high - self.low) * uniform
        return waveforms * 10 ** (decibels / 20), targets


class TimeShift(WaveformAugmentation):
    """Shift each crop in time; what leaves at one end comes in at the other.

    Args:
        share: Largest shift in either direction, as a share of the crop.
    """

    def __init__(self, share: float = 0.5):
        super().__init__()
        if not 0 <= share <= 1:
            raise ConfigError(f"augmentation: share={share}; expected a number from 0 to 1")
        self.share = share

    def forward(self, waveforms: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        count, length = waveforms.shape
        uniform = torch.rand(count, 1, device=waveforms.device)
        shifts = ((2 * uniform - 1) * self.share * length).round().long()
        places = torch.arange(length, device=waveforms.device) - shifts
        return waveforms.gather(1, places % length), targets


class Mixup(WaveformAugmentation):
    """Add to each crop another one of the batch, and to its targets those of the other.

    Source: Zhang et al., arXiv 1710.09412.

    Args:
        alpha: Both parameters of the Beta distribution that the share of a crop is drawn from.
    """

    def __init__(self, alpha: float = 0.2):
        super().__init__()
        if not alpha > 0:
            raise ConfigError(f"augmentation: alpha={alpha}; expected a number above 0")
        self.alpha = alpha

    def forward(self, waveforms: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        both = torch.tensor(self.alpha, device=waveforms.device)
        share = Beta(both, both).sample((len(waveforms), 1))
        others = torch.randperm(len(waveforms), device=waveforms.device)
        mixed = share * waveforms + (1 - share) * waveforms[others]
        return mixed, share * targets + (1 - share) * targets[others]
