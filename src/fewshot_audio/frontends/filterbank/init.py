"""Where filters start: their centres and widths before training."""

import math
from abc import ABC, abstractmethod

import torch
from torch import Tensor

Pair = tuple[Tensor, Tensor]  # two numbers of each filter (filters,), in float64


class Init(ABC):
    """Spread filters over a band of frequencies.

    Args:
        low: Lower end of the band in Hz.
        high: Upper end in Hz; None: half the sample rate.

    Attributes:
        random: Whether the start is drawn, by `drawn`, for each run.
    """

    random = False

    def __init__(self, low: float = 60.0, high: float | None = None):
        if low < 0:
            raise ValueError(f"low={low}: expected at least 0 Hz")
        if high is not None and not low < high:
            raise ValueError(f"high={high}: expected more than low={low} Hz")
        self.low, self.high = low, high

    def band(self, sample_rate: int) -> tuple[float, float]:
        """Return the ends of the band in Hz, once they are within 0 ... sample_rate / 2."""
        nyquist = sample_rate / 2
        high = nyquist if self.high is None else self.high
        if not self.low < high:
            raise ValueError(f"low={self.low}: expected less than high={high} Hz")
        if not high <= nyquist:
            raise ValueError(f"high={high}: expected at most {nyquist} Hz, half the sample rate")
        return self.low, high

    @abstractmethod
    def centres_and_widths(self, n_filters: int, sample_rate: int) -> Pair:
        """Return centres (rad/sample) and widths (standard deviations in samples)."""

    def edges(self, n_filters: int, sample_rate: int) -> Pair:
        """Return lower edges and bandwidths in Hz of neighbouring band-passes, if they are."""
        raise ValueError(
            f"init={type(self).__name__}: filters do not lie side by side, as these must;"
            " expected Mel, Bark or Linear"
        )

    def drawn(self, widths: Tensor, sample_rate: int, generator: torch.Generator) -> Pair:
        """Return random centres and widths, these between the widths of another start."""
        raise NotImplementedError(f"{type(self).__name__} is not random")


class Spaced(Init):
    """Space filters evenly on a scale.

    A filter's amplitude falls to one half where that of the square root of the mel triangle between
    its neighbours does: the analytic form of LEAF's start.
    """

    @abstractmethod
    def scale(self, hz: Tensor) -> Tensor:
        """Return frequencies on the scale."""

    @abstractmethod
    def hz(self, scaled: Tensor) -> Tensor:
        """Return the frequencies of places on the scale."""

    def centres_and_widths(self, n_filters: int, sample_rate: int) -> Pair:
        """Return centres and widths; neighbours of the outer filters are the ends of the band."""
        low, high = self.band(sample_rate)
        hz = self._points(low, high, n_filters + 2)
        return 2 * math.pi * hz[1:-1] / sample_rate, sample_rate / 2 / (hz[2:] - hz[:-2])

    def edges(self, n_filters: int, sample_rate: int) -> Pair:
        """Return lower edges and bandwidths as SincNet starts.

        They end 100 Hz below the upper end of the band, since a sinc filter adds 50 Hz to its lower
        edge and to its bandwidth. Source: Ravanelli & Bengio, arXiv 1808.00158.
        """
        low, high = self.band(sample_rate)
        if not low < high - 100:
            raise ValueError(f"high={high}: expected more than 100 Hz above low={low}")
        hz = self._points(low, high - 100, n_filters + 1)
        return hz[:-1], hz[1:] - hz[:-1]

    def _points(self, low: float, high: float, count: int) -> Tensor:
        first, last = self.scale(torch.tensor([low, high], dtype=torch.float64)).tolist()
        return self.hz(torch.linspace(first, last, count, dtype=torch.float64))


class Mel(Spaced):
    """Space filters evenly in mel. Source of the scale: O'Shaughnessy, as in HTK."""

    def scale(self, hz: Tensor) -> Tensor:
        return 2595 * torch.log10(1 + hz / 700)

    def hz(self, scaled: Tensor) -> Tensor:
        return 700 * (10 ** (scaled / 2595) - 1)


class Bark(Spaced):
    """Space filters evenly in Bark. Source: Traunmüller, J. Acoust. Soc. Am. 88 (1990)."""

    def scale(self, hz: Tensor) -> Tensor:
        return 26.81 * hz / (1960 + hz) - 0.53

    def hz(self, scaled: Tensor) -> Tensor:
        return 1960 * (scaled + 0.53) / (26.28 - scaled)


class Linear(Spaced):
    """Space filters evenly in Hz."""

    def scale(self, hz: Tensor) -> Tensor:
        return hz

    def hz(self, scaled: Tensor) -> Tensor:
        return scaled


class Constant(Init):
    """Put all filters in the middle of the band, as wide as `Linear` ones."""

    def centres_and_widths(self, n_filters: int, sample_rate: int) -> Pair:
        low, high = self.band(sample_rate)
        _, widths = Linear(low, high).centres_and_widths(n_filters, sample_rate)
        middle = torch.full((n_filters,), (low + high) / 2, dtype=torch.float64)
        return 2 * math.pi * middle / sample_rate, widths


class Random(Mel):
    """Draw centres evenly in Hz, in order, and widths evenly in their logarithm.

    Widths lie between the narrowest and the widest of `Mel`, which is also the start until `drawn`
    is called.
    """

    random = True

    def edges(self, n_filters: int, sample_rate: int) -> Pair:
        return Init.edges(self, n_filters, sample_rate)

    def drawn(self, widths: Tensor, sample_rate: int, generator: torch.Generator) -> Pair:
        low, high = self.band(sample_rate)
        uniform = torch.rand(2, len(widths), generator=generator, dtype=torch.float64)
        centres = (low + (high - low) * uniform[0]).sort().values
        longest, shortest = widths.max().log(), widths.min().log()
        drawn = (longest + (shortest - longest) * uniform[1]).exp()
        return 2 * math.pi * centres / sample_rate, drawn
