"""Engines of real filters with a leaky rectifier behind them, in blocks at the full rate.

A rectified signal has no band, so nothing can be decimated. Source: the SincNet of Zeghidour et
al., arXiv 2101.08596.
"""

from collections.abc import Iterator
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import leaky_relu, max_pool1d

from fewshot_audio.frontends.filterbank.engines.blocks import BlockEngine
from fewshot_audio.frontends.filterbank.engines.blockwise import (
    Bounds,
    as_bounds,
    at_once,
    framed,
    shifted,
    slices,
    within,
    without_zeros,
)
from fewshot_audio.frontends.filterbank.engines.gradients import are_needed, of_plain
from fewshot_audio.frontends.filterbank.engines.overlap_save import Blocking

SLOPE = 0.2  # of the rectifier below zero
TILE, FILTERS = 8, 8  # blocks and filters computed together: what stays in a processor's cache
leaky_relu_backward = torch.ops.aten.leaky_relu_backward


class Rectified(BlockEngine):
    """Filter by the FFT, rectify, and sum under the window of each frame."""

    takes_complex = False

    def of_blocks(self, half: Tensor, valid: Tensor, filters: Tensor, windows: Tensor) -> Tensor:
        return _Sums.apply(half, valid, filters, windows, self.blocking)


class RectifiedMaximum(BlockEngine):
    """Filter by the FFT, rectify, and take the largest sample of each frame.

    Not for torch.compile or torch.export.
    """

    takes_complex = False
    takes_maximum = True

    def of_blocks(self, half: Tensor, valid: Tensor, filters: Tensor, windows: Tensor) -> Tensor:
        if torch.compiler.is_compiling():
            raise NotImplementedError("the largest sample's gradient is lost in a traced graph")
        largest = _Largest.apply(half, valid, filters, self.blocking)
        return leaky_relu(largest, SLOPE)  # which keeps the order of samples


def _responses(filters: Tensor, half: Tensor) -> Iterator[tuple[slice, Tensor]]:
    """Yield some filters at a time: their numbers and their responses (filters, 1, bins)."""
    size = 2 * (half.shape[1] - 1)
    for numbers in slices(len(filters), at_once(half, FILTERS)):
        yield numbers, torch.fft.rfft(filters[numbers], size).conj()[:, None]


def _tiles(half: Tensor, bounds: Bounds) -> Iterator[tuple[slice, Tensor, Bounds]]:
    """Yield some blocks at a time: their numbers, spectra and bounds."""
    for blocks in slices(len(half), at_once(half, TILE)):
        yield blocks, half[blocks], bounds[blocks]


class _Largest(torch.autograd.Function):
    """The largest filtered sample (blocks, frames, filters) of each frame, 0 where there is none.

    Its gradient is that of one sample, so the backward pass looks only at the stretches of waveform
    that these samples were filtered from.
    """

    @staticmethod
    def forward(
        ctx: Any, half: Tensor, valid: Tensor, filters: Tensor, blocking: Blocking
    ) -> Tensor:
        _, frames, hop, _ = blocking
        taps = filters.shape[1]
        places = torch.empty(len(half), frames, len(filters), dtype=torch.int32, device=half.device)
        largest = half.real.new_empty(places.shape)
        all_bounds = as_bounds(valid)
        for numbers, response in _responses(filters, half):
            for blocks, spectrum, bounds in _tiles(half, all_bounds):
                filtered = within(torch.fft.irfft(spectrum * response), bounds, -torch.inf)
                values, indices = framed(filtered, taps, hop, frames).max(3)
                largest[blocks, :, numbers] = values.permute(1, 2, 0)
                places[blocks, :, numbers] = indices.permute(1, 2, 0)
        beyond = largest == -torch.inf  # frames beyond the end of a clip
        places += torch.arange(frames, device=half.device, dtype=torch.int32)[:, None] * hop
        ctx.save_for_backward(half, valid, filters, places, beyond)
        ctx.blocking = blocking
        return largest.masked_fill_(beyond, 0.0)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        half, valid, filters, places, beyond = ctx.saved_tensors
        taps = filters.shape[1]
        if are_needed(ctx):
            plain = partial(_plain_largest, ctx.blocking)
            of_half, of_filters = of_plain(plain, gradient, half, filters, of_blocks=(valid,))
            return of_half, None, of_filters, None
        gradient, half, places = without_zeros(gradient.masked_fill(beyond, 0.0), half, places)
        of_filters = torch.zeros_like(filters)
        for spectrum, place, out in zip(half, places, gradient, strict=True):
            stretches = torch.fft.irfft(spectrum).unfold(0, taps, 1)
            of_largest = stretches[place.T]  # (filters, frames, taps)
            of_filters += of_largest.mul_(out.T[:, :, None]).sum(1)
        return None, None, of_filters, None


