"""Filters: their contract, Gabor filters, and filters whose every tap is learned."""

from __future__ import annotations

from abc import ABC, abstractmethod
from math import log, pi, sqrt
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn.functional import conv1d, pad

from fewshot_audio.frontends.bounds import within
from fewshot_audio.frontends.checks import check_count, check_positive
from fewshot_audio.frontends.filterbank.framing import taps_of
from fewshot_audio.frontends.filterbank.init import Init, Mel
from fewshot_audio.frontends.layer import MadeOnCpu, alone

if TYPE_CHECKING:
    from jaxtyping import Bool, Complex, Float

    PerFilter = Float[Tensor, " filters"]

FWHM = 2 * sqrt(2 * log(2))  # of a Gaussian, in standard deviations
WIDTH = FWHM / (2 * pi)  # standard deviation in samples of a filter as wide as the sample rate
MEL_LEVEL = pi**0.75  # gives a Gabor filter the energy that its mel triangle has as area


class Filters(MadeOnCpu, ABC):
    """Filters that are learned, as impulse responses.

    Args:
        n_filters: How many.
        sample_rate: Hz.
        window_ms: Length of the impulse responses.

    Attributes:
        taps: Samples of the impulse responses; the middle one is taps // 2.
        is_complex: Whether they are complex.
        tapwise: Whether each tap is a parameter.
        symmetric: Whether they read backwards are their own conjugates.
        random: Whether `initialise` draws their start.
    """

    is_complex = True
    tapwise = False
    symmetric = False
    random = False

    def __init__(self, n_filters: int, sample_rate: int, window_ms: float):
        check_count(n_filters=n_filters)
        super().__init__()
        self.n_filters, self.sample_rate = n_filters, sample_rate
        self.taps = taps_of(sample_rate, window_ms)

    def forward(self, waveform: Float[Tensor, "... time"]) -> Tensor:
        """Return filtered waveforms (..., filters, time), with zeros around them.

        Correlated with the impulse responses, whose sample (taps - 1) // 2 falls on each sample.
        Computed in float32 at least; real ones in the waveform's dtype.
        """
        return alone(self, self._filtered, waveform)

    def _filtered(self, waveform: Tensor) -> Tensor:
        filters, before, time = self.impulse_responses(), (self.taps - 1) // 2, waveform.shape[-1]
        clips = waveform.flatten(0, -2) if waveform.ndim > 1 else waveform[None]
        clips = pad(
            clips[:, None], (before, max(self.taps - 1 - before, self.taps - before - time))
        )
        if self.is_complex:
            parts = [conv1d(clips, part[:, None]) for part in (filters.real, filters.imag)]
            filtered = torch.complex(*parts)
        else:
            filtered = conv1d(clips, filters[:, None])
        filtered = filtered[..., :time]  # one too many of none
        return filtered.reshape(*waveform.shape[:-1], self.n_filters, time)

    @abstractmethod
    def impulse_responses(self) -> Complex[Tensor, "filters taps"] | Float[Tensor, "filters taps"]:
        """Return the impulse responses."""

    @abstractmethod
    def in_hz(self) -> tuple[PerFilter, PerFilter]:
        """Return centres and bandwidths in Hz.

        A bandwidth is the full width at half of the largest amplitude.
        """

    def at_bound(self) -> Bool[Tensor, " filters"]:
        """Return which filters lie at a bound of a parameter, or beyond."""
        return torch.zeros(self.n_filters, dtype=torch.bool, device=next(self.parameters()).device)

    def initialise(self, generator: torch.Generator) -> None:
        """Draw a random start, if it is random."""

    def project(self) -> None:
        """Bring parameters beyond their bounds back, where they have gradients again."""


