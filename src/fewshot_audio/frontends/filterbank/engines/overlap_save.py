"""Overlap-save blocks of waveforms, and the energies of filters in them by the FFT."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn.functional import pad

CLIPS = 8  # prepared together
TILE = 24  # blocks filtered together at the full rate
AT_ONCE = 2**17  # samples of a tile's blocks and some filters: what stays in a processor's cache
LEAST = 2  # filters at once, however large that is: there is less to call
RESPONSES = 8  # computed together
Room = dict[tuple[torch.Size, ...], Tensor]
Bounds = list[list[int]] | Tensor  # (blocks, 2)
FACTOR = 64  # of a length that libraries transform fast


def good_length(least: int) -> int:
    """The next multiple of 64 that libraries transform fast: without prime factors beyond 5.

    SciPy's next_fast_len finds the same, but importing it takes every command 0.2 s.
    """
    count = -(-least // FACTOR)
    while (
        60 ** count.bit_length() % count
    ):  # a number to which all such factors of the count come often enough
        count += 1
    return FACTOR * count


def at_once(like: Tensor, on_cpu: int) -> int:
    """How much to do together on a tensor's device: a GPU has no small cache to stay in, but launches to save."""
    return 64 * on_cpu if like.is_cuda else on_cpu


def spectra(
    waveforms: Tensor, bounds: Tensor, first: Tensor, size: int, step: int, count: int, turn: int
) -> Tensor:
    """Waveforms (clips, samples) to spectra (clips, count, size // 2 + 1) of blocks of `size` samples every `step`.

    `first` (clips,) is the sample with which each clip's first block begins; samples not within `bounds` (clips, 2), from, to,
    are zeros. The first `turn` samples of each block come last.
    """
    complex_type = torch.complex128 if waveforms.dtype == torch.float64 else torch.complex64
    found = torch.empty(
        len(waveforms), count, size // 2 + 1, dtype=complex_type, device=waveforms.device
    )
    parts_of = (each.split(CLIPS) for each in (waveforms, bounds, first, found))
    for some, bound, begin, target in zip(*parts_of, strict=True):
        place = begin[:, None] + torch.arange((count - 1) * step + size, device=waveforms.device)
        inside = (place >= bound[:, :1]) & (place < bound[:, 1:])
        blocks = some.gather(1, place.clamp(0, some.shape[1] - 1)) * inside
        target.copy_(torch.fft.rfft(blocks.unfold(1, size, step).roll(-turn, 2)))
    return found


def whole(half: Tensor) -> Tensor:
    """Spectra (blocks, size // 2 + 1) of real blocks of even size to all their bins (blocks, size)."""
    return torch.cat([half, half[:, 1:-1].flip(1).conj()], 1)


