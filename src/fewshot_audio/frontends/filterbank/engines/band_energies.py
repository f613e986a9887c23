"""The energies of filters in blocks, each filter from the bins of its band alone.

The bins of a band, moved to begin with bin 0, are the spectrum of few samples: the filtered block
at a lower rate. Squared, and summed under a window at that rate, they give the energies of frames.
"""

from collections.abc import Iterator
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor

from fewshot_audio.frontends.filterbank.engines.blockwise import (
    at_once,
    doubled,
    parts,
    slices,
    without_zeros_of_runs,
)
from fewshot_audio.frontends.filterbank.engines.gradients import are_needed, of_plain
from fewshot_audio.frontends.filterbank.engines.overlap_save import (
    AT_ONCE,
    gradient_of_responses,
    opposite,
    power,
    whole,
)

TILE = 48  # blocks whose bands are filtered together; more than at the full rate: less to call


Places = tuple[Tensor, Tensor]  # the runs and the first bins of filters' bands (filters,)


class Group(NamedTuple):
    """Filters whose bands have equally many bins, `count`, so that they are filtered together."""

    numbers: Tensor  # (filters,)
    runs: Tensor  # the runs that they are of (filters,)
    begins: Tensor  # the first bins of their bands (filters,)
    responses: Tensor  # frequency responses in their bands (filters, count)
    windows: Tensor  # of `count` samples to each frame (filters, frames, count)


def energies_of_bands(half: Tensor, groups: list[Group]) -> Tensor:
    """Return the energies (blocks, frames, filters) of filters, group after group.

    Half spectra are (blocks, runs, bins): each filter filters the blocks of its run.
    """
    tensors = []
    for group in groups:
        tensors += [group.responses, group.windows]
    return _BandEnergies.apply(half, [(group.runs, group.begins) for group in groups], *tensors)


class _BandEnergies(torch.autograd.Function):
    """Takes where the bands of each group are, then by turns responses and windows of each."""

    @staticmethod
    def forward(ctx: Any, half: Tensor, places: list[Places], *tensors: Tensor) -> Tensor:
        ctx.save_for_backward(half, *tensors)
        ctx.places = places
        filters = sum(len(runs) for runs, _ in places)
        energies = half.real.new_empty(filters, tensors[1].shape[1], len(half))
        for blocks in _tiles(half):
            spectrum, done = _extended(half[blocks]), 0
            for place, response, window in _some(spectrum, places, tensors):
                products = _in_band(spectrum, place, response).mul_(response)
                squares = parts(torch.fft.ifft(products, norm="forward")).square_()
                sums = torch.bmm(doubled(window), squares.transpose(1, 2))
                energies[done : done + len(window), :, blocks] = sums
                done += len(window)
        return energies.permute(2, 1, 0)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        half, *tensors = ctx.saved_tensors
        if are_needed(ctx):
            of_half, *others = of_plain(partial(_plain, ctx.places), gradient, half, *tensors)
            return of_half, None, *others
        all_runs = torch.cat([runs for runs, _ in ctx.places])
        gradient, half = without_zeros_of_runs(gradient, all_runs, half)
        gradients = [torch.zeros_like(tensor) for tensor in tensors]
        for blocks in _tiles(half):
            spectrum, done = _extended(half[blocks]), 0
            both = _some(spectrum, ctx.places, tensors), _some(spectrum, ctx.places, gradients)
            for (place, response, window), (_, of_response, of_window) in zip(*both, strict=True):
                out = gradient[blocks, :, done : done + len(window)].permute(2, 0, 1).contiguous()
                done += len(window)
                symmetric = not response.is_complex()
                band = _in_band(spectrum, place, response)
                filtered = torch.fft.ifft(band * response, norm="forward")
                of_doubled = torch.bmm(out.transpose(1, 2), parts(filtered).square())
                of_window += of_doubled.unflatten(2, (-1, 2)).sum(3)
                filtered *= torch.bmm(out, window)
                products, against = torch.fft.fft(filtered), opposite(band, symmetric)
                of_response += 2 * gradient_of_responses(products, against, symmetric)[:, None]
        return None, None, *gradients


def _plain(places: list[Places], half: Tensor, *tensors: Tensor) -> Tensor:
    """Return what `_BandEnergies` does, by operations that torch differentiates."""
    spectrum, energies = _extended(half), []
    for (runs, begin), response, window in zip(places, tensors[::2], tensors[1::2], strict=True):
        bins = begin[:, None] + torch.arange(response.shape[1], device=begin.device)
        products = spectrum[:, runs[:, None], bins].transpose(0, 1) * response[:, None]
        energies.append(power(torch.fft.ifft(products, norm="forward")) @ window.mT)
    return torch.cat(energies).permute(1, 2, 0)


def _tiles(half: Tensor) -> list[slice]:
    """Return the numbers of the blocks that are filtered together, in each run."""
    return slices(len(half), max(1, at_once(half, TILE) // half.shape[1]))


def _some(
    spectrum: Tensor, places: list[Places], tensors: tuple[Tensor, ...] | list[Tensor]
) -> Iterator[tuple[Places, Tensor, Tensor]]:
    """Yield places, responses and windows of some filters of a group at a time, as views."""
    for (runs, begin), response, window in zip(places, tensors[::2], tensors[1::2], strict=True):
        size = max(1, at_once(spectrum, AT_ONCE) // (len(spectrum) * response.shape[1]))
        for some in slices(len(begin), size):
            yield (runs[some], begin[some]), response[some, None], window[some]


def _extended(half: Tensor) -> Tensor:
    """Return all bins of blocks, and the first half of them again, so that no band is broken."""
    spectrum = whole(half)
    return torch.cat([spectrum, spectrum[..., : spectrum.shape[-1] // 2]], -1)


def _in_band(spectrum: Tensor, places: Places, response: Tensor) -> Tensor:
    """Return the bins (filters, blocks, count) of each filter's band."""
    return spectrum.unfold(2, response.shape[2], 1).permute(1, 2, 0, 3)[places]
