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
            " expected Mel, Bark, Erb or Linear"
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


class MelGrid(Init):
    """Read centres and widths off mel triangles on the bins of an FFT: the source's own start.

    A centre is the bin of a triangle's peak, a width that of the bins above half of its square
    root's. Filters coincide where there are more of them than bins: 128 filters at 44.1 kHz have
    about 100 centres, and some hear nothing; `Mel` is the same start without bins. Source: the
    TensorFlow code of Zeghidour et al., arXiv 2101.08596.

    Args:
        low: Lower end of the band in Hz.
        high: Upper end in Hz; None: half the sample rate.
        n_fft: Samples of the FFT, whatever the sample rate.
    """

    def __init__(self, low: float = 60.0, high: float | None = 7800.0, n_fft: int = 512):
        super().__init__(low, high)
        if n_fft < 4:
            raise ValueError(f"n_fft={n_fft}: expected at least 4")
        self.n_fft = n_fft

    def centres_and_widths(self, n_filters: int, sample_rate: int) -> Pair:
        low, high = self.band(sample_rate)
        count = self.n_fft // 2 + 1
        bins = Mel().scale(torch.linspace(0, sample_rate / 2, count, dtype=torch.float64))
        first, last = Mel().scale(torch.tensor([low, high], dtype=torch.float64)).tolist()
        edges = torch.linspace(first, last, n_filters + 2, dtype=torch.float64)
        lower, centre, upper = edges[:-2, None], edges[1:-1, None], edges[2:, None]
        rising, falling = (bins - lower) / (centre - lower), (upper - bins) / (upper - centre)
        triangles = torch.minimum(rising, falling).clamp(min=0)
        triangles[:, 0] = 0
        amplitudes = triangles.sqrt()
        peaks, places = amplitudes.max(1)
        widths = (amplitudes >= peaks[:, None] / 2).sum(1)
        unit = 2 * math.pi / self.n_fft
        return unit * places.double(), 2 * math.sqrt(2 * math.log(2)) / unit / widths


class Given(Init):
    """Start from centres (rad/sample) and widths (standard deviations in samples) as they are."""

    def __init__(self, centres: Tensor, widths: Tensor):
        super().__init__()
        self.centres, self.widths = centres.detach().double(), widths.detach().double()

    def centres_and_widths(self, n_filters: int, sample_rate: int) -> Pair:
        if self.centres.shape != (n_filters,) or self.widths.shape != (n_filters,):
            raise ValueError(
                f"init: {len(self.centres)} centres and {len(self.widths)} widths for"
                f" n_filters={n_filters}"
            )
        return self.centres, self.widths


class Erb(Spaced):
    """Space filters evenly on the scale of ERB numbers.

    Source: Glasberg & Moore, Hearing Research 47 (1990).
    """

    def scale(self, hz: Tensor) -> Tensor:
        return 21.4 * torch.log10(1 + 0.00437 * hz)

    def hz(self, scaled: Tensor) -> Tensor:
        return (10 ** (scaled / 21.4) - 1) / 0.00437


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

    Widths lie between the narrowest and the widest of `Mel`, which is also the start until
    `initialise` is called. `Leaf` and others draw when they are made, from torch's generator.
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
