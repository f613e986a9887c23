"""Parameters within bounds, from beyond which any optimizer brings them back."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


def within(
    values: Tensor, least: float | None, most: float | None, comes_back: bool = True
) -> Tensor:
    """Clamp values; gradients that point back inside also reach values beyond their bounds.

    A plain clamp gives those no gradient, so that what has once left its bounds stays there for
    ever. Inside the bounds, and at them, values and gradients are those of a plain clamp.

    Args:
        values: Parameters, in any shape.
        least: Lower bound, None for none.
        most: Upper bound, None for none.
        comes_back: Else a plain clamp.
    """
    if not (comes_back and values.requires_grad and torch.is_grad_enabled()):
        return values.clamp(least, most)
    return _Within.apply(values, least, most)


def use_plain_clamps(module: nn.Module, plain: bool = True) -> None:
    """Give parameters beyond their bounds no gradient, as the source's clamps do.

    That is for loops that call `project` after every update, which brings filters back; otherwise,
    `plain=False`, they have gradients again.
    """
    for part in module.modules():
        if hasattr(part, "comes_back"):
            part.comes_back = not plain  # type: ignore[assignment]


class _Within(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(values: Tensor, least: float | None, most: float | None) -> Tensor:
        return values.clamp(least, most)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        values, ctx.least, ctx.most = inputs
        ctx.save_for_backward(values)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        (values,), (gradient,) = ctx.saved_tensors, gradients
        passes = torch.ones_like(values, dtype=torch.bool)
        if ctx.most is not None:
            passes = passes & ((values <= ctx.most) | (gradient > 0))
        if ctx.least is not None:
            passes = passes & ((values >= ctx.least) | (gradient < 0))
        return torch.where(passes, gradient, 0.0), None, None
