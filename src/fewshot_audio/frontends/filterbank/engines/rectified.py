"""Real filters with a leaky rectifier behind them: blocks at the full rate."""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn.functional import leaky_relu

from fewshot_audio.frontends.filterbank.engines.base import Engine
from fewshot_audio.frontends.filterbank.engines.blocks import Blocks
from fewshot_audio.frontends.filterbank.engines.overlap_save import (
    at_once,
    framed,
    listed,
    mattering,
    shifted,
    unshifted,
    within,
)
from fewshot_audio.frontends.filterbank.framing import Placement

SLOPE = 0.2  # of the rectifier below zero
TILE, FILTERS = 8, 8  # blocks and filters computed together: what stays in a processor's cache
leaky_relu_backward = torch.ops.aten.leaky_relu_backward


class Rectified(Engine):
    """Filters by the FFT, rectifies, and takes the sum under the window of each frame, or its `largest` sample.

    The rectified signal has no band, so nothing is decimated. With `largest` not for torch.compile or torch.export.
    Source: the SincNet of Zeghidour et al., arXiv 2101.08596.
    """

    def __init__(self, placement: Placement, largest: bool):
        super().__init__(placement)
        self.blocks, self.largest = Blocks(placement), largest

    def prepare(self, waveforms: Tensor, lengths: Tensor) -> tuple[Tensor, ...]:
        return self.blocks.prepare(waveforms, lengths)

    def crop(
        self, prepared: tuple[Tensor, ...], starts: Tensor, frames: int
    ) -> tuple[tuple[Tensor, ...], Tensor]:
        return self.blocks.crop(prepared, starts, frames)

    def energies(self, filters: Tensor, windows: Tensor, *prepared: Tensor) -> Tensor:
        half, valid = prepared
        blocks, frames = (
            (half.flatten(0, 1), valid.flatten(0, 1)),
            (self.placement.hop, self.blocks.frames),
        )
        if self.largest and torch.compiler.is_compiling():
            raise NotImplementedError("the largest sample's gradient is lost in a traced graph")
        if self.largest:
            found = leaky_relu(
                _Largest.apply(*blocks, filters, *frames), SLOPE
            )  # which keeps the order of samples
        else:
            found = _Sums.apply(*blocks, filters, windows, *frames)
        return found.unflatten(0, half.shape[:2]).flatten(1, 2)


class _Largest(torch.autograd.Function):
    """Spectra (blocks, bins) to the largest filtered sample (blocks, frames, filters) of each frame, 0 where there is none.

    Its gradient is that of one sample, so the backward pass looks at the few stretches of waveform behind them.
    """

    @staticmethod
    def forward(
        ctx: Any, half: Tensor, valid: Tensor, filters: Tensor, hop: int, frames: int
    ) -> Tensor:
        size, taps = 2 * (half.shape[1] - 1), filters.shape[1]
        places = torch.empty(len(half), frames, len(filters), dtype=torch.int32, device=half.device)
        found, bounds = half.real.new_empty(places.shape), listed(valid)
        for numbers in _split(len(filters), at_once(half, FILTERS)):
            response = torch.fft.rfft(filters[numbers], size).conj()[:, None]
            for some in _split(len(half), at_once(half, TILE)):
                filtered = within(torch.fft.irfft(half[some] * response), bounds[some], -torch.inf)
                values, indices = framed(filtered, taps, hop, frames).max(3)
                found[some, :, numbers], places[some, :, numbers] = (
                    values.permute(1, 2, 0),
                    indices.permute(1, 2, 0),
                )
        nothing = found == -torch.inf  # frames beyond a clip's end
        places += torch.arange(frames, device=half.device, dtype=torch.int32)[:, None] * hop
        ctx.save_for_backward(half, places, nothing)
        ctx.taps = taps
        return found.masked_fill_(nothing, 0.0)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        half, places, nothing = ctx.saved_tensors
        gradient, half, places = mattering(gradient.masked_fill(nothing, 0.0), half, places)
        found = gradient.new_zeros(gradient.shape[2], ctx.taps)
        for spectrum, place, wanted in zip(half, places, gradient, strict=True):
            stretches = torch.fft.irfft(spectrum).unfold(0, ctx.taps, 1)[
                place.T
            ]  # (filters, frames, taps)
            found += stretches.mul_(wanted.T[:, :, None]).sum(1)
        return None, None, found, None, None


class _Sums(torch.autograd.Function):
    """Spectra (blocks, bins) to sums (blocks, frames, filters) of rectified samples under windows (filters, taps).

    Saves nothing for the backward pass but its inputs.
    """

    @staticmethod
    def forward(
        ctx: Any,
        half: Tensor,
        valid: Tensor,
        filters: Tensor,
        windows: Tensor,
        hop: int,
        frames: int,
    ) -> Tensor:
        ctx.save_for_backward(half, valid, filters, windows)
        ctx.hop, ctx.frames = hop, frames
        size, taps = 2 * (half.shape[1] - 1), windows.shape[1]
        found, bounds = half.real.new_empty(len(half), frames, len(filters)), listed(valid)
        for numbers in _split(len(filters), at_once(half, FILTERS)):
            response = torch.fft.rfft(filters[numbers], size).conj()[:, None]
            for some in _split(len(half), at_once(half, TILE)):
                rectified = leaky_relu(torch.fft.irfft(half[some] * response), SLOPE, inplace=True)
                under = (
                    framed(within(rectified, bounds[some]), taps, hop, frames)
                    * windows[numbers, None, None]
                )
                found[some, :, numbers] = under.sum(3).permute(1, 2, 0)
        return found

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        half, valid, filters, windows = ctx.saved_tensors
        gradient, half, valid = mattering(gradient, half, valid)
        size, taps = 2 * (half.shape[1] - 1), windows.shape[1]
        of_filters, of_windows, bounds = (
            torch.zeros_like(filters),
            torch.zeros_like(windows),
            listed(valid),
        )
        for numbers in _split(len(filters), at_once(half, FILTERS)):
            response = torch.fft.rfft(filters[numbers], size).conj()[:, None]
            spread = shifted(windows[numbers], size, ctx.hop, ctx.frames)
            of_response, of_spread = torch.zeros_like(response[:, 0]), torch.zeros_like(spread)
            for some in _split(len(half), at_once(half, TILE)):
                out = gradient[some, :, numbers].permute(2, 0, 1)  # (filters, blocks, frames)
                filtered = torch.fft.irfft(half[some] * response)
                of_filtered = within(
                    leaky_relu_backward(out @ spread, filtered, SLOPE, False), bounds[some]
                )
                of_response += (torch.fft.rfft(of_filtered).conj() * half[some]).sum(1)
                of_spread += out.transpose(1, 2) @ within(
                    leaky_relu(filtered, SLOPE, inplace=True), bounds[some]
                )
            of_filters[numbers] = torch.fft.irfft(of_response)[:, : filters.shape[1]]
            of_windows[numbers] = unshifted(of_spread, taps, ctx.hop)
        return None, None, of_filters, of_windows, None, None


def _split(count: int, size: int) -> list[slice]:
    """So many in parts of at most `size`."""
    return [slice(begin, begin + size) for begin in range(0, count, size)]
