"""Bands: each filter at the rate that its band needs, exact but for rounding or to a tolerance."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from fewshot_audio.frontends.blocks import at_once, block_size, energies_of_blocks, parts, responses, spectra, whole
from fewshot_audio.frontends.engine import Engine
from fewshot_audio.frontends.engine_blocks import Blocks, sizes
from fewshot_audio.frontends.placement import Placement

TILE = 12  # blocks filtered together: what stays in a processor's cache
AT_ONCE = 2**16  # samples of a tile's blocks and some filters: what stays in a processor's cache
SHARES = 10.0 ** -torch.arange(3, 9, 0.25)  # of a filter's power that may lie outside its band
EXACT_SHARE, EXACT_SHARE_BRIEF = 1e-9, 1e-12  # left out by the exact engine; under windows shorter than `BRIEF` taps
BRIEF = 1 / 8  # of all taps
WINDOW_SHARE = 1e-3  # of a window's power that may lie beyond what its decimation keeps
EXACT_WINDOW_SHARE = 1e-7
CALIBRATED_ON = 8  # clips


class Bands(Engine):
    """Of a block's spectrum only the bins in a filter's band, by a short inverse FFT to the few samples that they make.

    The energy of a band of n bins has 2n bins, of which the pooling window, a low-pass, takes the lowest: so little more than n
    samples hold it all, and the window is decimated instead. A clip's two ends, where filters ring beyond it, are corrected at
    the full rate; so are filters without a narrow band computed. The error is what lies outside a filter's band. With a
    `tolerance`, `calibrate` chooses the bands so that on the clips given the root mean square of a filter's errors is at most so
    much of its mean energy in each clip, and records what is left; without, at most 1e-5 of the largest energy. While a graph is
    traced (torch.compile, torch.export) everything is at the full rate, in shapes that depend on nothing.
    """

    def __init__(self, placement: Placement, tolerance: float | None):
        super().__init__(placement)
        self.tolerance = tolerance
        self.blocks = Blocks(placement)
        self.size, self.frames = sizes(placement)
        self.edge_frames = placement.over_an_edge
        self.edge_size = block_size(self.edge_frames, placement.taps, placement.hop)
        self.shares: Tensor | None = None
        self.found: dict[str, float] = {}

    def prepare(self, waveforms: Tensor, lengths: Tensor) -> tuple[Tensor, ...]:
        """Spectra of blocks, as of the engine `Blocks`, and of blocks at both ends of each clip with what lies outside it."""
        half, inner = self.blocks.prepare(waveforms, lengths)
        placement, before = self.placement, (self.placement.taps - 1) // 2
        last = (placement.frames(lengths) - self.edge_frames).clamp(min=0)  # frame with which the second end begins
        starts = placement.first(lengths)[:, None] + torch.stack([torch.zeros_like(last), last * placement.hop], 1)
        ends = [spectra(waveforms, lengths, each - before, self.edge_size, 1, 1) for each in starts.unbind(1)]
        outside = torch.stack([torch.full_like(lengths, -self.edge_size), lengths], 1) - starts
        valid = torch.stack([outside, torch.stack([torch.zeros_like(lengths), lengths + self.edge_size], 1) - starts], 2)
        return half, inner, torch.cat(ends, 1), valid, last

    def energies(self, filters: Tensor, windows: Tensor, *prepared: Tensor) -> Tensor:
        half, inner, ends, valid, last = prepared
        if torch.compiler.is_compiling():
            return self.blocks.energies(filters, windows, half, inner)
        found, narrow = self._inner(filters, windows, half, inner)
        if len(narrow) == 0:
            return found
        blocks = (ends.flatten(0, 1), valid.flatten(0, 1), filters[narrow], windows[narrow])
        wrong = energies_of_blocks(*blocks, self.placement.hop, self.edge_frames)  # of what rings beyond the ends
        wrong = wrong.new_zeros(*wrong.shape[:2], len(filters)).index_copy(2, narrow, wrong)
        frames = torch.arange(self.edge_frames, device=last.device).expand(len(last), -1)
        place = torch.cat([frames, last[:, None] + frames], 1)[:, :, None].expand(-1, -1, len(filters))
        return found.scatter_add(1, place, -wrong.unflatten(0, (-1, 2)).flatten(1, 2))

    def calibrate(self, filters: Tensor, windows: Tensor, floor: float, *prepared: Tensor) -> None:
        """Choose each filter's band: the narrowest whose error on these clips is within the tolerance, or the whole one."""
        if self.tolerance is None:
            return
        clips = torch.linspace(0, len(prepared[0]) - 1, min(CALIBRATED_ON, len(prepared[0]))).round().long()
        half = prepared[0][clips.to(prepared[0].device)]
        everywhere = torch.tensor([0, self.size], device=half.device).expand(*half.shape[:2], 2)
        true = self.blocks.energies(filters, windows, half, everywhere)
        scale = true.mean(1, keepdim=True).clamp(min=floor)  # of each clip, as PCEN takes it

        def off() -> Tensor:
            return (self._inner(filters, windows, half, everywhere)[0] - true).abs() / scale

        worst = 0.0 if self.shares is None else _rms(off()).max().item()  # with the bands that served until now
        rungs = torch.cat([SHARES, torch.zeros(1)])
        low = torch.zeros(len(filters), dtype=torch.long)
        high = torch.full_like(low, len(SHARES))  # the whole band
        while (low < high).any():  # by bisection: narrower bands, larger errors
            middle = (low + high) // 2
            self.shares = rungs[middle]
            within = (_rms(off()) <= self.tolerance).cpu()
            low, high = torch.where(within, low, (middle + 1).minimum(high)), torch.where(within, middle, high)
        self.shares = rungs[high]
        left = off()
        error = _rms(left).max().item()
        self.found = {
            "clips": len(half),
            "error": error,
            "largest error": left.max().item(),
            "worst error": max(error, worst, self.found.get("worst error", 0.0)),
            "whole bands": int((self.shares == 0).sum()),
        }

    def report(self) -> dict[str, float]:
        """Of the worst filter's errors, as shares of its mean energy: the root mean square and the largest with the bands now
        chosen, and the worst root mean square that training has brought about before bands were chosen anew."""
        return {"tolerance": self.tolerance} | self.found if self.found else {}

    def _inner(self, filters: Tensor, windows: Tensor, half: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
        """Energies, those of narrow filters as if each clip went on as zeros, and the numbers of the narrow ones."""
        blocks = half.flatten(0, 1)
        samples, centres, widths = self._plan(filters.detach(), windows.detach())
        wide = (samples > self.size // 2).nonzero()[:, 0]
        groups = list(self._groups(filters, windows, samples, centres, widths))
        narrow = torch.cat([numbers for numbers, *_ in groups]) if groups else wide[:0]
        found = []
        if groups:
            tensors = [tensor for _, _, *two in groups for tensor in two]
            found.append(_BandEnergies.apply(blocks, [begins for _, begins, *_ in groups], *tensors))
        if len(wide):
            whole_bands = (valid.flatten(0, 1), filters[wide], windows[wide], self.placement.hop, self.frames)
            found.append(energies_of_blocks(blocks, *whole_bands))
        order = torch.cat([narrow, wide]).argsort()
        return torch.cat(found, 2)[:, :, order].unflatten(0, half.shape[:2]).flatten(1, 2), narrow

    def _plan(self, filters: Tensor, windows: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """How many samples each filter gets, and its band's middle bin and number of bins, (filters,) each."""
        exact = self.tolerance is None
        if exact:
            shares = torch.where(windows.sum(1) < BRIEF * windows.shape[1], EXACT_SHARE_BRIEF, EXACT_SHARE)
        else:
            shares = SHARES[12].expand(len(filters)) if self.shares is None else self.shares
        centres, reach = _bands(filters, self.size, shares.to(filters.device))
        widths = (2 * reach + 1).clamp(max=self.size)
        coarse = 1 << (windows.shape[1] - 1).bit_length()
        power = torch.fft.rfft(windows, coarse).abs().square()
        lowpass = (1 + _reach(power, EXACT_WINDOW_SHARE if exact else WINDOW_SHARE)) * (self.size // coarse)
        return _sizes(torch.minimum(widths + lowpass, 2 * widths), self.size), centres, widths

    def _groups(
        self, filters: Tensor, windows: Tensor, samples: Tensor, centres: Tensor, widths: Tensor
    ) -> Iterator[tuple[Tensor, list[int], Tensor, Tensor]]:
        """Some filters that get equally many samples: numbers, first bins, responses from there, decimated windows."""
        for count in sorted(set(samples.tolist())):
            if count > self.size // 2:
                return
            for numbers in (samples == count).nonzero()[:, 0].split(max(1, AT_ONCE // (TILE * count))):
                place = torch.arange(count, device=filters.device) - count // 2
                bins = (centres[numbers, None] + place) % self.size
                kept = 2 * place.abs() < widths[numbers, None]
                response = responses(filters[numbers], self.size).gather(1, bins) * kept * (count / self.size)
                yield numbers, bins[:, 0].tolist(), response, self._decimated(windows[numbers], count)

    def _decimated(self, windows: Tensor, count: int) -> Tensor:
        """Windows (filters, taps) to what sums `count` samples of a block into each frame (filters, frames, count)."""
        spectrum = torch.fft.rfft(windows, self.size)[:, None, : count // 2 + 1]
        delays = torch.arange(self.frames, device=windows.device)[:, None] * self.placement.hop  # whole numbers: exact
        turns = (2 * torch.pi / self.size) * (delays * torch.arange(count // 2 + 1, device=windows.device) % self.size)
        turns = turns.to(windows.dtype)
        return torch.fft.irfft(spectrum * torch.polar(torch.ones_like(turns), -turns), count)


def _sizes(least: Tensor, most: int) -> Tensor:
    """Numbers to the next of 16, 24, 32, 48 ..., or `most`."""
    steps = [2**power * factor for power in range(3, most.bit_length()) for factor in (2, 3)]
    ladder = torch.tensor([step for step in steps if step < most] + [most], device=least.device)
    return ladder[torch.searchsorted(ladder, least).clamp(max=len(ladder) - 1)]


def _bands(filters: Tensor, size: int, shares: Tensor) -> tuple[Tensor, Tensor]:
    """Filters (filters, taps) to the bin with the largest response (filters,) and the bins to keep on both sides of it."""
    coarse = 1 << (filters.shape[1] - 1).bit_length()
    power = responses(filters, coarse).abs().square()
    centres = power.argmax(1)
    away = torch.arange(coarse // 2 + 1, device=filters.device)
    both = power.gather(1, (centres[:, None] + away) % coarse) + power.gather(1, (centres[:, None] - away) % coarse)
    return centres * (size // coarse), _reach(both, shares[:, None]) * (size // coarse)


def _reach(power: Tensor, share: Tensor | float) -> Tensor:
    """Power by distance (filters, bins) to the distance (filters,) from which on less than a share of it lies."""
    beyond = power.flip(1).cumsum(1).flip(1)
    return (beyond > share * beyond[:, :1]).sum(1)


def _rms(errors: Tensor) -> Tensor:
    """Errors (clips, frames, filters) to their root mean square (filters,)."""
    return errors.square().mean((0, 1)).sqrt()


class _BandEnergies(torch.autograd.Function):
    """Spectra (blocks, size // 2 + 1) and groups of filters to energies (blocks, frames, filters), group after group.

    Of each group come the first bin of each filter, and responses (filters, count), windows (filters, frames, count).
    """

    @staticmethod
    def forward(ctx: Any, half: Tensor, begins: list[list[int]], *groups: Tensor) -> Tensor:
        ctx.save_for_backward(half, *groups)
        ctx.begins = begins
        doubled = [pool.repeat_interleave(2, 2) for pool in groups[1::2]]
        found = []
        for some in half.split(at_once(half, TILE)):
            spectrum = _twice(some)
            rows = []
            for begin, response, pool in zip(begins, groups[::2], doubled, strict=True):
                squares = parts(torch.fft.ifft(_inside(spectrum, begin, response) * response[:, None])).square_()
                rows.append(torch.bmm(pool, squares.transpose(1, 2)))  # (filters, frames, blocks)
            found.append(torch.cat(rows).permute(2, 1, 0))
        return torch.cat(found)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        half, *groups = ctx.saved_tensors
        found = [torch.zeros_like(tensor) for tensor in groups]
        for some, wanted in zip(half.split(at_once(half, TILE)), gradient.split(at_once(half, TILE)), strict=True):
            spectrum, done = _twice(some), 0
            for n, begin in enumerate(ctx.begins):
                response, pool = groups[2 * n : 2 * n + 2]
                out = wanted[:, :, done : done + len(begin)].permute(2, 0, 1).contiguous()  # (filters, blocks, frames)
                done += len(begin)
                inside = _inside(spectrum, begin, response)
                filtered = torch.fft.ifft(inside * response[:, None])
                found[2 * n + 1] += torch.bmm(out.transpose(1, 2), parts(filtered).square()).unflatten(2, (-1, 2)).sum(3)
                filtered *= torch.bmm(out, pool)
                found[2 * n] += (torch.fft.fft(filtered) * inside.conj()).sum(1) * (2 / response.shape[1])
        return None, None, *found


def _twice(half: Tensor) -> Tensor:
    """Spectra of real blocks to all their bins, two rounds of them, so that no band has to be broken."""
    spectrum = whole(half)
    return torch.cat([spectrum, spectrum], 1)


def _inside(spectrum: Tensor, begins: list[int], like: Tensor) -> Tensor:
    """The bins of each filter's band (filters, blocks, count)."""
    return torch.stack([spectrum[:, begin : begin + like.shape[1]] for begin in begins])
