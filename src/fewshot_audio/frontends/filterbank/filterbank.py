"""Filters, pooling and compression of the waveform as one frontend."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from fewshot_audio.frontends.base import Frontend
from fewshot_audio.frontends.diagnostics import drift
from fewshot_audio.frontends.filterbank.compression import FLOOR, FrameNorm, LogOffset
from fewshot_audio.frontends.filterbank.engines.base import Engine

FRAMEWISE = (LogOffset, FrameNorm, nn.Identity)


class Filterbank(Frontend):
    """Waveforms to maps: filter, rectify, pool into frames, floor at 1e-5, compress; in float32 also under autocast.

    Assembled from its parts: `filters` and `pooling` give impulse responses and windows (filters, taps), the `engine` does the
    rest up to the energies of frames, `compression` makes maps of them (given the frames of each clip where it `needs_frames`).
    `draw`, if given, turns a generator into random values for the filters' parameters. Where `fixed`, neither filters nor
    pooling change, so that energies are prepared once.
    Source: Zeghidour et al., arXiv 2101.08596, and its TensorFlow code.
    """

    reads = "waveform"
    pointwise = False

    def __init__(
        self,
        filters: nn.Module,
        pooling: nn.Module,
        compression: nn.Module,
        engine: Engine,
        sample_rate: int,
        draw: Callable[[torch.Generator], tuple[Tensor, ...]] | None = None,
        fixed: bool = False,
    ):
        super().__init__()
        self.filters, self.pooling, self.compression = filters, pooling, compression
        self.engine, self.sample_rate, self.draw, self.fixed = engine, sample_rate, draw, fixed
        self.bands = len(filters.at_bound())
        self._remember()

    def kernels(self) -> Tensor:
        """Impulse responses (filters, taps), complex or real."""
        found = self.filters()
        return torch.complex(*found) if isinstance(found, tuple) else found

    def prepare(self, rows: Tensor, lengths: Tensor) -> tuple[Tensor, ...]:
        prepared = self.engine.prepare(rows[..., 0], lengths)
        if self.fixed:
            with torch.no_grad(), torch.autocast(rows.device.type, enabled=False):
                prepared = (self.energies(*prepared),)
        return self.frames(lengths), *prepared

    def crop(
        self, inputs: tuple[Tensor, ...], starts: Tensor, frames: int
    ) -> tuple[tuple[Tensor, ...], Tensor]:
        if self.fixed or not isinstance(self.compression, FRAMEWISE):
            return inputs, starts
        prepared, starts = self.engine.crop(inputs[1:], starts, frames)
        return (inputs[0], *prepared), starts

    def frames(self, rows: Any) -> Any:
        return self.engine.placement.frames(rows)

    def forward(self, *inputs: Tensor) -> Tensor:
        frames, *prepared = inputs
        with torch.autocast(frames.device.type, enabled=False):
            energies = (prepared[0] if self.fixed else self.energies(*prepared)).clamp(min=FLOOR)
            return (
                self.compression(energies, frames)
                if self.needs_frames
                else self.compression(energies)
            )

    def energies(self, *prepared: Tensor) -> Tensor:
        """What the engine has prepared to energies (clips, frames, filters)."""
        return self.engine.energies(self.kernels(), self.pooling(), *prepared)

    @property
    def needs_frames(self) -> bool:
        """Whether the compression must know the frames of each clip."""
        return getattr(self.compression, "needs_frames", False)

    def initialise(self, generator: torch.Generator) -> None:
        if self.draw is not None:
            with torch.no_grad():
                for parameter, value in zip(
                    self.filters.parameters(), self.draw(generator), strict=True
                ):
                    parameter.copy_(value)
        self._remember()

    @torch.no_grad()
    def _remember(self) -> None:
        """Keep what training starts with."""
        self.before, self.start = self.physical_parameters(), self.kernels().cpu()
        self.bounds_before = self._at_bounds("at a bound at the start")

    def project(self) -> None:
        if hasattr(self.filters, "project"):
            self.filters.project()

    def calibrate(self, *inputs: Tensor) -> None:
        if not self.fixed:
            with torch.no_grad():
                self.engine.calibrate(self.kernels(), self.pooling(), FLOOR, *inputs[1:])

    def check(self, *inputs: Tensor) -> None:
        if not self.fixed:
            with torch.no_grad():
                self.engine.check(self.kernels(), self.pooling(), FLOOR, *inputs[1:])

    @torch.no_grad()
    def physical_parameters(self) -> dict[str, Tensor]:
        """What is learned, each (filters,) on the CPU: centres and bandwidths in Hz, pooling widths in ms, the compression's."""
        centre, bandwidth = self.filters.in_hz(self.sample_rate)
        found = {"centre": centre, "bandwidth": bandwidth}
        if hasattr(self.pooling, "in_samples"):
            found["pooling, ms"] = 1000 * self.pooling.in_samples() / self.sample_rate
        if hasattr(self.compression, "physical_parameters"):
            found |= self.compression.physical_parameters()
        return {name: value.detach().cpu().clone() for name, value in found.items()}

    def learned_scalars(self) -> dict[str, float]:
        now = self.physical_parameters()
        moved = (now["centre"] - self.before["centre"]).abs().median().item()
        return {"median drift, Hz": moved} | {
            f"median {name}": value.median().item() for name, value in now.items()
        }

    @torch.no_grad()
    def report(self) -> dict[str, Any]:
        found = drift(self.before, self.physical_parameters(), (self.start, self.kernels().cpu()))
        summary = found["summary"] | self.bounds_before | self._at_bounds("at a bound")
        return {"engine": self.engine.report(), "summary": summary, "filters": found["filters"]}

    def _at_bounds(self, what: str) -> dict[str, int]:
        """How many filters and pooling windows lie at a bound of theirs."""
        parts = {"filters": self.filters, "poolings": self.pooling}
        return {f"{name} {what}": int(part.at_bound().sum()) for name, part in parts.items()}
