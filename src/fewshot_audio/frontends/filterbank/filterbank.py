"""Filters, pooling and compression of the waveform as one frontend."""

from collections.abc import Callable, Sequence
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn

from fewshot_audio.frontends.base import Compression, Cropped, Frontend
from fewshot_audio.frontends.checks import check_choice, check_positive
from fewshot_audio.frontends.diagnostics import drift, medians
from fewshot_audio.frontends.export import Energies
from fewshot_audio.frontends.filterbank.calibrated import Calibrated
from fewshot_audio.frontends.filterbank.compression import FLOOR
from fewshot_audio.frontends.filterbank.engines.base import Engine
from fewshot_audio.frontends.filterbank.engines.of_runs import OfRuns
from fewshot_audio.frontends.filterbank.engines.rectified import SLOPE
from fewshot_audio.frontends.filterbank.filters import Filters
from fewshot_audio.frontends.filterbank.framing import Align, Placement
from fewshot_audio.frontends.filterbank.pooling import Pooling
from fewshot_audio.frontends.layer import wide_dtype
from fewshot_audio.frontends.stream import Reach, Stream

Part = Literal["filters", "pooling", "compression"]
PARTS: tuple[Part, ...] = get_args(Part)


class Filterbank(Calibrated):
    """Filter waveforms, square or rectify, pool into frames, floor, and compress.

    In float32 also under autocast. With Gabor filters, Gaussian pooling and PCEN it is LEAF.
    Source: Zeghidour et al., arXiv 2101.08596, and its TensorFlow code.

    Where neither filters nor pooling learn, energies are computed once, exactly, by `prepare`.

    Args:
        filters: The filters; their number is the number of bands.
        pooling: A class of pooling, or a `functools.partial` of one: it is called with the number
            of filters and of their taps.
        compression: What turns energies into values of the spectrogram.
        engine: A class of engine, or a partial of one: it is called with the placement of frames
            and whether the filters are symmetric.
        hop: Samples between frames.
        align: Where frames lie, see `Placement`.
        learn: The parts that learn.
        learning_rate_factor: The parameters' learning rate, relative to the classifier's.
        floor: The least energy that is compressed: lower ones are all the same.
    """

    reads = "waveform"
    pointwise = False
    sample_rate: int

    def __init__(
        self,
        filters: Filters,
        pooling: Callable[[int, int], Pooling],
        compression: Compression,
        engine: Callable[[Placement, bool], Engine],
        hop: int,
        align: Align = "centre",
        learn: Sequence[Part] = PARTS,
        learning_rate_factor: float = 1.0,
        floor: float = FLOOR,
    ):
        check_positive(learning_rate_factor=learning_rate_factor, floor=floor)
        if any(each.is_meta for part in (filters, compression) for each in part.parameters()):
            raise ValueError("filters: expected parts with values, not those on meta")
        for part in learn:
            check_choice("learn", part, PARTS)
        super().__init__(filters.n_filters)
        self.filters = filters
        self.pooling = pooling(filters.n_filters, filters.taps)
        self.compression = compression
        self.sample_rate, self.learning_rate_factor = filters.sample_rate, learning_rate_factor
        self.floor = floor
        self.fixed = not (filters.random or "filters" in learn or "pooling" in learn)
        made = engine(Placement(filters.taps, hop, align), filters.symmetric)
        self.engine = made.exact() if self.fixed else made
        self._check_parts()
        for part in PARTS:
            if part not in learn:
                getattr(self, part).requires_grad_(False)
        self.remember_start()
        self.notes = () if filters.random else self._notes()

    @property
    def hop(self) -> int:
        """Return the samples between frames."""
        return self.engine.placement.hop

    def _check_parts(self) -> None:
        """Raise ValueError where parts do not go together."""
        filters, pooling, engine = (
            type(part).__name__ for part in (self.filters, self.pooling, self.engine)
        )
        if self.compression.n_bands not in (None, self.n_bands):
            raise ValueError(
                f"compression: made for {self.compression.n_bands} bands, there are"
                f" {self.n_bands} filters; set n_bands for both"
            )
        if self.engine.takes_complex != self.filters.is_complex:
            step = "Conv, Exact, Fast or Blocks" if self.filters.is_complex else "Rectified"
            raise ValueError(f"engine={engine}: not for {filters} filters; expected {step}")
        if self.engine.takes_maximum != self.pooling.maximum:
            step = "RectifiedMaximum" if self.pooling.maximum else "Rectified"
            if self.filters.is_complex:
                raise ValueError(f"pooling={pooling}: only for real filters, as Sinc")
            raise ValueError(f"engine={engine}: not for the pooling {pooling}; expected {step}")
        if not self.engine.takes_tapwise and (self.filters.tapwise or self.pooling.tapwise):
            raise ValueError(
                f"engine={engine}: not for taps that are learned one by one"
                f" ({filters} with {pooling}); expected Blocks or Conv"
            )

    def prepare(self, rows: Tensor, lengths: Tensor) -> tuple[Tensor, ...]:
        prepared = self.engine.prepare(rows[..., 0], lengths)
        if self.fixed:
            with torch.autocast(rows.device.type, enabled=False):
                prepared = (self.energies(*prepared),)
        return self.frames(lengths), *prepared

    def crop(self, inputs: tuple[Tensor, ...], starts: Tensor, frames: int) -> Cropped:
        if self.fixed or not self.compression.framewise:
            return inputs, starts
        prepared, starts = self.engine.crop(inputs[1:], starts, frames)
        return (inputs[0], *prepared), starts

    def represent(self, frontends: Sequence[Frontend]) -> bool:
        self.engine = OfRuns([each.engine for each in frontends if isinstance(each, Filterbank)])
        self.compression.in_stack = True
        return True

    def frames(self, rows: Any) -> Any:
        return self.engine.placement.frames(rows)

    def compute(self, *inputs: Tensor) -> Tensor:
        frames, *prepared = inputs
        with torch.autocast(frames.device.type, enabled=False):
            energies = prepared[0] if self.fixed else self.energies(*prepared)
            return self.compression.compress(energies.clamp(min=self.floor), frames)

    def energies(self, *prepared: Tensor) -> Tensor:
        """Return the energies (clips, frames, filters) of what the engine prepared."""
        energies = self.engine.energies(*self._shapes(), *prepared)
        return energies if self.pooling.bias is None else energies + self.pooling.bias

    def _shapes(self) -> tuple[Tensor, Tensor]:
        """Return impulse responses and pooling windows (filters, taps)."""
        return self.filters.impulse_responses(), self.pooling.windows()

    def streamed(self) -> Stream:
        placement, compress = self.engine.placement, self.compression.stream()
        if placement.align == "tf":
            raise ValueError('align="tf": frames lie where the length of the whole clip puts them')
        shift = placement.taps // 2 if placement.align == "valid" else 0
        reach = Reach(placement.hop, placement.taps - shift, placement.taps + shift + 1)
        return Stream(self._of_clips, compress, self.frames, reach, self.n_bands, wide_dtype(self))

    def _of_clips(self, clips: Tensor) -> Tensor:
        lengths = torch.full((len(clips),), clips.shape[1], device=clips.device)
        return self.energies(*self.engine.prepare(clips, lengths)).clamp(min=self.floor)

    def plain(self) -> nn.Module:
        filters, windows = self._shapes()
        pooling = None if self.pooling.maximum else windows
        placement, bias = self.engine.placement, self.pooling.bias
        energies = Energies(filters, pooling, bias, placement, SLOPE, self.floor)
        return nn.Sequential(energies, self.compression.for_export())

    def initialise(self, generator: torch.Generator) -> None:
        self.filters.initialise(generator)
        self.remember_start()

    def project(self) -> None:
        self.filters.project()

    @torch.no_grad()
    def calibrate(self, *inputs: Tensor) -> None:
        if not self.fixed:
            self.engine.calibrate(*self._shapes(), self.floor, *inputs[1:])

    @torch.no_grad()
    def check(self, *inputs: Tensor) -> None:
        if not self.fixed:
            self.engine.check(*self._shapes(), self.floor, *inputs[1:])

    @torch.no_grad()
    def physical_parameters(self) -> dict[str, Tensor]:
        """Return copies on the CPU of what is learned per filter (filters,), by name.

        Centres and bandwidths in Hz, pooling widths in ms, and the compression's parameters.
        """
        learned = dict(zip(("centre", "bandwidth"), self.filters.in_hz(), strict=True))
        for name, samples in self.pooling.in_samples().items():
            learned[f"{name}, ms"] = 1000 * samples / self.sample_rate
        learned |= self.compression.physical_parameters()
        return {name: value.detach().cpu().clone() for name, value in learned.items()}

    def learned_scalars(self) -> dict[str, float]:
        now = self.physical_parameters()
        moved = (now["centre"] - self.before["centre"]).abs().median().item()
        return {"median drift, Hz": moved} | medians(now)

    @torch.no_grad()
    def report(self) -> dict[str, Any]:
        responses = self.start, self.filters.impulse_responses().cpu()
        moved = drift(self.before, self.physical_parameters(), responses)
        summary = moved["summary"] | self.bounds_before | self._at_bounds("at a bound")
        return {"engine": self.engine.report(), "summary": summary, "filters": moved["filters"]}

    @torch.no_grad()
    def remember_start(self) -> None:
        self.before, self.start = self.physical_parameters(), self.filters.impulse_responses().cpu()
        self.bounds_before = self._at_bounds("at a bound at the start")

    def _at_bounds(self, what: str) -> dict[str, int]:
        return {
            f"filters {what}": int(self.filters.at_bound().sum()),
            f"poolings {what}": int(self.pooling.at_bound().sum()),
        }

    def _notes(self) -> tuple[str, ...]:
        places = torch.stack(self.filters.in_hz(), 1).detach()
        counts = {
            "at a bound of their width or centre": int(self.filters.at_bound().sum()),
            "where another one does": len(places) - len(places.unique(dim=0)),
        }
        start = f"of {self.n_bands} filters start"
        return tuple(f"{count} {start} {where}" for where, count in counts.items() if count)
