"""LEAF and its relatives with the settings of their sources: filterbanks put together."""

from collections.abc import Callable, Sequence
from typing import Literal, TypedDict, Unpack, get_args

from fewshot_audio.frontends.base import Compression
from fewshot_audio.frontends.checks import check_choice, check_positive
from fewshot_audio.frontends.filterbank.compression import (
    FrameNorm,
    LogOffset,
    LogTBN,
    NoCompression,
)
from fewshot_audio.frontends.filterbank.engines.base import Engine
from fewshot_audio.frontends.filterbank.engines.blocks import Blocks
from fewshot_audio.frontends.filterbank.engines.conv import Conv
from fewshot_audio.frontends.filterbank.engines.exact import Exact
from fewshot_audio.frontends.filterbank.engines.fast import Fast
from fewshot_audio.frontends.filterbank.engines.rectified import Rectified, RectifiedMaximum
from fewshot_audio.frontends.filterbank.filterbank import PARTS, Filterbank, Part
from fewshot_audio.frontends.filterbank.filters import Filters, Free, Gabor
from fewshot_audio.frontends.filterbank.framing import Align, Placement
from fewshot_audio.frontends.filterbank.init import Bark, Constant, Init, Linear, Mel, Random
from fewshot_audio.frontends.filterbank.pooling import (
    GaussianLowpass,
    Largest,
    Pooling,
    SharedWindow,
)
from fewshot_audio.frontends.filterbank.sinc import Sinc
from fewshot_audio.frontends.pcen import PCEN

EngineName = Literal["exact", "fast", "conv"]
InitName = Literal["mel", "bark", "linear", "constant", "random"]
CompressionName = Literal["pcen", "log", "log_tbn", "none"]
ENGINES: dict[str, type[Conv] | type[Exact] | type[Fast]] = {
    "exact": Exact,
    "fast": Fast,
    "conv": Conv,
}
INITS: dict[str, Callable[[], Init]] = {
    "mel": Mel,
    "bark": Bark,
    "linear": Linear,
    "constant": Constant,
    "random": Random,
}
SMOOTH = 0.04  # PCEN's weight of a new frame, for frames every 10 ms


class Layout(TypedDict, total=False):
    """Settings that all named filterbanks share.

    Attributes:
        window_length: Samples of impulse responses and pooling windows, instead of `window_ms`.
        hop_length: Samples between frames, instead of `hop_ms`.
        init: Where filters start: "mel", "bark", "linear", "constant" or "random", from 60 Hz to
            half the sample rate, or such a class with other ends, as `Mel(low=20, high=8000)`.
        align: "centre": frame t is centred on sample t * hop, as in mel spectrograms; "tf": as
            TensorFlow's SAME padding places it, half a hop later; "valid": no zeros around clips.
        learn: The parts that learn, of "filters", "pooling" and "compression".
    """

    window_length: int | None
    hop_length: int | None
    init: InitName | Init
    align: Align
    learn: Sequence[Part]


class Named(Filterbank):
    """A filterbank with the settings of its source, whose parts subclasses choose.

    Args:
        sample_rate: Hz of the waveforms.
        n_filters: How many filters, the bands of the spectrogram.
        window_ms: Length of impulse responses and pooling windows.
        hop_ms: Between frames.
        **layout: See `Layout`.
    """

    filter_class: type[Gabor] | type[Free] | type[Sinc] = Gabor
    pooling_class: type[Pooling] = GaussianLowpass
    engine_class: type[Engine] = Exact
    learned: Sequence[Part] = PARTS

    def __init__(
        self,
        sample_rate: int = 16000,
        n_filters: int = 40,
        window_ms: float = 25.0,
        hop_ms: float = 10.0,
        **layout: Unpack[Layout],
    ):
        check_positive(sample_rate=sample_rate, n_filters=n_filters, hop_ms=hop_ms)
        hop, taps = layout.get("hop_length"), layout.get("window_length")
        hop = max(1, int(sample_rate * hop_ms / 1000)) if hop is None else hop
        check_positive(hop_length=hop)
        if taps is not None:
            window_ms = 1000 * (taps - 0.5) / sample_rate  # of which `taps_of` makes it
        init = layout.get("init", "mel")
        if not isinstance(init, Init):
            check_choice("init", init, list(INITS))
            init = INITS[init]()
        super().__init__(
            self.filter_class(n_filters, sample_rate, window_ms, init),
            self.pooling_class,
            self.make_compression(n_filters, 1 - (1 - SMOOTH) ** (100 * hop / sample_rate)),
            self.engine_class,
            hop,
            layout.get("align", "centre"),
            layout.get("learn", self.learned),
        )

    def make_compression(self, n_bands: int, smooth: float) -> Compression:
        """Return the compression; `smooth` smooths as 0.04 does at frames every 10 ms."""
        return PCEN(n_bands, smooth=smooth)


