"""LEAF and its kin, put together from parts by their names."""

import math
from collections.abc import Callable, Sequence
from typing import Literal

import torch
from pydantic import NonNegativeFloat, PositiveFloat, PositiveInt
from torch import Tensor, nn

from fewshot_audio.frontends.filterbank.compression import FrameNorm, LogOffset
from fewshot_audio.frontends.filterbank.engines.bands import Bands
from fewshot_audio.frontends.filterbank.engines.base import Conv, Engine
from fewshot_audio.frontends.filterbank.engines.blocks import Blocks
from fewshot_audio.frontends.filterbank.engines.rectified import Rectified
from fewshot_audio.frontends.filterbank.filterbank import Filterbank
from fewshot_audio.frontends.filterbank.framing import Placement
from fewshot_audio.frontends.filterbank.free import Free
from fewshot_audio.frontends.filterbank.gabor import Gabor
from fewshot_audio.frontends.filterbank.gaussian_lowpass import GaussianLowpass
from fewshot_audio.frontends.filterbank.init import Scale, drawn, edges, initial
from fewshot_audio.frontends.filterbank.log_tbn import LogTBN
from fewshot_audio.frontends.filterbank.pooling import Largest, SharedWindow, squared_hann
from fewshot_audio.frontends.filterbank.sinc import LEAST, Sinc
from fewshot_audio.frontends.pcen import EPSILON, PCEN
from fewshot_audio.types import ConfigError

MEL_LEVEL = (
    math.pi**0.75
)  # times a Gabor filter's level: as much energy as its mel triangle has area, where TD filterbanks start
SHORTEST = (
    5  # samples of a window; with fewer the bounds of filters and windows leave nothing to learn
)
Part = Literal["filters", "pooling", "compression"]
Shape = Literal["sinc", "free"]
Window = Literal["hann", "largest"]
Sampling = Callable[[torch.Generator], tuple[Tensor, ...]]


def leaf(
    sample_rate: PositiveInt,
    hop: PositiveInt | None,
    hop_ms: PositiveFloat | None,
    window_ms: PositiveFloat,
    align: Literal["centre", "tf"],
    filters: PositiveInt,
    low: NonNegativeFloat,
    high: PositiveFloat | None,
    initialisation: Scale,
    pooling: PositiveFloat,
    compression: Literal["pcen", "log", "log_tbn", "norm", "none"],
    alpha: float,
    delta: float,
    root: float,
    time_constant: PositiveFloat,
    learn: Sequence[Part],
    learning_rate_factor: PositiveFloat,
    engine: Literal["conv", "exact", "fast"],
    tolerance: PositiveFloat,
    shape: Shape | None,
    window: Window | None,
    floor: PositiveFloat | None,
    width_unit: PositiveFloat = 1,
) -> Filterbank:
    """A bank of `filters` filters from `low` to `high` Hz (null: half the rate), windows of `window_ms` every `hop` samples.

    `hop_ms` stands for `hop` where that is null. `shape` of filters: null for Gabor, sinc, free; `window` of pooling: null for
    a Gaussian per filter, whose first width is `pooling` as a share of half of it; hann, one for all; largest, no window.
    alpha, delta, root and `time_constant` (s) are PCEN's start, `floor` is added to its smoothed energies (null: 1e-12).
    `learn` names parts that learn, at `learning_rate_factor` times the rate of the rest, Gabor filters' widths in `width_unit`
    samples. ConfigError on what cannot be; `notes` tells of filters that start at a bound or on one another.
    """
    if (hop is None) == (hop_ms is None):
        raise ConfigError(
            f"frontend.hop={hop}, frontend.hop_ms={hop_ms}: give one of them and set the other to null"
        )
    hop = hop or max(1, round(hop_ms * sample_rate / 1000))
    taps = int(sample_rate * window_ms / 1000) + 1
    if taps < SHORTEST:
        raise ConfigError(
            f"frontend.window_ms={window_ms}: {taps} samples at {sample_rate} Hz, expected at least {SHORTEST}"
        )
    high = sample_rate / 2 if high is None else high
    if not low < high <= sample_rate / 2:
        raise ConfigError(
            f"frontend.low={low}, frontend.high={high}: expected low < high <= {sample_rate / 2} Hz, half the rate"
        )
    taps += shape == "sinc" and taps % 2 == 0  # which are symmetric
    bank, draw = _filters(shape, initialisation, filters, low, high, sample_rate, taps, width_unit)
    even = torch.ones(filters)
    smooth = 1 - math.exp(-hop / sample_rate / time_constant)
    if compression == "pcen" and not (alpha <= 1 and root >= 1 and delta > 0):
        asked = f"frontend.alpha={alpha}, frontend.root={root}, frontend.delta={delta}"
        raise ConfigError(f"{asked}: PCEN keeps alpha at most 1, root at least 1, delta above 0")
    pcen = PCEN(alpha * even, delta * even, root * even, smooth * even, floor or EPSILON)
    placement = Placement(taps, hop, align)
    parts = (
        bank,
        _pooling(window, pooling, filters, taps),
        _compression(compression, pcen, filters),
    )
    fixed = draw is None and not {"filters", "pooling"} & set(learn)
    engine = (
        "exact" if fixed and engine == "fast" else engine
    )  # what is computed once may as well be exact
    made = Filterbank(
        *parts, _engine(engine, shape, window, placement, tolerance), sample_rate, draw, fixed
    )
    for part in ("filters", "pooling", "compression"):
        if part not in learn:
            getattr(made, part).requires_grad_(False)
    made.learning_rate_factor, made.notes = learning_rate_factor, () if draw else _notes(made)
    return made


