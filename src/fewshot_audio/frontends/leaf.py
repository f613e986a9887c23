"""LEAF: learned filters, learned pooling, learned compression of the waveform."""

import math
from collections.abc import Callable, Sequence
from typing import Any, Literal

import torch
from pydantic import NonNegativeFloat, PositiveFloat, PositiveInt
from torch import Tensor, nn

from fewshot_audio.frontends.drift import drift
from fewshot_audio.frontends.engine import Conv, Engine
from fewshot_audio.frontends.engine_bands import Bands
from fewshot_audio.frontends.frontend import Frontend
from fewshot_audio.frontends.gabor import Gabor
from fewshot_audio.frontends.gaussian_lowpass import GaussianLowpass
from fewshot_audio.frontends.initial import Scale, drawn, initial
from fewshot_audio.frontends.pcen import PCEN
from fewshot_audio.frontends.placement import Align, Placement
from fewshot_audio.types import ConfigError

FLOOR = 1e-5  # of energies, before they are compressed
SHORTEST = 5  # samples of a window; with fewer the bounds of filters and windows leave nothing to learn
Part = Literal["filters", "pooling", "compression"]


class LogOffset(nn.Module):
    """Energies to log(x + 1e-5), LEAF's alternative to PCEN."""

    def forward(self, energies: Tensor) -> Tensor:
        return torch.log(energies + FLOOR)


class Leaf(Frontend):
    """Waveforms to maps: filter, square, pool into frames, floor at 1e-5, compress; in float32 also under autocast.

    Assembled from its parts; `leaf` makes them. `draw`, if given, turns a generator into random centres and widths for the
    filters. Source: Zeghidour et al., arXiv 2101.08596, and its TensorFlow code.
    """

    reads = "waveform"
    pointwise = False

    def __init__(
        self,
        filters: Gabor,
        pooling: GaussianLowpass,
        compression: nn.Module,
        engine: Engine,
        sample_rate: int,
        draw: Callable[[torch.Generator], tuple[Tensor, Tensor]] | None = None,
    ):
        super().__init__()
        self.filters, self.pooling, self.compression = filters, pooling, compression
        self.engine, self.sample_rate, self.draw = engine, sample_rate, draw
        self.bands = len(filters.centres)
        self.before = self.in_plain_units()

    def prepare(self, rows: Tensor, lengths: Tensor) -> tuple[Tensor, ...]:
        return self.engine.prepare(rows[..., 0], lengths)

    def frames(self, rows: Any) -> Any:
        return self.engine.placement.frames(rows)

    def forward(self, *inputs: Tensor) -> Tensor:
        with torch.autocast(inputs[0].device.type, enabled=False):
            energies = self.engine.energies(torch.complex(*self.filters()), self.pooling(), *inputs)
            return self.compression(energies.clamp(min=FLOOR))

    def initialise(self, generator: torch.Generator) -> None:
        if self.draw is not None:
            with torch.no_grad():
                for parameter, value in zip((self.filters.centres, self.filters.widths), self.draw(generator), strict=True):
                    parameter.copy_(value)
        self.before = self.in_plain_units()

    def calibrate(self, *inputs: Tensor) -> None:
        with torch.no_grad():
            self.engine.calibrate(torch.complex(*self.filters()), self.pooling(), FLOOR, *inputs)

    @torch.no_grad()
    def in_plain_units(self) -> dict[str, Tensor]:
        """What is learned, each (filters,) on the CPU: centres and bandwidths in Hz, pooling widths in ms, PCEN's four."""
        centre, bandwidth = self.filters.in_hz(self.sample_rate)
        pooling = 1000 * self.pooling.in_samples() / self.sample_rate
        compression = self.compression.bounded() if isinstance(self.compression, PCEN) else {}
        found = {"centre": centre, "bandwidth": bandwidth, "pooling, ms": pooling, **compression}
        return {name: value.detach().cpu().clone() for name, value in found.items()}

    def learned(self) -> dict[str, float]:
        now = self.in_plain_units()
        moved = (now["centre"] - self.before["centre"]).abs().median().item()
        return {"median drift, Hz": moved} | {f"median {name}": value.median().item() for name, value in now.items()}

    def report(self) -> dict[str, Any]:
        parts = {"filters": self.filters, "poolings": self.pooling}
        bounds = {f"{name} at a bound": int(part.at_a_bound().sum()) for name, part in parts.items()}
        found = drift(self.before, self.in_plain_units())
        return {"engine": self.engine.report(), "summary": found["summary"] | bounds, "filters": found["filters"]}