class Leaf(Named):
    """LEAF: Gabor filters, Gaussian pooling and PCEN, all learned.

    Source: Zeghidour et al., arXiv 2101.08596. Its own code places frames as `align="tf"` does.

    Args:
        sample_rate: Hz of the waveforms.
        n_filters: How many filters, the bands of the spectrogram.
        window_ms: Length of impulse responses and pooling windows.
        hop_ms: Between frames.
        compression: "pcen", "log", "log_tbn" or "none".
        engine: How it is computed: "exact", errors like those of rounding; "fast", errors of 0.1 %
            of a filter's energy; "conv", plain convolutions, several times slower.
        **layout: See `Layout`.
    """

    def __init__(
        self,
        sample_rate: int = 16000,
        n_filters: int = 40,
        window_ms: float = 25.0,
        hop_ms: float = 10.0,
        compression: CompressionName = "pcen",
        engine: EngineName = "exact",
        **layout: Unpack[Layout],
    ):
        check_choice("compression", compression, get_args(CompressionName))
        check_choice("engine", engine, list(ENGINES))
        self.engine_class, self.compression_name = ENGINES[engine], compression
        super().__init__(sample_rate, n_filters, window_ms, hop_ms, **layout)

    def make_compression(self, n_bands: int, smooth: float) -> Compression:
        if self.compression_name == "pcen":
            return PCEN(n_bands, smooth=smooth)
        if self.compression_name == "log_tbn":
            return LogTBN(n_bands)
        return LogOffset() if self.compression_name == "log" else NoCompression()

    @staticmethod
    def from_parts(
        filters: Filters,
        pooling: Callable[[int, int], Pooling] = GaussianLowpass,
        compression: Compression | None = None,
        hop_length: int = 160,
        engine: Callable[[Placement, bool], Engine] = Exact,
        align: Align = "centre",
        learn: Sequence[Part] = PARTS,
    ) -> Filterbank:
        """Return a filterbank of parts, for ablations: see `Filterbank`.

        Without `compression` it has PCEN.
        """
        compression = PCEN(filters.n_filters) if compression is None else compression
        return Filterbank(filters, pooling, compression, engine, hop_length, align, learn)


class EfficientLeaf(Leaf):
    """EfficientLEAF's arrangement: log(1 + 10^a x) less its median, and batch norm over time.

    Its filters are those of LEAF, without the original's steps of level between groups of filters.
    Source: Schlüter & Gutenbrunner, arXiv 2207.05508.

    Args:
        sample_rate: Hz of the waveforms.
        n_filters: How many filters, the bands of the spectrogram.
        window_ms: Length of impulse responses and pooling windows.
        hop_ms: Between frames.
        engine: As in `Leaf`.
        **layout: See `Layout`.
    """

    def __init__(
        self,
        sample_rate: int = 16000,
        n_filters: int = 40,
        window_ms: float = 25.0,
        hop_ms: float = 10.0,
        engine: EngineName = "exact",
        **layout: Unpack[Layout],
    ):
        super().__init__(sample_rate, n_filters, window_ms, hop_ms, "log_tbn", engine, **layout)


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
