"""Gabor filters: complex, one centre and one width each."""

from math import log, pi, sqrt

import torch
from torch import Tensor, nn

FWHM = 2 * sqrt(2 * log(2))  # of a Gaussian, in standard deviations


class Gabor(nn.Module):
    """Filters of `taps` samples by centre (rad/sample) and width (standard deviation in samples), both learned.

    Centres are kept in [0, pi], widths between 4 and `taps` times sqrt(2 ln 2) / pi, which keeps bandwidths between one
    fourth of the rate and 1 / taps of it. The parameters of widths count in `unit` samples: plain SGD's steps are unit^2 times as
    large in samples. Source: Zeghidour et al., arXiv 2101.08596, and its code.
    """

    def __init__(self, centres: Tensor, widths: Tensor, taps: int, unit: float = 1.0):
        super().__init__()
        self.centres = nn.Parameter(centres)
        self.widths = nn.Parameter(widths / unit)
        self.taps, self.unit = taps, unit

    def bounded(self) -> tuple[Tensor, Tensor]:
        """Centres and widths (filters,) within their bounds."""
        least = FWHM / (2 * pi)
        return self.centres.clamp(0, pi), (self.unit * self.widths).clamp(
            4 * least, self.taps * least
        )

    @torch.no_grad()
    def project(self) -> None:
        """Bring parameters back to their bounds, where, unlike beyond, they have gradients."""
        centres, widths = self.bounded()
        self.centres.copy_(centres)
        self.widths.copy_(widths / self.unit)

    def at_bound(self) -> Tensor:
        """Which filters (filters,) lie at a bound of their centre or width, or beyond."""
        least, widths = FWHM / (2 * pi), self.unit * self.widths
        narrow, wide = widths >= self.taps * least, widths <= 4 * least
        return narrow | wide | (self.centres <= 0) | (self.centres >= pi)

    def in_hz(self, sample_rate: int) -> tuple[Tensor, Tensor]:
        """Centres and bandwidths (filters,) in Hz; a bandwidth is the full width at half of the largest amplitude."""
        centres, widths = self.bounded()
        return centres * sample_rate / (2 * pi), FWHM * sample_rate / (2 * pi * widths)

    def forward(self) -> tuple[Tensor, Tensor]:
        """Real and imaginary parts of the impulse responses (filters, taps); the middle tap is number taps // 2."""
        centres, widths = (each[:, None] for each in self.bounded())
        t = torch.arange(self.taps // 2 + 1, device=centres.device, dtype=centres.dtype)
        envelope = torch.exp(-(t**2) / (2 * widths**2)) / (sqrt(2 * pi) * widths)
        real, imaginary = envelope * torch.cos(centres * t), envelope * torch.sin(centres * t)
        both = (
            torch.cat([real[:, 1:].flip(1), real], 1),
            torch.cat([-imaginary[:, 1:].flip(1), imaginary], 1),
        )
        return both[0][:, : self.taps], both[1][:, : self.taps]
