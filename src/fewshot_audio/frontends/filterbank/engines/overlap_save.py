"""Overlap-save: blocks of waveforms, filtered by the FFT, to the energies of frames.

A block of `size` samples is kept as its spectrum, size // 2 + 1 bins since it is real. Filtering
multiplies all its bins by a filter's frequency response; an inverse FFT gives the filtered samples.
The last samples of a block are wrong, because filtering wraps round; frames do not touch them.
"""

from collections.abc import Iterator
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import pad

from fewshot_audio.frontends.filterbank.engines.blockwise import (
    Bounds,
    Buffers,
    as_bounds,
    at_once,
    doubled,
    framed,
    of_filters,
    parts,
    product,
    shifted,
    slices,
    within,
    without_zeros_of_runs,
)
from fewshot_audio.frontends.filterbank.engines.gradients import are_needed, of_plain

CLIPS = 8  # prepared together
TILE = 24  # blocks filtered together at the full rate
AT_ONCE = 2**17  # samples of a tile's blocks and some filters: what stays in a processor's cache
LEAST = 2  # filters at once, however large that is
RESPONSES = 8  # frequency responses computed together
FACTOR = 64  # of a length that libraries transform fast


class Blocking(NamedTuple):
    """How waveforms are cut into blocks."""

    samples: int  # of a block, an even number
    frames: int  # whose windows lie in a block, clear of what filtering wraps round
    hop: int  # samples between frames
    symmetric: bool  # whether filters are, so that responses are real and blocks turned


