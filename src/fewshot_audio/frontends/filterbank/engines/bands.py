"""Bands: each filter at the rate that its band needs, exact but for rounding or to a tolerance."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from fewshot_audio.frontends.filterbank.engines.band_energies import BandEnergies
from fewshot_audio.frontends.filterbank.engines.base import Engine
from fewshot_audio.frontends.filterbank.engines.blocks import Blocks, sizes
from fewshot_audio.frontends.filterbank.engines.overlap_save import (
    energies_of_blocks,
    good_length,
    power,
    responses,
    spectra,
)
from fewshot_audio.frontends.filterbank.framing import Placement

SHARES = 10.0 ** -torch.arange(3, 9, 0.25)  # of a filter's power that may lie outside its band
EXACT_SHARE, EXACT_SHARE_BRIEF = (
    1e-11,
    1e-12,
)  # left out by the exact engine; under windows shorter than `BRIEF` taps
BRIEF = 1 / 4  # of all taps
WINDOW_SHARE = 1e-3  # of a window's power that may lie beyond what its decimation keeps
EXACT_WINDOW_SHARE = 1e-7
CALIBRATED_ON = 8  # clips
GROUP = 32  # filters at most whose responses are found together
Group = tuple[
    Tensor, Tensor, Tensor, Tensor
]  # filters' numbers, first bins, responses, decimated windows


class Kept(NamedTuple):
    """What was found for some filters, windows and shares of power."""

    filters: Tensor
    windows: Tensor
    shares: Tensor | None
    found: tuple[Tensor, list[Group]]

    def of(self, filters: Tensor, windows: Tensor, shares: Tensor | None) -> bool:
        """Whether it is for these."""
        same = self.shares is shares and (self.filters.dtype, self.filters.device) == (
            filters.dtype,
            filters.device,
        )
        return same and torch.equal(self.filters, filters) and torch.equal(self.windows, windows)


class Bands(Engine):
    """Of a block's spectrum only the bins in a filter's band, by a short inverse FFT to the few samples that they make.

    The energy of a band of n bins has 2n bins, of which the pooling window, a low-pass, takes the lowest: so little more than n
    samples hold it all, and the window is decimated instead. A clip's two ends, where filters ring beyond it, are corrected at
    the full rate; so are filters without a narrow band computed. The error is what lies outside a filter's band. With a
    `tolerance`, `calibrate` chooses the bands so that the root mean square of a filter's errors in some clips, as shares of its
    mean energy in each clip, is at most that, and records what is left; without, errors are at most 1e-5 of the largest value
    after compression, also of spectra as steep as brown noise. For filters and windows of few parameters: the gradient of taps
    that are learned one by one has no band. While a graph is traced (torch.compile, torch.export) everything is at the full
    rate, in shapes that depend on nothing. `symmetric` is as for `Blocks`.
    """

    def __init__(self, placement: Placement, tolerance: float | None, symmetric: bool = False):
        super().__init__(placement)
        self.tolerance, self.symmetric = tolerance, symmetric
        self.blocks = Blocks(placement, symmetric)
        self.size, self.frames = sizes(placement)
        self.edge_frames = placement.over_an_edge
        span = (self.edge_frames - 1) * placement.hop + placement.taps
        self.edge_size = good_length(
            span + placement.taps // 2 + 1
        )  # so that nothing of what is needed comes round
        self.exact = (
            None if tolerance is None else Bands(placement, None, symmetric)
        )  # what errors are measured against
        self.rungs: Tensor | None = None  # of the ladder of shares, for each filter, as chosen
        self.shares: Tensor | None = None
        self.found: dict[str, float] = {}
        self.kept: Kept | None = None

    def prepare(self, waveforms: Tensor, lengths: Tensor) -> tuple[Tensor, ...]:
        """Spectra of blocks, as of the engine `Blocks`, and of both ends of each clip: the samples that can ring beyond them."""
        half, inner = self.blocks.prepare(waveforms, lengths)
        placement, before = self.placement, (self.placement.taps - 1) // 2
        last = (placement.frames(lengths) - self.edge_frames).clamp(
            min=0
        )  # frame with which the second end begins
        zero = torch.zeros_like(lengths)
        starts = placement.first(lengths)[:, None] + torch.stack([zero, last * placement.hop], 1)
        ringing = [
            (zero, lengths.clamp(max=placement.taps // 2)),
            ((lengths - before).clamp(min=0), lengths),
        ]
        ends = [
            spectra(
                waveforms,
                torch.stack(bounds, 1),
                start - before,
                self.edge_size,
                1,
                1,
                self.blocks.turn,
            )
            for bounds, start in zip(ringing, starts.unbind(1), strict=True)
        ]
        outside = torch.stack([torch.full_like(lengths, -self.edge_size), lengths], 1) - starts
        valid = torch.stack([outside, torch.stack([zero, lengths + self.edge_size], 1) - starts], 2)
        return half, inner, torch.cat(ends, 1), valid, last

    def energies(self, filters: Tensor, windows: Tensor, *prepared: Tensor) -> Tensor:
        half, inner, ends, valid, last = prepared
        if torch.compiler.is_compiling():
            return self.blocks.energies(filters, windows, half, inner)
        found, narrow = self._inner(filters, windows, half, inner)
        if len(narrow) == 0:
            return found
        blocks = (ends.flatten(0, 1), valid.flatten(0, 1), filters[narrow], windows[narrow])
        wrong = energies_of_blocks(
            *blocks, self.placement.hop, self.edge_frames, self.symmetric
        )  # of what rings beyond the ends
        wrong = wrong.new_zeros(*wrong.shape[:2], len(filters)).index_copy(2, narrow, wrong)
        frames = torch.arange(self.edge_frames, device=last.device).expand(len(last), -1)
        place = torch.cat([frames, last[:, None] + frames], 1)[:, :, None].expand(
            -1, -1, len(filters)
        )
        return found.scatter_add(1, place, -wrong.unflatten(0, (-1, 2)).flatten(1, 2))

    def calibrate(self, filters: Tensor, windows: Tensor, floor: float, *prepared: Tensor) -> None:
        """Choose each filter's band: the narrowest whose error on these clips is within the tolerance, or the whole one.

        By bisection, as narrower bands have larger errors; of filters that have a band the next narrower or wider one is tried
        first, since few filters have changed much.
        """
        if self.tolerance is None:
            return
        clips = spaced(len(prepared[0]), CALIBRATED_ON)
        off = self._off(filters, windows, floor, prepared[0][clips.to(prepared[0].device)])
        ladder, before = torch.cat([SHARES, torch.zeros(1)]), self.rungs
        low = torch.zeros(len(filters), dtype=torch.long)
        high = torch.full_like(low, len(SHARES))  # the whole band, without an error
        errors, worst = torch.zeros(2, len(filters)), self.found.get("worst error", 0.0)
        again, trial = before is not None, (low + high) // 2 if before is None else before
        while len(some := (low < high).nonzero()[:, 0]):
            self.shares = ladder[trial[some]]
            left = off(some.to(filters.device))
            found = torch.stack([_rms(left), left.amax((0, 1))]).float().cpu()
            if again:
                worst = max(worst, found[0].max().item())  # with the bands that served until now
            within = found[0] <= self.tolerance
            high[some], low[some] = (
                torch.where(within, trial[some], high[some]),
                torch.where(within, low[some], trial[some] + 1),
            )
            errors[:, some] = torch.where(within, found, errors[:, some])
            again, trial = (
                False,
                torch.where(high <= trial, high - 1, low) if again else (low + high) // 2,
            )
        self.rungs, self.shares = high, ladder[high]
        error, largest = errors.amax(1).tolist()
        self.found = {
            "clips": len(clips),
            "first error": self.found.get("first error", error),
            "error": error,
            "largest error": largest,
            "worst error": max(error, worst),
            "whole bands": int((self._plan(filters, windows)[0] > self.size // 2).sum()),
        }

    def check(self, filters: Tensor, windows: Tensor, floor: float, *prepared: Tensor) -> None:
        if self.tolerance is not None:
            off = self._off(filters, windows, floor, prepared[0])(
                torch.arange(len(filters), device=filters.device)
            )
            self.found |= {
                "error on test clips": _rms(off).max().item(),
                "largest error on test clips": off.max().item(),
            }

    def _off(
        self, filters: Tensor, windows: Tensor, floor: float, half: Tensor
    ) -> Callable[[Tensor], Tensor]:
        """What gives some filters' errors (clips, frames, filters) on blocks of clips, with bands of then, in mean energies."""
        everywhere = torch.tensor([0, self.size], device=half.device).expand(*half.shape[:2], 2)
        true = self.exact._inner(filters, windows, half, everywhere)[0]
        scale = true.mean(1, keepdim=True).clamp(min=floor)  # of each clip, as PCEN takes it

        def errors(some: Tensor) -> Tensor:
            found, _ = self._inner(filters[some], windows[some], half, everywhere)
            return (found - true[..., some]).abs() / scale[..., some]

        return errors

    def report(self) -> dict[str, float]:
        """Of the worst filter's errors, as shares of its mean energy: the root mean square and the largest with the bands now
        chosen, the worst root mean square that training has brought about before bands were chosen anew, both on test clips."""
        return {"tolerance": self.tolerance} | self.found if self.found else {}

    def _inner(
        self, filters: Tensor, windows: Tensor, half: Tensor, valid: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Energies, those of narrow filters as if each clip went on as zeros, and the numbers of the narrow ones."""
        blocks = half.flatten(0, 1)
        wide, groups = self._divided(filters, windows)
        narrow = torch.cat([numbers for numbers, *_ in groups]) if groups else wide[:0]
        found = []
        if groups:
            tensors = [tensor for _, _, *two in groups for tensor in two]
            found.append(BandEnergies.apply(blocks, [begins for _, begins, *_ in groups], *tensors))
        if len(wide):
            whole_bands = (
                valid.flatten(0, 1),
                filters[wide],
                windows[wide],
                self.placement.hop,
                self.frames,
            )
            found.append(energies_of_blocks(blocks, *whole_bands, self.symmetric))
        order = torch.cat([narrow, wide]).argsort()
        return torch.cat(found, 2)[:, :, order].unflatten(0, half.shape[:2]).flatten(1, 2), narrow

    def _divided(self, filters: Tensor, windows: Tensor) -> tuple[Tensor, list[Group]]:
        """What depends on filters and windows alone: the numbers of the wide ones, and the groups of the narrow ones.

        In inference mode it is kept for the next clips: a test set comes in many parts.
        """
        keeping = torch.is_inference_mode_enabled()
        if keeping and self.kept and self.kept.of(filters, windows, self.shares):
            return self.kept.found
        samples, centres, widths = self._plan(filters.detach(), windows.detach())
        found = (
            (samples > self.size // 2).nonzero()[:, 0],
            list(self._groups(filters, windows, samples, centres, widths)),
        )
        if keeping:
            self.kept = Kept(filters.clone(), windows.clone(), self.shares, found)
        return found

    def _plan(self, filters: Tensor, windows: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """How many samples each filter gets, and its band's middle bin and number of bins, (filters,) each."""
        exact = self.tolerance is None
        if exact:
            shares = torch.where(
                windows.sum(1) < BRIEF * windows.shape[1], EXACT_SHARE_BRIEF, EXACT_SHARE
            )
        else:
            shares = SHARES[12].expand(len(filters)) if self.shares is None else self.shares
        centres, widths = self._bands(filters, shares.to(filters.device))
        coarse = 1 << (windows.shape[1] - 1).bit_length()
        reach = _reach(
            power(torch.fft.rfft(windows, coarse)), EXACT_WINDOW_SHARE if exact else WINDOW_SHARE
        )
        lowpass = (1 + reach) * (self.size // coarse)
        return _sizes(torch.minimum(widths + lowpass, 2 * widths), self.size), centres, widths

    def _bands(self, filters: Tensor, shares: Tensor) -> tuple[Tensor, Tensor]:
        """Filters (filters, taps) to the bin with the largest response and the bins around it beyond which a share lies."""
        coarse = 1 << (filters.shape[1] - 1).bit_length()
        response = responses(filters, coarse, self.symmetric)
        heard = response.square() if self.symmetric else power(response)
        centres = heard.max(1).indices  # faster than argmax
        both = _from(heard, centres) + _from(heard.flip(1), coarse - 1 - centres)
        factor, reach = self.size // coarse, _reach(both, shares[:, None])
        return centres * factor, (2 * factor * reach + 1).clamp(max=self.size)

    def _groups(
        self, filters: Tensor, windows: Tensor, samples: Tensor, centres: Tensor, widths: Tensor
    ) -> Iterator[Group]:
        """Some filters that get equally many samples: numbers, first bins, responses from there, decimated windows."""
        for count in sorted(set(samples.tolist())):
            if count > self.size // 2:
                return
            for numbers in (samples == count).nonzero()[:, 0].split(GROUP):
                begin = centres[numbers] - count // 2
                some = filters[numbers], windows[numbers], begin, widths[numbers], count
                if torch.is_grad_enabled():  # of what leads to them nothing is kept
                    response, pool = checkpoint(
                        self._group, *some, use_reentrant=False, preserve_rng_state=False
                    )
                else:
                    response, pool = self._group(*some)
                yield numbers, begin % self.size, response, pool

    def _group(
        self, filters: Tensor, windows: Tensor, begin: Tensor, widths: Tensor, count: int
    ) -> tuple[Tensor, Tensor]:
        """Responses (filters, count) from a bin on, 0 outside of bands, and decimated windows (filters, frames, count)."""
        place = torch.arange(count, device=filters.device)
        bins = (begin[:, None] + place) % self.size
        scale = (2 * (place - count // 2).abs() < widths[:, None]).to(windows.dtype)
        return responses(filters, self.size, self.symmetric).gather(
            1, bins
        ) * scale, self._decimated(windows, count)

    def _decimated(self, windows: Tensor, count: int) -> Tensor:
        """Windows (filters, taps) to what sums `count` samples of a block into each frame (filters, frames, count).

        By the exact engine in float64: rounding beyond a window would let a loud frame of the block into its quiet ones.
        """
        given = windows.double() if self.tolerance is None else windows
        spectrum = torch.fft.rfft(given, self.size)[:, : count // 2 + 1]
        hop, rest = divmod(self.placement.hop * count, self.size)
        if rest == 0:  # each frame whole samples later
            once = torch.fft.irfft(spectrum, count).to(windows.dtype)
            before = once[
                :, count - (self.frames - 1) * hop :
            ]  # as it comes round; all frames lie within a block
            return torch.cat([before, once], 1).unfold(1, count, hop).flip(1)
        delays = torch.arange(self.frames, device=windows.device)[:, None] * self.placement.hop
        turns = (
            delays * torch.arange(count // 2 + 1, device=windows.device) % self.size
        )  # whole numbers, so exact
        turns = turns.to(given.dtype) * (2 * torch.pi / self.size)
        return torch.fft.irfft(
            spectrum[:, None] * torch.polar(torch.ones_like(turns), -turns), count
        ).to(windows.dtype)


def spaced(count: int, most: int) -> Tensor:
    """Numbers of at most so many of `count` clips, evenly spaced."""
    return torch.linspace(0, count - 1, min(most, count)).round().long()


def _sizes(least: Tensor, most: int) -> Tensor:
    """Numbers to the next of 16, 24, 32, 48 ..., or `most`."""
    steps = [2**power * factor for power in range(3, most.bit_length()) for factor in (2, 3)]
    ladder = torch.tensor([step for step in steps if step < most] + [most], device=least.device)
    return ladder[torch.searchsorted(ladder, least).clamp(max=len(ladder) - 1)]


def _from(rows: Tensor, first: Tensor) -> Tensor:
    """Rows (rows, bins), as if they went round, from a bin of each on: half of them and one (rows, bins // 2 + 1)."""
    bins = rows.shape[1]
    twice = torch.cat([rows, rows], 1).flatten()
    begin = first + torch.arange(len(rows), device=first.device) * (2 * bins)
    return twice.unfold(0, bins // 2 + 1, 1).index_select(0, begin)


def _reach(power: Tensor, share: Tensor | float) -> Tensor:
    """Power by distance (filters, bins) to the distance (filters,) from which on less than a share of it lies."""
    beyond = power.flip(1).cumsum(1)  # from each distance on, the farthest first
    return beyond.shape[1] - torch.searchsorted(beyond, share * beyond[:, -1:], right=True)[:, 0]


def _rms(errors: Tensor) -> Tensor:
    """Errors (clips, frames, filters) to their root mean square (filters,)."""
    return errors.square().mean((0, 1)).sqrt()