def responses(filters: Tensor, size: int, symmetric: bool) -> Tensor:
    """Filters (..., taps) to their frequency responses (..., size) over the size: what a block's spectrum is multiplied by before
    an inverse FFT without a scale.

    Of `symmetric` filters, which read backwards are their own conjugates, they are real: as if the middle tap were the first
    (so blocks must be turned by taps // 2 samples); what comes before the middle is not looked at.
    """
    if symmetric:
        return torch.fft.hfft(filters[..., filters.shape[-1] // 2 :], size, norm="forward")
    return torch.fft.fft(filters, size, norm="forward").conj().resolve_conj()


def _of_filters(of_responses: Tensor, taps: int) -> Tensor:
    """The gradient of responses (filters, size) to that of their filters (filters, taps)."""
    if of_responses.is_complex():
        return torch.fft.fft(of_responses)[:, :taps].conj()
    of_second_half = 2 * torch.fft.rfft(of_responses)[:, : taps - taps // 2].conj()
    of_second_half[:, 0] /= 2
    return pad(of_second_half, (taps // 2, 0))


def power(spectrum: Tensor) -> Tensor:
    """The square of the absolute value of complex numbers; several times faster than by the absolute value."""
    return spectrum.real.square() + spectrum.imag.square()


def energies_of_blocks(
    half: Tensor,
    valid: Tensor,
    filters: Tensor,
    windows: Tensor,
    hop: int,
    frames: int,
    symmetric: bool,
) -> Tensor:
    """Spectra (blocks, size // 2 + 1) to the energies (blocks, frames, filters) of filters (filters, taps) in their blocks.

    Frame t sums |filtered|^2 under the window that begins t * hop samples into the block, over the samples that lie within
    the block's `valid` (blocks, 2): from, to. Exact but for rounding; saves nothing for the backward pass but its inputs.
    `symmetric` is as for `responses`.
    """
    return _BlockEnergies.apply(half, valid, filters, windows, hop, frames, symmetric)


class _BlockEnergies(torch.autograd.Function):
    """Tile by tile, some filters at a time, in the forward pass and, anew, in the backward pass."""

    @staticmethod
    def forward(
        ctx: Any,
        half: Tensor,
        valid: Tensor,
        filters: Tensor,
        windows: Tensor,
        hop: int,
        frames: int,
        symmetric: bool,
    ) -> Tensor:
        ctx.save_for_backward(half, valid, filters, windows)
        ctx.hop, ctx.frames, ctx.symmetric = hop, frames, symmetric
        both = doubled(windows)[:, None]
        found = half.real.new_empty(len(filters), len(half), frames)
        for blocks, spectrum, bounds in _tiles(half, valid):
            room: Room = {}
            for numbers, response in _some(spectrum, filters, symmetric):
                filtered = within(
                    torch.fft.ifft(product(room, spectrum, response), norm="forward"), bounds
                )
                under = framed(parts(filtered), both.shape[2], 2 * hop, frames)
                energies = both[numbers] @ product(room, under, under).flatten(1, 2).transpose(1, 2)
                found[numbers, blocks] = energies.view(-1, len(spectrum), frames)
        return found.permute(1, 2, 0)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        half, valid, filters, windows = ctx.saved_tensors
        gradient, half, valid = mattering(gradient, half, valid)
        of_filters, of_windows = torch.zeros_like(filters), torch.zeros_like(windows)
        for blocks, spectrum, bounds in _tiles(half, valid):
            size, against, room = spectrum.shape[1], opposite(spectrum, ctx.symmetric), {}
            for numbers, response in _some(spectrum, filters, ctx.symmetric):
                out = gradient[blocks, :, numbers].permute(2, 0, 1)  # (filters, blocks, frames)
                filtered = within(
                    torch.fft.ifft(product(room, spectrum, response), norm="forward"), bounds
                )
                under = framed(parts(filtered), 2 * windows.shape[1], 2 * ctx.hop, ctx.frames)
                of_doubled = out.flatten(1)[:, None] @ product(room, under, under).flatten(
                    1, 2
                )  # (filters, 1, 2 * taps)
                of_windows[numbers] += of_doubled[:, 0].unflatten(1, (-1, 2)).sum(2)
                filtered *= out @ shifted(windows[numbers], size, ctx.hop, ctx.frames)
                of_response = of_responses(torch.fft.fft(filtered), against, ctx.symmetric) * (
                    2 / size
                )
                of_filters[numbers] += _of_filters(of_response, filters.shape[1])
        return None, None, of_filters, of_windows, None, None, None


def mattering(gradient: Tensor, *of_blocks: Tensor) -> tuple[Tensor, ...]:
    """A gradient (blocks, ...) and what belongs to its blocks, without those where it is 0: a patch is only part of a clip."""
    if torch.compiler.is_compiling():  # where no shape may depend on values
        return gradient, *of_blocks
    some = gradient.flatten(1).any(1)
    return (
        (gradient, *of_blocks)
        if some.all() or not some.any()
        else tuple(each[some] for each in (gradient, *of_blocks))
    )


def _tiles(half: Tensor, valid: Tensor) -> Iterator[tuple[slice, Tensor, Bounds]]:
    """Some blocks at a time: which, all their bins (blocks, size), and the samples that count, from, to."""
    size = at_once(half, TILE)
    bounds = listed(valid)
    for first in range(0, len(half), size):
        blocks = slice(first, first + size)
        yield blocks, whole(half[blocks]), bounds[blocks]


def _some(spectrum: Tensor, filters: Tensor, symmetric: bool) -> Iterator[tuple[slice, Tensor]]:
    """Some filters at a time, the fewer the larger spectra (blocks, size) are: their numbers, responses (filters, 1, size)."""
    size, done = spectrum.shape[1], 0
    together = max(LEAST, at_once(filters, AT_ONCE) // spectrum.numel())
    for some in filters.split(together * max(1, RESPONSES // together)):
        for response in responses(some, size, symmetric)[:, None].split(together):
            yield slice(done, done + len(response)), response
            done += len(response)


def opposite(spectrum: Tensor, symmetric: bool) -> Tensor:
    """Spectra as `of_responses` wants them."""
    return spectrum if symmetric else spectrum.conj_physical()


def of_responses(gradient: Tensor, opposite: Tensor, symmetric: bool) -> Tensor:
    """The gradient of products (filters, blocks, bins), overwritten, to that of responses (filters, bins)."""
    if symmetric:
        return parts(gradient).mul_(parts(opposite)).sum(1).unflatten(1, (-1, 2)).sum(2)
    return gradient.mul_(opposite).sum(1)


def product(room: Room, one: Tensor, other: Tensor) -> Tensor:
    """Their product, where the last one of such shapes was and is overwritten: fresh memory costs as much time as multiplying."""
    if torch.compiler.is_compiling():  # whose graphs may not write into what they did not make
        return one * other
    shapes = one.shape, other.shape
    room[shapes] = torch.mul(one, other, out=room.get(shapes))
    return room[shapes]


def listed(valid: Tensor) -> Bounds:
    """Bounds as numbers, by which little is overwritten; as a tensor on a GPU, for one launch, and while a graph is traced."""
    return valid if valid.is_cuda or torch.compiler.is_compiling() else valid.tolist()


def within(samples: Tensor, bounds: Bounds, otherwise: float = 0.0) -> Tensor:
    """Samples (..., blocks, size), overwritten where they are not within each block's `bounds`: from, to."""
    size = samples.shape[-1]
    if isinstance(bounds, Tensor):
        places = torch.arange(size, device=samples.device)
        return torch.where((places >= bounds[:, :1]) & (places < bounds[:, 1:]), samples, otherwise)
    for block, (begin, end) in enumerate(bounds):
        if begin > 0:
            samples.select(-2, block).narrow(-1, 0, min(begin, size)).fill_(otherwise)
        if end < size:
            samples.select(-2, block).narrow(-1, max(end, 0), size - max(end, 0)).fill_(otherwise)
    return samples


def parts(filtered: Tensor) -> Tensor:
    """Complex samples (..., size) to their real and imaginary parts side by side (..., 2 * size)."""
    return torch.view_as_real(filtered).flatten(-2)


def doubled(weights: Tensor) -> Tensor:
    """Weights (..., size) of samples to those of their parts (..., 2 * size)."""
    return weights[..., None].expand(*weights.shape, 2).flatten(-2)


def framed(samples: Tensor, taps: int, hop: int, frames: int) -> Tensor:
    """Samples (..., size) as overlapping frames (..., frames, taps), a view."""
    return samples[..., : (frames - 1) * hop + taps].unfold(-1, taps, hop)


def shifted(windows: Tensor, size: int, hop: int, frames: int) -> Tensor:
    """Windows (filters, taps) to rows (filters, frames, size) that hold them, each row a hop later."""
    taps = windows.shape[1]
    return torch.stack(
        [pad(windows, (frame * hop, size - taps - frame * hop)) for frame in range(frames)], 1
    )


def unshifted(rows: Tensor, taps: int, hop: int) -> Tensor:
    """The transpose of `shifted`: rows (filters, frames, size) to the sums of what lies where windows do (filters, taps)."""
    return sum(row[:, frame * hop : frame * hop + taps] for frame, row in enumerate(rows.unbind(1)))