def good_length(least: int) -> int:
    """Return the next multiple of 64 without prime factors above 5, which FFTs like.

    SciPy's next_fast_len does the same, but importing it takes every command 0.2 s.
    """
    count = -(-least // FACTOR)
    while 60 ** count.bit_length() % count:  # holds every such factor often enough
        count += 1
    return FACTOR * count


def spectra(
    waveforms: Tensor, bounds: Tensor, first: Tensor, size: int, step: int, count: int, turn: int
) -> Tensor:
    """Return the half spectra (clips, count, bins) of overlapping blocks of clips.

    Args:
        waveforms: Clips (clips, samples), padded with anything.
        bounds: Of each clip the first sample that counts, and the end; others are taken as zeros.
        first: The sample with which the first block of each clip begins.
        size: Samples of a block.
        step: Samples between blocks.
        count: Blocks of a clip.
        turn: So many first samples of each block are moved to its end.
    """
    dtype = torch.complex128 if waveforms.dtype == torch.float64 else torch.complex64
    result = torch.empty(len(waveforms), count, size // 2 + 1, dtype=dtype, device=waveforms.device)
    offsets = torch.arange((count - 1) * step + size, device=waveforms.device)
    for clips in slices(len(waveforms), CLIPS):
        places = first[clips, None] + offsets
        inside = (places >= bounds[clips, :1]) & (places < bounds[clips, 1:])
        samples = waveforms[clips].gather(1, places.clamp(0, waveforms.shape[1] - 1)) * inside
        blocks = samples.unfold(1, size, step).roll(-turn, 2)
        result[clips] = torch.fft.rfft(blocks)
    return result


def whole(half: Tensor) -> Tensor:
    """Return all bins (..., size) of real blocks of even size."""
    return torch.cat([half, half[..., 1:-1].flip(-1).conj()], -1)


def responses(filters: Tensor, size: int, symmetric: bool) -> Tensor:
    """Return frequency responses (*, size): what spectra are multiplied by to filter blocks.

    They are divided by `size`, for inverse FFTs that do not scale. Those of symmetric filters are
    real, as if the middle tap were the first (so blocks must be turned by taps // 2 samples); the
    first half of such filters is not looked at.
    """
    if symmetric:
        return torch.fft.hfft(filters[..., filters.shape[-1] // 2 :], size, norm="forward")
    return torch.fft.fft(filters, size, norm="forward").conj().resolve_conj()


def _gradient_of_filters(of_responses: Tensor, taps: int) -> Tensor:
    """Return the gradient of filters (filters, taps), given that of their frequency responses."""
    if of_responses.is_complex():
        return torch.fft.fft(of_responses)[:, :taps].conj()
    of_second_half = 2 * torch.fft.rfft(of_responses)[:, : taps - taps // 2].conj()
    of_second_half[:, 0] /= 2
    return pad(of_second_half, (taps // 2, 0))


def gradient_of_responses(of_products: Tensor, opposite: Tensor, symmetric: bool) -> Tensor:
    """Return the gradient of responses (filters, bins), real where filters are symmetric.

    Takes the gradient of responses times spectra (filters, blocks, bins), which it overwrites, and
    the spectra by `opposite`.
    """
    if symmetric:
        products = parts(of_products).mul_(parts(opposite))
        return products.sum(1).unflatten(1, (-1, 2)).sum(2)
    return of_products.mul_(opposite).sum(1)


def opposite(spectrum: Tensor, symmetric: bool) -> Tensor:
    """Return spectra as `gradient_of_responses` takes them."""
    return spectrum if symmetric else spectrum.conj_physical()


def power(spectrum: Tensor) -> Tensor:
    """Return squared absolute values, several times faster than by `abs`."""
    return spectrum.real.square() + spectrum.imag.square()


class BlockEnergies(torch.autograd.Function):
    """The energies (blocks, frames, filters) of filters in blocks, exact but for rounding.

    Frame t sums |filtered|^2 under the window that begins t * hop samples into the block. Some
    blocks and some filters are filtered at a time, and anew in the backward pass, for which nothing
    but the arguments is kept: the blocks' half spectra (blocks, runs, bins), of each block the
    first sample that counts and the end (blocks, runs, 2), impulse responses and pooling windows
    (filters, taps), and the run that each filter is of (filters,), None where there is one run.
    """

    @staticmethod
    def forward(
        ctx: Any,
        half: Tensor,
        valid: Tensor,
        filters: Tensor,
        windows: Tensor,
        runs: Tensor | None,
        blocking: Blocking,
    ) -> Tensor:
        ctx.save_for_backward(half, valid, filters, windows)
        ctx.runs, ctx.blocking = runs, blocking
        _, frames, hop, symmetric = blocking
        weights = doubled(windows)[:, None]
        energies = half.real.new_empty(len(filters), len(half), frames)
        for blocks, spectrum, bounds in _tiles(half, valid):
            buffers: Buffers = {}
            for numbers, response in _some_responses(spectrum, filters, symmetric):
                own = None if runs is None else runs[numbers]
                filtered = _filtered(buffers, spectrum, response, bounds, own)
                under = framed(parts(filtered), weights.shape[2], 2 * hop, frames)
                squares = product(buffers, under, under).flatten(1, 2)
                sums = weights[numbers] @ squares.transpose(1, 2)
                energies[numbers, blocks] = sums.view(-1, len(spectrum), frames)
        return energies.permute(1, 2, 0)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        half, valid, filters, windows = ctx.saved_tensors
        if are_needed(ctx):
            plain = partial(_plain, ctx.blocking, ctx.runs)
            of_half, *others = of_plain(plain, gradient, half, filters, windows, of_blocks=(valid,))
            return of_half, None, *others, None, None
        gradient, half, valid = without_zeros_of_runs(gradient, ctx.runs, half, valid)
        of_taps, of_windows = torch.zeros_like(filters), torch.zeros_like(windows)
        size, frames, hop, symmetric = ctx.blocking
        taps = windows.shape[1]
        for blocks, spectrum, bounds in _tiles(half, valid):
            against = opposite(spectrum, symmetric)
            buffers: Buffers = {}
            for numbers, response in _some_responses(spectrum, filters, symmetric):
                own = None if ctx.runs is None else ctx.runs[numbers]
                out = gradient[blocks, :, numbers].permute(2, 0, 1)  # (filters, blocks, frames)
                filtered = _filtered(buffers, spectrum, response, bounds, own)
                under = framed(parts(filtered), 2 * taps, 2 * hop, frames)
                squares = product(buffers, under, under).flatten(1, 2)
                of_weights = out.flatten(1)[:, None] @ squares  # (filters, 1, 2 * taps)
                of_windows[numbers] += of_weights[:, 0].unflatten(1, (-1, 2)).sum(2)
                filtered *= out @ shifted(windows[numbers], size, hop, frames)
                seen, of_products = of_filters(against, own), torch.fft.fft(filtered)
                of_response = gradient_of_responses(of_products, seen, symmetric)
                of_taps[numbers] += _gradient_of_filters(of_response * (2 / size), taps)
        return None, None, of_taps, of_windows, None, None


def _plain(
    blocking: Blocking,
    runs: Tensor | None,
    half: Tensor,
    filters: Tensor,
    windows: Tensor,
    valid: Tensor,
) -> Tensor:
    """Return what `BlockEnergies` does, by operations that torch differentiates."""
    size, frames, hop, symmetric = blocking
    products = of_filters(whole(half), runs) * responses(filters, size, symmetric)[:, None]
    filtered = within(torch.fft.ifft(products, norm="forward"), of_filters(valid, runs))
    return (power(filtered) @ shifted(windows, size, hop, frames).mT).permute(1, 2, 0)


def _tiles(half: Tensor, valid: Tensor) -> Iterator[tuple[slice, Tensor, Bounds]]:
    """Yield some blocks at a time: their numbers, all bins of their spectra, their bounds."""
    bounds = as_bounds(valid[:, 0]) if valid.shape[1] == 1 else valid
    for blocks in slices(len(half), max(1, at_once(half, TILE) // half.shape[1])):
        yield blocks, whole(half[blocks]), bounds[blocks]


def _some_responses(
    spectrum: Tensor, filters: Tensor, symmetric: bool
) -> Iterator[tuple[slice, Tensor]]:
    """Yield some filters at a time: their numbers and their responses (filters, 1, size)."""
    size, done = spectrum.shape[2], 0
    together = max(LEAST, at_once(filters, AT_ONCE) // (len(spectrum) * size))
    for some in filters.split(together * max(1, RESPONSES // together)):
        for response in responses(some, size, symmetric)[:, None].split(together):
            yield slice(done, done + len(response)), response
            done += len(response)


def _filtered(
    buffers: Buffers, spectrum: Tensor, response: Tensor, bounds: Bounds, runs: Tensor | None
) -> Tensor:
    """Return filtered blocks (filters, blocks, size), zeros where samples do not count."""
    products = product(buffers, of_filters(spectrum, runs), response)
    if isinstance(bounds, Tensor) and bounds.dim() == 3:
        bounds = of_filters(bounds, runs)
    return within(torch.fft.ifft(products, norm="forward"), bounds)