def leaf(
    sample_rate: PositiveInt,
    hop: PositiveInt | None,
    hop_ms: PositiveFloat | None,
    window_ms: PositiveFloat,
    align: Align,
    filters: PositiveInt,
    low: NonNegativeFloat,
    high: PositiveFloat | None,
    initialisation: Scale,
    pooling: PositiveFloat,
    compression: Literal["pcen", "log", "none"],
    alpha: float,
    delta: float,
    root: float,
    time_constant: PositiveFloat,
    learn: Sequence[Part],
    learning_rate_factor: PositiveFloat,
    engine: Literal["conv", "exact", "fast"],
    tolerance: PositiveFloat,
) -> Leaf:
    """LEAF of `filters` filters from `low` to `high` Hz (null: half the rate), with windows of `window_ms` every `hop` samples.

    `hop_ms` stands for `hop` where that is null. `pooling` is the windows' first width as a share of half of them; alpha, delta,
    root and `time_constant` (s) are PCEN's start. `learn` names the parts that learn, at `learning_rate_factor` times the
    rate of the rest. ConfigError on what cannot be; `notes` tells of filters that start at a bound or on one another.
    """
    if (hop is None) == (hop_ms is None):
        raise ConfigError(f"frontend.hop={hop}, frontend.hop_ms={hop_ms}: give one of them and set the other to null")
    hop = hop or max(1, round(hop_ms * sample_rate / 1000))
    taps = int(sample_rate * window_ms / 1000) + 1
    if taps < SHORTEST:
        raise ConfigError(f"frontend.window_ms={window_ms}: {taps} samples at {sample_rate} Hz, expected at least {SHORTEST}")
    high = sample_rate / 2 if high is None else high
    if not low < high <= sample_rate / 2:
        raise ConfigError(f"frontend.low={low}, frontend.high={high}: expected low < high <= {sample_rate / 2} Hz, half the rate")
    centres, widths = initial(initialisation, filters, low, high, sample_rate)
    gabor = Gabor(centres.float(), widths.float(), taps)
    even = torch.ones(filters)
    smooth = 1 - math.exp(-hop / sample_rate / time_constant)
    kinds = {"pcen": lambda: PCEN(alpha * even, delta * even, root * even, smooth * even), "log": LogOffset, "none": nn.Identity}
    placement = Placement(taps, hop, align)
    tolerances = {"exact": None, "fast": tolerance}
    chosen = Bands(placement, tolerances[engine]) if engine in tolerances else Conv(placement)
    draw = (lambda generator: drawn(widths, low, high, sample_rate, generator)) if initialisation == "random" else None
    made = Leaf(gabor, GaussianLowpass(pooling * even, taps), kinds[compression](), chosen, sample_rate, draw)
    made.learning_rate_factor, made.notes = learning_rate_factor, () if draw else _notes(gabor)
    for part in ("filters", "pooling", "compression"):
        getattr(made, part).requires_grad_(part in learn)
    return made


def _notes(filters: Gabor) -> tuple[str, ...]:
    clipped = int(filters.at_a_bound().sum())
    places = torch.stack(filters.bounded(), 1).detach()
    double = len(places) - len(places.unique(dim=0))
    clipping = [f"{clipped} of {len(places)} filters start at a bound of their width or centre"] if clipped else []
    return (*clipping, *([f"{double} of {len(places)} filters start where another one does"] if double else []))