def _filters(
    shape: Shape | None,
    scale: Scale,
    filters: int,
    low: float,
    high: float,
    sample_rate: int,
    taps: int,
    unit: float,
) -> tuple[nn.Module, Sampling | None]:
    """Filters at their start, and what draws it where it is random."""
    centres, widths = initial(scale, filters, low, high, sample_rate)
    gabor = Gabor(centres.float(), widths.float(), taps, unit)
    if shape is None:
        widths = gabor.bounded()[1].detach().double()

        def random(generator: torch.Generator) -> tuple[Tensor, ...]:
            centres, those = drawn(widths, low, high, sample_rate, generator)
            return centres, those / gabor.unit

        return gabor, random if scale == "random" else None
    if scale == "random":
        raise ConfigError(
            f"frontend.initialisation=random: only for Gabor filters; choose another for frontend.shape={shape}"
        )
    if (scale, shape) == ("constant", "sinc"):
        raise ConfigError(
            "frontend.initialisation=constant: not for sinc filters, which lie side by side; choose another"
        )
    if shape == "free":
        real, imaginary = gabor()
        return Free(real.detach() * MEL_LEVEL, imaginary.detach() * MEL_LEVEL), None
    if not low < high - 2 * LEAST:
        raise ConfigError(
            f"frontend.low={low}, frontend.high={high}: sinc filters want more than {2 * LEAST} Hz between them"
        )
    begin, band = edges(scale, filters, low, high)
    return Sinc(begin.float(), band.float(), taps, sample_rate), None


def _pooling(window: Window | None, width: float, filters: int, taps: int) -> nn.Module:
    if window is None and not 2 / taps <= width <= 0.5:
        raise ConfigError(
            f"frontend.pooling={width}: expected 2 / {taps} samples to 0.5, between which widths are kept"
        )
    if window is None:
        return GaussianLowpass(width * torch.ones(filters), taps)
    return (
        Largest(filters, taps) if window == "largest" else SharedWindow(squared_hann(taps), filters)
    )


def _compression(name: str, pcen: PCEN, bands: int) -> nn.Module:
    others = {
        "log": LogOffset,
        "norm": lambda: FrameNorm(bands),
        "log_tbn": lambda: LogTBN(pcen.alpha.detach()),
    }
    return pcen if name == "pcen" else others.get(name, nn.Identity)()


def _engine(
    name: str, shape: Shape | None, window: Window | None, placement: Placement, tolerance: float
) -> Engine:
    if (window == "largest") > (shape == "sinc"):
        raise ConfigError("frontend.window=largest: only for real filters, frontend.shape=sinc")
    if shape == "sinc":
        if name != "exact":
            raise ConfigError(
                f"frontend.engine={name}: sinc filters have one engine; set frontend.engine=exact"
            )
        return Rectified(placement, window == "largest")
    if name == "conv":
        return Conv(placement)
    symmetric = shape is None and placement.taps % 2 == 1
    if shape == "free" or window == "hann":  # the gradient of a learned tap has no band
        if name == "fast":
            raise ConfigError(
                "frontend.engine=fast: not for taps that are learned one by one; set frontend.engine=exact"
            )
        return Blocks(placement, symmetric)
    return Bands(placement, tolerance if name == "fast" else None, symmetric)


def _notes(made: Filterbank) -> tuple[str, ...]:
    clipped = int(made.filters.at_bound().sum())
    places = torch.stack(made.filters.in_hz(made.sample_rate), 1).detach()
    double = len(places) - len(places.unique(dim=0))
    clipping = (
        [f"{clipped} of {len(places)} filters start at a bound of their width or centre"]
        if clipped
        else []
    )
    return (
        *clipping,
        *([f"{double} of {len(places)} filters start where another one does"] if double else []),
    )
