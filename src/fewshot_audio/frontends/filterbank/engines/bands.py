"""What engines share that filter at the rate that each filter's band needs."""

from abc import abstractmethod
from collections.abc import Sequence
from copy import copy
from typing import NamedTuple

import torch
from torch import Tensor

from fewshot_audio.frontends.filterbank.engines import blockwise
from fewshot_audio.frontends.filterbank.engines.band_energies import Group, energies_of_bands
from fewshot_audio.frontends.filterbank.engines.band_plan import BandPlan, plan_bands
from fewshot_audio.frontends.filterbank.engines.base import Engine
from fewshot_audio.frontends.filterbank.engines.blocks import Blocks
from fewshot_audio.frontends.filterbank.engines.overlap_save import (
    BlockEnergies,
    Blocking,
    good_length,
    responses,
    spectra,
)
from fewshot_audio.frontends.filterbank.framing import Placement

GROUP = 32  # filters at most whose responses are computed together


class Prepared(NamedTuple):
    """What `Bands` prepares of clips."""

    spectra: Tensor  # (clips, blocks, bins)
    valid: Tensor  # samples of each block within the clip, from and to (clips, blocks, 2)
    end_spectra: Tensor  # of the samples that ring beyond either end (clips, 2, bins)
    end_outside: Tensor  # samples of these blocks beyond the clip, from and to (clips, 2, 2)
    last: Tensor  # the frame with which the block of the second end begins (clips,)


Division = tuple[Tensor, list[Group]]  # numbers of filters at the full rate, and the others


class Remembered(NamedTuple):
    """A division, and what it was made for."""

    filters: Tensor
    windows: Tensor
    shares: Tensor | None
    division: Division

    def fits(self, filters: Tensor, windows: Tensor, shares: Tensor | None) -> bool:
        """Return whether it was made for these."""
        return (
            self.shares is shares
            and self.filters.dtype == filters.dtype
            and self.filters.device == filters.device
            and torch.equal(self.filters, filters)
            and torch.equal(self.windows, windows)
        )