class _Sums(torch.autograd.Function):
    """Sums (blocks, frames, filters) of rectified samples under windows (filters, taps).

    Nothing but the arguments is kept for the backward pass.
    """

    @staticmethod
    def forward(
        ctx: Any, half: Tensor, valid: Tensor, filters: Tensor, windows: Tensor, blocking: Blocking
    ) -> Tensor:
        ctx.save_for_backward(half, valid, filters, windows)
        ctx.blocking = blocking
        _, frames, hop, _ = blocking
        sums = half.real.new_empty(len(half), frames, len(filters))
        all_bounds = as_bounds(valid)
        for numbers, response in _responses(filters, half):
            for blocks, spectrum, bounds in _tiles(half, all_bounds):
                rectified = leaky_relu(torch.fft.irfft(spectrum * response), SLOPE, inplace=True)
                under = framed(within(rectified, bounds), windows.shape[1], hop, frames)
                weighted = under * windows[numbers, None, None]
                sums[blocks, :, numbers] = weighted.sum(3).permute(1, 2, 0)
        return sums

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        half, valid, filters, windows = ctx.saved_tensors
        if are_needed(ctx):
            plain = partial(_plain_sums, ctx.blocking)
            of_half, *others = of_plain(plain, gradient, half, filters, windows, of_blocks=(valid,))
            return of_half, None, *others, None
        gradient, half, valid = without_zeros(gradient, half, valid)
        of_filters, of_windows = torch.zeros_like(filters), torch.zeros_like(windows)
        (size, frames, hop, _), all_bounds = ctx.blocking, as_bounds(valid)
        for numbers, response in _responses(filters, half):
            rows = shifted(windows[numbers], size, hop, frames)
            of_response, of_rows = torch.zeros_like(response[:, 0]), torch.zeros_like(rows)
            for blocks, spectrum, bounds in _tiles(half, all_bounds):
                out = gradient[blocks, :, numbers].permute(2, 0, 1)  # (filters, blocks, frames)
                filtered = torch.fft.irfft(spectrum * response)
                of_filtered = leaky_relu_backward(out @ rows, filtered, SLOPE, False)
                of_products = torch.fft.rfft(within(of_filtered, bounds)).conj()
                of_response += (of_products * spectrum).sum(1)
                rectified = within(leaky_relu(filtered, SLOPE, inplace=True), bounds)
                of_rows += out.transpose(1, 2) @ rectified
            of_filters[numbers] = torch.fft.irfft(of_response)[:, : filters.shape[1]]
            for frame, row in enumerate(of_rows.unbind(1)):  # where `shifted` puts the windows
                of_windows[numbers] += row[:, frame * hop :][:, : windows.shape[1]]
        return None, None, of_filters, of_windows, None


def _plain_largest(blocking: Blocking, half: Tensor, filters: Tensor, valid: Tensor) -> Tensor:
    """Return what `_Largest` does, by operations that torch differentiates."""
    size, frames, hop, _ = blocking
    response = torch.fft.rfft(filters, size).conj()[:, None]
    filtered = within(torch.fft.irfft(half * response), valid, -torch.inf)
    reach = (frames - 1) * hop + filters.shape[1]
    largest = max_pool1d(filtered[..., :reach], filters.shape[1], hop)
    return largest.masked_fill(largest == -torch.inf, 0.0).permute(1, 2, 0)


def _plain_sums(
    blocking: Blocking, half: Tensor, filters: Tensor, windows: Tensor, valid: Tensor
) -> Tensor:
    """Return what `_Sums` does, by operations that torch differentiates."""
    size, frames, hop, _ = blocking
    response = torch.fft.rfft(filters, size).conj()[:, None]
    rectified = within(leaky_relu(torch.fft.irfft(half * response), SLOPE), valid)
    return (rectified @ shifted(windows, size, hop, frames).mT).permute(1, 2, 0)
