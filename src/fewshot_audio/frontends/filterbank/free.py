"""Free filters: every tap is learned."""

from math import sqrt

import torch
from torch import Tensor, nn

from fewshot_audio.frontends.filterbank.gabor import FWHM


class Free(nn.Module):
    """Complex filters (filters, taps) of which each tap is learned. Source: Zeghidour et al., arXiv 1711.01161."""

    def __init__(self, real: Tensor, imaginary: Tensor):
        super().__init__()
        self.real, self.imaginary = nn.Parameter(real), nn.Parameter(imaginary)
        self.taps = real.shape[1]

    def at_bound(self) -> Tensor:
        """Which filters (filters,) lie at a bound: none, there are no bounds."""
        return torch.zeros(len(self.real), dtype=torch.bool, device=self.real.device)

    def in_hz(self, sample_rate: int) -> tuple[Tensor, Tensor]:
        """Centres and bandwidths (filters,) in Hz: mean and spread of the power over positive frequencies.

        The bandwidth is the full width at half of the largest amplitude of a Gaussian with that spread, as of Gabor filters.
        """
        power = (
            torch.fft.fft(torch.complex(self.real, self.imaginary), 8 * self.taps)
            .abs()
            .square()[:, : 4 * self.taps]
        )
        hz = torch.arange(power.shape[1], device=power.device) * (sample_rate / (8 * self.taps))
        share = power / power.sum(1, keepdim=True)
        centre = (share * hz).sum(1)
        return centre, FWHM * sqrt(2) * (share * (hz - centre[:, None]).square()).sum(1).sqrt()

    def forward(self) -> tuple[Tensor, Tensor]:
        """Real and imaginary parts of the impulse responses (filters, taps)."""
        return self.real, self.imaginary