class Gabor(Filters):
    """Gaussians around a centre frequency, centre and width learned.

    Centres are kept in [0, pi] rad/sample, widths (standard deviations in samples) between 4 and
    `taps` times sqrt(2 ln 2) / pi, so that bandwidths lie between sample_rate / taps and
    sample_rate / 4. Source: Zeghidour et al., arXiv 2101.08596, and its code.

    Args:
        n_filters: How many.
        sample_rate: Hz.
        window_ms: Length of the impulse responses.
        init: Where they start.
        width_unit: Samples that the parameters of widths count in, a power of two. Plain SGD's
            steps are width_unit^2 times as large in samples.
    """

    comes_back = True  # from beyond bounds, without `project`

    def __init__(
        self,
        n_filters: int,
        sample_rate: int,
        window_ms: float = 25.0,
        init: Init | None = None,
        width_unit: float = 1.0,
    ):
        check_positive(width_unit=width_unit)
        super().__init__(n_filters, sample_rate, window_ms)
        self.init = Mel() if init is None else init
        self.random, self.width_unit = self.init.random, width_unit
        self.symmetric = self.taps % 2 == 1
        centres, widths = self.init.centres_and_widths(n_filters, sample_rate)
        self.centres = nn.Parameter(centres.to(torch.get_default_dtype()))
        self.widths = nn.Parameter(widths.to(torch.get_default_dtype()) / width_unit)

    def bounded(self) -> tuple[PerFilter, PerFilter]:
        """Return centres (rad/sample) and widths (samples) within their bounds."""
        widths = self.width_unit * self.widths
        return (
            within(self.centres, 0, pi, self.comes_back),
            within(widths, 4 * WIDTH, self.taps * WIDTH, self.comes_back),
        )

    @torch.no_grad()
    def scales(self) -> dict[str, float]:
        """Return the filters' spread in frequency, in rad/sample, and their width."""
        widths = self.bounded()[1]
        spread, width = (each.median().item() for each in (1 / widths, widths))
        return {"centres": spread, "widths": width / self.width_unit}

    def impulse_responses(self) -> Tensor:
        centres, widths = (each[:, None] for each in self.bounded())
        t = torch.arange(self.taps // 2 + 1, device=centres.device, dtype=centres.dtype)
        envelope = torch.exp(-(t**2) / (2 * widths**2)) / (sqrt(2 * pi) * widths)
        real, imaginary = envelope * torch.cos(centres * t), envelope * torch.sin(centres * t)
        real = torch.cat([real[:, 1:].flip(1), real], 1)
        imaginary = torch.cat([-imaginary[:, 1:].flip(1), imaginary], 1)
        return torch.complex(real[:, : self.taps], imaginary[:, : self.taps])

    def in_hz(self) -> tuple[PerFilter, PerFilter]:
        centres, widths = self.bounded()
        bandwidths = FWHM * self.sample_rate / (2 * pi * widths)
        return centres * self.sample_rate / (2 * pi), bandwidths

    def at_bound(self) -> Tensor:
        widths = self.width_unit * self.widths
        narrow, wide = widths >= self.taps * WIDTH, widths <= 4 * WIDTH
        return narrow | wide | (self.centres <= 0) | (self.centres >= pi)

    @torch.no_grad()
    def initialise(self, generator: torch.Generator) -> None:
        if not self.random:
            return
        widths = self.bounded()[1].double()
        centres, widths = self.init.drawn(widths, self.sample_rate, generator)
        self.centres.copy_(centres)
        self.widths.copy_(widths / self.width_unit)

    @torch.no_grad()
    def project(self) -> None:
        centres, widths = self.bounded()
        self.centres.copy_(centres)
        self.widths.copy_(widths / self.width_unit)


class Free(Filters):
    """Complex filters whose every tap is learned, from Gabor filters on.

    Source: time-domain filterbanks, Zeghidour et al., arXiv 1711.01161.

    Args:
        n_filters: How many.
        sample_rate: Hz.
        window_ms: Length of the impulse responses.
        init: Where the Gabor filters lie that they start as; not random.
    """

    tapwise = True

    def __init__(
        self, n_filters: int, sample_rate: int, window_ms: float = 25.0, init: Init | None = None
    ):
        super().__init__(n_filters, sample_rate, window_ms)
        if init is not None and init.random:
            raise ValueError("init=Random: expected another start; only Gabor filters draw theirs")
        gabor = Gabor(n_filters, sample_rate, window_ms, init).impulse_responses().detach()
        self.real = nn.Parameter(gabor.real * MEL_LEVEL)
        self.imaginary = nn.Parameter(gabor.imag * MEL_LEVEL)

    def impulse_responses(self) -> Tensor:
        return torch.complex(self.real, self.imaginary)

    @torch.no_grad()
    def scales(self) -> dict[str, float]:
        """Return the root mean square of the taps."""
        size = self.impulse_responses().abs().square().mean().sqrt().item()
        return {"real": size, "imaginary": size}

    def in_hz(self) -> tuple[PerFilter, PerFilter]:
        """Return mean and spread of the power over positive frequencies.

        The bandwidth is that of a Gaussian with the same spread.
        """
        bins = 8 * self.taps
        power = torch.fft.fft(self.impulse_responses(), bins).abs().square()[:, : 4 * self.taps]
        hz = torch.arange(power.shape[1], device=power.device) * (self.sample_rate / bins)
        share = power / power.sum(1, keepdim=True)
        centre = (share * hz).sum(1)
        variance = (share * (hz - centre[:, None]).square()).sum(1)
        return centre, FWHM * sqrt(2) * variance.sqrt()