class Bands(Engine):
    """Take of a block's spectrum only the bins in a filter's band.

    A short inverse FFT makes few samples of them, which are squared and summed under a window at
    the same rate. Filters without a narrow band are computed at the full rate. A band is filtered
    as if zeros followed a clip, while the definition counts no energy beyond its ends: what rings
    there is computed at the full rate and subtracted from the first and last frames.

    The error is what lies outside of the bands. While a graph is traced (torch.compile,
    torch.export) everything is at the full rate, in shapes that depend on nothing.
    """

    takes_tapwise = False  # the gradient of a single tap has no band
    window_share: float  # of a window's power that may be lost
    double_windows: bool  # whether windows are decimated in float64

    def __init__(self, placement: Placement, symmetric: bool = False):
        super().__init__(placement, symmetric)
        self.blocks = Blocks(placement, symmetric)
        self.blocking, frames = self.blocks.blocking, placement.over_an_edge
        reach = (frames - 1) * placement.hop + placement.taps
        samples = good_length(reach + placement.taps // 2 + 1)  # nothing wraps round
        self.end_blocking = Blocking(samples, frames, placement.hop, symmetric)
        self.shares: Tensor | None = None  # that were chosen by calibration, for each filter
        self.remembered: Remembered | None = None

    @abstractmethod
    def share_outside(self, filters: Tensor, windows: Tensor) -> Tensor:
        """Return the share of each filter's power that may lie outside of its band."""

    def prepare(self, waveforms: Tensor, lengths: Tensor) -> tuple[Tensor, ...]:
        """Return the fields of `Prepared`."""
        half, valid = self.blocks.prepare(waveforms, lengths)
        placement, before = self.placement, (self.placement.taps - 1) // 2
        size, frames, hop, _ = self.end_blocking
        zero = torch.zeros_like(lengths)
        last = (placement.frames(lengths) - frames).clamp(min=0)
        starts = placement.first(lengths)[:, None] + torch.stack([zero, last * hop], 1)
        at_start = torch.stack([zero, lengths.clamp(max=placement.taps // 2)], 1)
        at_end = torch.stack([(lengths - before).clamp(min=0), lengths], 1)
        ends = []
        for ringing, start in zip((at_start, at_end), starts.unbind(1), strict=True):
            ends.append(spectra(waveforms, ringing, start - before, size, 1, 1, self.blocks.turn))
        outside_from = torch.stack([torch.full_like(lengths, -size), lengths], 1)
        outside_to = torch.stack([zero, lengths + size], 1)
        outside = torch.stack([outside_from - starts, outside_to - starts], 2)
        return Prepared(half, valid, torch.cat(ends, 1), outside, last)

    def energies(self, filters: Tensor, windows: Tensor, *prepared: Tensor) -> Tensor:
        clips = Prepared(*prepared)
        if torch.compiler.is_compiling():
            return self.blocks.energies(filters, windows, clips.spectra, clips.valid)
        return self._energies(filters, windows, Prepared(*(each[None] for each in prepared)))[0]

    @classmethod
    def energies_of_runs(
        cls, engines: Sequence[Engine], filters: Tensor, windows: Tensor, *prepared: Tensor
    ) -> Tensor:
        """Filter all runs' clips at once where that is faster, by one engine of all filters."""
        if not blockwise.saves_launches(filters):
            return super().energies_of_runs(engines, filters, windows, *prepared)
        joint = copy(engines[0])
        assert isinstance(joint, Bands)
        if joint.shares is not None:
            joint.shares = torch.cat([engine.shares for engine in engines])  # type: ignore
        both = filters.flatten(0, 1), windows.flatten(0, 1)
        return joint._energies(*both, Prepared(*prepared))

    def _energies(self, filters: Tensor, windows: Tensor, clips: Prepared) -> Tensor:
        """Return the energies (runs, clips, frames, filters) of what was prepared of each run.

        Takes filters and windows of the first run, then of the next (runs * filters, taps).
        """
        energies, narrow = self.without_ends(filters, windows, clips.spectra, clips.valid)
        in_runs = len(clips.last), len(filters) // len(clips.last)
        if len(narrow) > 0:
            ends, outside = _by_run(clips.end_spectra), _by_run(clips.end_outside)
            some = filters[narrow], windows[narrow], narrow // in_runs[1]
            ringing = BlockEnergies.apply(ends, outside, *some, self.end_blocking)
            of_all = ringing.new_zeros(*ringing.shape[:2], len(filters))
            of_all = of_all.index_copy(2, narrow, ringing).unflatten(0, (-1, 2)).flatten(1, 2)
            frames = torch.arange(self.end_blocking.frames, device=clips.last.device)
            frames = frames.expand(*clips.last.shape, -1)
            places = torch.cat([frames, clips.last[..., None] + frames], 2).permute(1, 2, 0)
            places = places[..., None].expand(*places.shape, in_runs[1]).flatten(2)
            energies = energies.scatter_add(1, places, -of_all)
        return energies.unflatten(2, in_runs).permute(2, 0, 1, 3)

    def without_ends(
        self, filters: Tensor, windows: Tensor, half: Tensor, valid: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return energies with what rings beyond clips, and the numbers of filters that do ring.

        Takes filters run after run, and spectra and bounds (runs, clips, blocks, ...); returns
        energies (clips, frames, filters).
        """
        blocks, per_run = _by_run(half), len(filters) // len(half)
        wide, groups = self._divide(filters, windows, per_run)
        narrow = torch.cat([group.numbers for group in groups]) if groups else wide[:0]
        energies = []
        if groups:
            energies.append(energies_of_bands(blocks, groups))
        if len(wide):
            some = _by_run(valid), filters[wide], windows[wide], wide // per_run
            energies.append(BlockEnergies.apply(blocks, *some, self.blocking))
        order = torch.cat([narrow, wide]).argsort()
        in_order = torch.cat(energies, 2)[:, :, order]
        return in_order.unflatten(0, half.shape[1:3]).flatten(1, 2), narrow

    def plan(self, filters: Tensor, windows: Tensor) -> BandPlan:
        """Return the bands of filters."""
        shares = self.share_outside(filters, windows).to(filters.device)
        return plan_bands(filters, windows, shares, self.window_share, self.blocking)

    def _divide(self, filters: Tensor, windows: Tensor, per_run: int) -> Division:
        """Return the division of filters; that of a test set's last part if it fits."""
        remembering = torch.is_inference_mode_enabled()
        last = self.remembered if remembering else None
        if last is not None and last.fits(filters, windows, self.shares):
            return last.division
        plan = self.plan(filters.detach(), windows.detach())
        wide = (plan.samples > self.blocking.samples // 2).nonzero()[:, 0]
        division = wide, self._groups(filters, windows, plan, per_run)
        if remembering:
            self.remembered = Remembered(filters.clone(), windows.clone(), self.shares, division)
        return division

    def _groups(
        self, filters: Tensor, windows: Tensor, plan: BandPlan, per_run: int
    ) -> list[Group]:
        """Return the filters with narrow bands, grouped by the samples that they need."""
        narrow = (plan.samples <= self.blocking.samples // 2).nonzero()[:, 0]
        narrow = narrow[plan.samples[narrow].argsort(stable=True)]
        groups = []
        for some in narrow.split(blockwise.at_once(filters, GROUP)) if len(narrow) else ():
            samples, counts = plan.samples[some].unique_consecutive(return_counts=True)
            sizes, each = samples.tolist(), counts.tolist()
            begins = plan.centres[some] - plan.samples[some] // 2
            places = some // per_run, begins % self.blocking.samples
            response = self._in_bands(filters[some], begins, BandPlan(*(x[some] for x in plan)))
            totals = [size * count for size, count in zip(sizes, each, strict=True)]
            given = windows[some].double() if self.double_windows else windows[some]
            spectrum = torch.fft.rfft(given, self.blocking.samples)
            parts = [tensor.split(each) for tensor in (some, *places, spectrum)]
            of_groups = zip(sizes, response.split(totals), *parts, strict=True)
            for size, flat, numbers, runs, begin, of_windows in of_groups:
                window = self._decimated(of_windows, size, windows.dtype)
                groups.append(Group(numbers, runs, begin, flat.view(-1, size), window))
        return groups

    def _in_bands(self, filters: Tensor, begins: Tensor, plan: BandPlan) -> Tensor:
        """Return the responses of filters from the first bins of their bands on, 0 outside of them.

        As many of each filter as it needs samples, one filter after another (bins,).
        """
        size, device, samples = self.blocking.samples, filters.device, plan.samples
        owner = torch.arange(len(filters), device=device).repeat_interleave(samples)
        place = torch.arange(len(owner), device=device) - (samples.cumsum(0) - samples)[owner]
        bins = owner * size + (begins[owner] + place) % size
        inside = 2 * (place - samples[owner] // 2).abs() < plan.widths[owner]
        in_bands = responses(filters, size, self.symmetric).flatten()[bins]
        return in_bands * inside.to(filters.real.dtype)

    def _decimated(self, spectrum: Tensor, count: int, dtype: torch.dtype) -> Tensor:
        """Return windows (filters, frames, count), which sum `count` samples into each frame.

        Takes the spectra of windows at the full rate (filters, bins), of float64 where it needs it.
        A window is delayed by a hop from frame to frame. Where that is a whole number of samples at
        the lower rate, all frames share one window; else its spectrum is turned.
        """
        size, frames, samples_per_frame, _ = self.blocking
        spectrum = spectrum[:, : count // 2 + 1]
        hop, rest = divmod(samples_per_frame * count, size)
        if rest == 0:
            once = torch.fft.irfft(spectrum, count).to(dtype)
            before = once[:, count - (frames - 1) * hop :]  # as it comes round
            return torch.cat([before, once], 1).unfold(1, count, hop).flip(1)
        delays = torch.arange(frames, device=spectrum.device)[:, None] * samples_per_frame
        bins = torch.arange(count // 2 + 1, device=spectrum.device)
        turned = (delays * bins % size).to(spectrum.real.dtype)  # of exact integers
        turns = turned * (2 * torch.pi / size)
        delayed = spectrum[:, None] * torch.polar(torch.ones_like(turns), -turns)
        return torch.fft.irfft(delayed, count).to(dtype)


def _by_run(of_clips: Tensor) -> Tensor:
    """Return (runs, clips, blocks, ...) as (clips * blocks, runs, ...)."""
    return of_clips.flatten(1, 2).transpose(0, 1)
