"""Tools for blocks of samples: frames in them, weights of their parts, and reuse of memory."""

import torch
from torch import Tensor
from torch.nn.functional import pad

Buffers = dict[tuple[torch.Size, ...], Tensor]
Bounds = list[list[int]] | Tensor  # (blocks, 2): the first valid sample of a block, and the end


def saves_launches(like: Tensor) -> bool:
    """Return whether few large steps are faster than many small ones, which fit into a cache."""
    return like.is_cuda


def at_once(like: Tensor, on_cpu: int) -> int:
    """Return how much to do together."""
    return 64 * on_cpu if saves_launches(like) else on_cpu


def slices(count: int, size: int) -> list[slice]:
    """Return what cuts `count` rows into parts of `size`."""
    return [slice(begin, begin + size) for begin in range(0, count, size)]


def without_zeros(gradient: Tensor, *of_blocks: Tensor) -> tuple[Tensor, ...]:
    """Return a gradient and what belongs to its blocks without those whose gradient is 0.

    A patch is only part of a clip. All blocks are kept where all gradients are 0.
    """
    if torch.compiler.is_compiling():  # where no shape may depend on values
        return gradient, *of_blocks
    some = gradient.flatten(1).any(1)
    if some.all() or not some.any():
        return gradient, *of_blocks
    return tuple(each[some] for each in (gradient, *of_blocks))


def without_zeros_of_runs(
    gradient: Tensor, runs: Tensor | None, *of_blocks: Tensor
) -> tuple[Tensor, ...]:
    """Do what `without_zeros` does with blocks of several runs, (blocks, runs, ...).

    Equally many of each run are kept, among them all whose gradient is not 0.

    Args:
        gradient: That of filters (blocks, frames, filters).
        runs: The run of each filter (filters,), None for one run.
        *of_blocks: What belongs to blocks.
    """
    if runs is None or of_blocks[0].shape[1] == 1:
        return without_zeros(gradient, *of_blocks)
    some = gradient.any(1).T.float()  # (filters, blocks)
    of_runs = some.new_zeros(of_blocks[0].shape[1], len(gradient)).index_add_(0, runs, some) > 0
    most = max(1, int(of_runs.sum(1).max()))
    kept = of_runs.byte().argsort(dim=1, descending=True, stable=True)[:, :most].T  # (most, runs)
    of_filters = kept[:, runs][:, None].expand(-1, gradient.shape[1], -1)
    everyone = torch.arange(kept.shape[1], device=kept.device)
    return gradient.gather(0, of_filters), *(each[kept, everyone] for each in of_blocks)


def of_filters(of_blocks: Tensor, runs: Tensor | None) -> Tensor:
    """Return what each filter sees of (blocks, runs, ...), (filters, blocks, ...).

    Where there is one run it is a view (1, blocks, ...) for all filters.
    """
    swapped = of_blocks.transpose(0, 1)
    return swapped if runs is None or len(swapped) == 1 else swapped[runs]


def product(buffers: Buffers, one: Tensor, other: Tensor) -> Tensor:
    """Return one * other, written over the last product of such shapes.

    Fresh memory costs as much time as multiplying.
    """
    if torch.compiler.is_compiling():  # whose graphs may not write into what they did not make
        return one * other
    shapes = one.shape, other.shape
    buffers[shapes] = torch.mul(one, other, out=buffers.get(shapes))
    return buffers[shapes]


def as_bounds(valid: Tensor) -> Bounds:
    """Return bounds for `within`: numbers, or a tensor on a GPU and while a graph is traced."""
    return valid if saves_launches(valid) or torch.compiler.is_compiling() else valid.tolist()


def within(samples: Tensor, bounds: Bounds, otherwise: float = 0.0) -> Tensor:
    """Overwrite samples (..., blocks, size) outside of the bounds of their block.

    By numbers little is written; by a tensor it takes one launch on a GPU.
    """
    size = samples.shape[-1]
    if isinstance(bounds, Tensor):
        places = torch.arange(size, device=samples.device)
        return torch.where(
            (places >= bounds[..., :1]) & (places < bounds[..., 1:]), samples, otherwise
        )
    for block, (begin, end) in enumerate(bounds):
        if begin > 0:
            samples.select(-2, block).narrow(-1, 0, min(begin, size)).fill_(otherwise)
        if end < size:
            samples.select(-2, block).narrow(-1, max(end, 0), size - max(end, 0)).fill_(otherwise)
    return samples


def parts(filtered: Tensor) -> Tensor:
    """Return complex samples (..., size) as real and imaginary parts by turns (..., 2 * size)."""
    return torch.view_as_real(filtered).flatten(-2)


def doubled(weights: Tensor) -> Tensor:
    """Return the weights (..., size) of complex samples as weights of `parts` (..., 2 * size)."""
    return weights[..., None].expand(*weights.shape, 2).flatten(-2)


def framed(samples: Tensor, taps: int, hop: int, frames: int) -> Tensor:
    """Return samples (..., size) as overlapping frames (..., frames, taps), a view."""
    return samples[..., : (frames - 1) * hop + taps].unfold(-1, taps, hop)


def shifted(windows: Tensor, size: int, hop: int, frames: int) -> Tensor:
    """Return rows of zeros (filters, frames, size) that hold windows, in each frame a hop later."""
    after = size - windows.shape[1]
    rows = [pad(windows, (frame * hop, after - frame * hop)) for frame in range(frames)]
    return torch.stack(rows, 1)
