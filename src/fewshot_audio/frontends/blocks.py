"""Overlap-save blocks of waveforms, and the energies of filters in them by the FFT."""

from collections.abc import Iterator
from typing import Any

import torch
from scipy.fft import next_fast_len
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn.functional import pad

TILE = 8  # blocks filtered together at the full rate: what stays in a processor's cache


def block_size(frames: int, taps: int, hop: int) -> int:
    """Samples, an even number, of a block from which that many frames come: two windows of `taps`, and the hops."""
    return 2 * next_fast_len(-(-((frames - 1) * hop + 2 * taps - 1) // 2), real=True)


def at_once(like: Tensor, on_cpu: int) -> int:
    """How much to do together on a tensor's device: a GPU has no small cache to stay in, but launches to save."""
    return 64 * on_cpu if like.is_cuda else on_cpu


def spectra(waveforms: Tensor, lengths: Tensor, first: Tensor, size: int, step: int, count: int) -> Tensor:
    """Waveforms (clips, samples) to spectra (clips, count, size // 2 + 1) of blocks of `size` samples every `step`.

    `first` (clips,) is the sample with which each clip's first block begins; around a clip are zeros.
    """
    complex_type = torch.complex128 if waveforms.dtype == torch.float64 else torch.complex64
    found = torch.empty(len(waveforms), count, size // 2 + 1, dtype=complex_type, device=waveforms.device)
    parts_of = (each.split(TILE) for each in (waveforms, lengths, first, found))
    for some, last, begin, target in zip(*parts_of, strict=True):
        place = begin[:, None] + torch.arange((count - 1) * step + size, device=waveforms.device)
        inside = (place >= 0) & (place < last[:, None])
        blocks = some.gather(1, place.clamp(0, some.shape[1] - 1)) * inside
        target.copy_(torch.fft.rfft(blocks.unfold(1, size, step)))
    return found


def whole(half: Tensor) -> Tensor:
    """Spectra (blocks, size // 2 + 1) of real blocks of even size to all their bins (blocks, size)."""
    return torch.cat([half, half[:, 1:-1].flip(1).conj()], 1)


def responses(filters: Tensor, size: int) -> Tensor:
    """Filters (..., taps) to their frequency responses (..., size): what a block's spectrum is multiplied by."""
    return torch.fft.ifft(filters.conj(), size) * size


def energies_of_blocks(half: Tensor, valid: Tensor, filters: Tensor, windows: Tensor, hop: int, frames: int) -> Tensor:
    """Spectra (blocks, size // 2 + 1) to the energies (blocks, frames, filters) of filters (filters, taps) in their blocks.

    Frame t sums |filtered|^2 under the window that begins t * hop samples into the block, over the samples that lie within
    the block's `valid` (blocks, 2): from, to. Exact but for rounding; saves nothing for the backward pass but its inputs.
    """
    return _BlockEnergies.apply(half, valid, filters, windows, hop, frames)


class _BlockEnergies(torch.autograd.Function):
    """Tile by tile, filter by filter, in the forward pass and, anew, in the backward pass."""

    @staticmethod
    def forward(ctx: Any, half: Tensor, valid: Tensor, filters: Tensor, windows: Tensor, hop: int, frames: int) -> Tensor:
        ctx.save_for_backward(half, valid, filters, windows)
        ctx.hop, ctx.frames = hop, frames
        found = []
        for spectrum, inside in _tiles(half, valid):
            rows = []
            for _, taps, window in _some(len(spectrum), filters, windows.repeat_interleave(2, 1)):
                filtered = torch.fft.ifft(spectrum * responses(taps, spectrum.shape[1])[:, None])
                squares = framed(parts(filtered).square_().mul_(inside), window.shape[1], 2 * hop, frames)
                rows.append((squares * window[:, None, None]).sum(3))
            found.append(torch.cat(rows).permute(1, 2, 0))
        return torch.cat(found)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        half, valid, filters, windows = ctx.saved_tensors
        of_filters, of_windows = torch.zeros_like(filters), torch.zeros_like(windows)
        for (spectrum, inside), wanted in zip(_tiles(half, valid), gradient.split(at_once(half, TILE)), strict=True):
            size = spectrum.shape[1]
            for numbers, taps, window in _some(len(spectrum), filters, windows):
                out = wanted[:, :, numbers].permute(2, 0, 1)  # (filters, blocks, frames)
                filtered = torch.fft.ifft(spectrum * responses(taps, size)[:, None])
                squares = framed(parts(filtered).square().mul_(inside), 2 * taps.shape[1], 2 * ctx.hop, ctx.frames)
                of_windows[numbers] += (squares * out[..., None]).sum((1, 2)).unflatten(1, (-1, 2)).sum(2)
                filtered *= (out @ shifted(window, size, ctx.hop, ctx.frames)).mul_(inside[:, ::2])
                of_response = (torch.fft.fft(filtered) * spectrum.conj()).sum(1) * (2 / size)
                of_filters[numbers] += torch.fft.fft(of_response)[:, : taps.shape[1]].conj()
        return None, None, of_filters, of_windows, None, None


def _tiles(half: Tensor, valid: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Some blocks at a time: all bins (blocks, size), and which samples are valid (blocks, 2 * size), each twice."""
    places = torch.arange(2 * (half.shape[1] - 1), device=half.device).repeat_interleave(2)
    for some, bounds in zip(half.split(at_once(half, TILE)), valid.split(at_once(half, TILE)), strict=True):
        yield whole(some), ((places >= bounds[:, :1]) & (places < bounds[:, 1:])).to(half.real.dtype)


def _some(blocks: int, filters: Tensor, windows: Tensor) -> Iterator[tuple[slice, Tensor, Tensor]]:
    """Some filters at a time, the fewer the more blocks: their numbers, taps and windows."""
    size = max(1, at_once(filters, TILE) // blocks)
    for begin in range(0, len(filters), size):
        numbers = slice(begin, begin + size)
        yield numbers, filters[numbers], windows[numbers]


def parts(filtered: Tensor) -> Tensor:
    """Complex samples (..., size) to their real and imaginary parts side by side (..., 2 * size)."""
    return torch.view_as_real(filtered).flatten(-2)


def framed(samples: Tensor, taps: int, hop: int, frames: int) -> Tensor:
    """Samples (..., size) as overlapping frames (..., frames, taps), a view."""
    return samples[..., : (frames - 1) * hop + taps].unfold(-1, taps, hop)


def shifted(windows: Tensor, size: int, hop: int, frames: int) -> Tensor:
    """Windows (filters, taps) to rows (filters, frames, size) that hold them, each row a hop later."""
    taps = windows.shape[1]
    return torch.stack([pad(windows, (frame * hop, size - taps - frame * hop)) for frame in range(frames)], 1)
