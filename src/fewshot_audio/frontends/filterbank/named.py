"""LEAF and its relatives with the settings of their sources: filterbanks put together."""

from collections.abc import Callable, Sequence
from typing import Literal, TypedDict

import torch

from fewshot_audio.frontends.base import Compression
from fewshot_audio.frontends.checks import check_choice, check_positive, check_whole, warn
from fewshot_audio.frontends.filterbank import init as starts
from fewshot_audio.frontends.filterbank.compression import FrameNorm, LogOffset
from fewshot_audio.frontends.filterbank.engines.base import Engine
from fewshot_audio.frontends.filterbank.engines.blocks import Blocks
from fewshot_audio.frontends.filterbank.engines.exact import Exact
from fewshot_audio.frontends.filterbank.engines.rectified import Rectified, RectifiedMaximum
from fewshot_audio.frontends.filterbank.filterbank import PARTS, Filterbank, Part
from fewshot_audio.frontends.filterbank.filters import Free, Gabor
from fewshot_audio.frontends.filterbank.framing import Align
from fewshot_audio.frontends.filterbank.pooling import (
    GaussianLowpass,
    Largest,
    Pooling,
    SharedWindow,
)
from fewshot_audio.frontends.filterbank.sinc import Sinc
from fewshot_audio.frontends.loudness import Normalize, checked
from fewshot_audio.frontends.pcen import PCEN

InitName = Literal["mel", "bark", "erb", "linear", "mel_grid", "constant", "random"]
INITS: dict[str, Callable[[], starts.Init]] = {
    "mel": starts.Mel,
    "bark": starts.Bark,
    "erb": starts.Erb,
    "linear": starts.Linear,
    "mel_grid": starts.MelGrid,
    "constant": starts.Constant,
    "random": starts.Random,
}
ADVICE = {  # by the end of a note
    "at a bound of their width or centre": (
        "a bandwidth is at least 1 / window; fewer filters, a larger window_ms or a higher lower"
        " end, as init=Mel(low=200), make them wider. It is at most a quarter of the sample rate;"
        " more filters are narrower"
    ),
    "where another one does": "they hear the same; take fewer filters, or another init",
}
SMOOTH = 0.04  # PCEN's weight of a new frame, for frames every 10 ms


class Layout(TypedDict, total=False):
    """Settings by keyword that all named filterbanks share.

    Attributes:
        window_length: Samples of impulse responses and pooling windows, instead of `window_ms`.
        hop_length: Samples between frames, instead of `hop_ms`.
        init: Where filters start: "mel", "bark", "erb", "linear", "constant" or "random", from 60
            Hz to half the sample rate; "mel_grid", as LEAF's own code starts; or such a class with
            other ends, as `Mel(low=20, high=8000)`.
        align: "centre": frame t is centred on sample t * hop, as in mel spectrograms; "tf": as
            TensorFlow's SAME padding places it, half a hop later; "symmetric": as "centre", but
            ceil(samples / hop) frames; "valid": no zeros around clips.
        learn: The parts that learn, of "filters", "pooling" and "compression".
        normalize: "loudness": clips are made equally loud first, as the source's are before LEAF;
            else energies below 1e-5, much of a quiet recording, are all the same to it.
    """

    window_length: int | None
    hop_length: int | None
    init: InitName | starts.Init
    align: Align
    learn: Sequence[Part]
    normalize: Normalize


def start(made: Filterbank) -> None:
    """Draw a random start from torch's global generator; warn of filters that start badly."""
    if made.filters.random:
        made.initialise(torch.default_generator)
        made.notes = made._notes()
    if made.filters.is_complex:  # the upper edge of the highest real filter is at its bound
        for note in made.notes:
            advice = next(text for end, text in ADVICE.items() if note.endswith(end))
            warn(f"{note}: {advice}")


class Named(Filterbank):
    """A filterbank with the settings of its source, whose parts subclasses choose.

    Args:
        sample_rate: Hz of the waveforms.
        n_filters: How many filters, the bands of the spectrogram.
        window_ms: Length of impulse responses and pooling windows.
        hop_ms: Between frames.
        window_length: See `Layout`, as the next ones.
        hop_length: See there.
        init: See there.
        align: See there.
        learn: See there; None: all that learns in the source.
        normalize: See there.
    """

    filter_class: type[Gabor] | type[Free] | type[Sinc] = Gabor
    pooling_class: Callable[[int, int], Pooling] = GaussianLowpass
    engine_class: type[Engine] = Exact
    learned: Sequence[Part] = PARTS

    def __init__(
        self,
        sample_rate: int = 16000,
        n_filters: int = 40,
        window_ms: float = 25.0,
        hop_ms: float = 10.0,
        *,
        window_length: int | None = None,
        hop_length: int | None = None,
        init: InitName | starts.Init = "mel",
        align: Align = "centre",
        learn: Sequence[Part] | None = None,
        normalize: Normalize = None,
    ):
        check_positive(sample_rate=sample_rate, hop_ms=hop_ms)
        hop = max(1, int(sample_rate * hop_ms / 1000)) if hop_length is None else hop_length
        check_whole(hop_length=hop)
        if window_length is not None:
            check_whole(window_length=window_length)
            window_ms = 1000 * (window_length - 0.5) / sample_rate  # of which `taps_of` makes it
        if not isinstance(init, starts.Init):
            check_choice("init", init, list(INITS))
            init = INITS[init]()
        super().__init__(
            self.filter_class(n_filters, sample_rate, window_ms, init),
            self.pooling_class,
            self.make_compression(n_filters, 1 - (1 - SMOOTH) ** (100 * hop / sample_rate)),
            self.engine_class,
            hop,
            align,
            self.learned if learn is None else learn,
        )
        self.normalize = checked(normalize)
        start(self)

    def make_compression(self, n_bands: int, smooth: float) -> Compression:
        """Return the compression; `smooth` smooths as 0.04 does at frames every 10 ms."""
        return PCEN(n_bands, smooth=smooth)


class TDFilterbank(Named):
    """Time-domain filterbank: every tap of complex filters and of one window for all is learned.

    A logarithm compresses. The arguments are those of `Named`. Source: Zeghidour et al., arXiv
    1711.01161, whose frames are those of `align="valid"`.
    """

    filter_class, pooling_class, engine_class = Free, SharedWindow, Blocks

    def make_compression(self, n_bands: int, smooth: float) -> Compression:
        return LogOffset()


class SincNet(Named):
    """SincNet's first layer: band-passes learned by their edges, rectified, the largest of a frame.

    Each frame is normalised over bands. The arguments are those of `Named`. Source: Ravanelli &
    Bengio, arXiv 1808.00158, as in the code of Zeghidour et al., arXiv 2101.08596.
    """

    filter_class, pooling_class, engine_class = Sinc, Largest, RectifiedMaximum

    def make_compression(self, n_bands: int, smooth: float) -> Compression:
        return FrameNorm(n_bands)


class SincNetPlus(Named):
    """SincNet+: SincNet's filters and rectifier, with LEAF's Gaussian pooling and a fixed PCEN.

    The arguments are those of `Named`. Source: Zeghidour et al., arXiv 2101.08596.
    """

    filter_class, engine_class = Sinc, Rectified
    learned = ("filters", "pooling")

    def make_compression(self, n_bands: int, smooth: float) -> Compression:
        return PCEN(n_bands, smooth=smooth, floor=1e-6)
