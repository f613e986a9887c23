"""Gradients of waveforms, and gradients of gradients, by plain functions that torch differentiates.

Engines have backward passes of their own, for filters and windows, which take little memory.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from fewshot_audio.frontends.filterbank.engines.blockwise import slices

AT_ONCE = 2**20  # samples of blocks and filters whose graph is kept together


def are_needed(ctx: Any) -> bool:
    """Return whether the first argument needs a gradient, or the gradients need their own graph."""
    return ctx.needs_input_grad[0] or torch.is_grad_enabled()


def of_plain(
    plain: Callable[..., Tensor],
    gradient: Tensor,
    half: Tensor,
    *shared: Tensor,
    of_blocks: tuple[Tensor, ...] = (),
) -> tuple[Tensor | None, ...]:
    """Return the gradients of half spectra and of what all blocks share, a few blocks at a time.

    Args:
        plain: Called with some blocks' half spectra, with `shared`, and with `of_blocks`; returns
            energies (blocks, frames, filters).
        gradient: That of the energies.
        half: Half spectra (blocks, bins).
        *shared: Filters and windows, or what was made of them.
        of_blocks: What else belongs to blocks, without a gradient.
    """
    create = torch.is_grad_enabled()
    together = max(1, AT_ONCE // (2 * half.shape[-1] * gradient.shape[2]))
    of_half, of_shared = [], [torch.zeros_like(each) for each in shared]
    with torch.enable_grad():
        if not create:
            half, *shared = (_alone(each) for each in (half, *shared))  # type: ignore[assignment]
        for blocks in slices(len(half), together):
            some = half[blocks]
            inputs = [each for each in (some, *shared) if each.requires_grad]
            values = plain(some, *shared, *(each[blocks] for each in of_blocks))
            found = torch.autograd.grad(values, inputs, gradient[blocks], create_graph=create)
            by_input = dict(zip(map(id, inputs), found, strict=True))
            of_half.append(by_input.get(id(some)))
            for number, each in enumerate(shared):
                if id(each) in by_input:
                    of_shared[number] = of_shared[number] + by_input[id(each)]
    of_all = torch.cat(of_half) if half.requires_grad else None  # type: ignore[arg-type]
    return of_all, *of_shared


def _alone(tensor: Tensor) -> Tensor:
    return tensor.detach().requires_grad_(tensor.requires_grad)
