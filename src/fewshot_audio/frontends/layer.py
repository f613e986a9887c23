"""What makes a frontend a layer: any leading dimensions, lengths, dtypes, autocast, meta device."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from itertools import chain
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

if TYPE_CHECKING:
    from jaxtyping import Int

LOW_PRECISION = (torch.float16, torch.bfloat16)


def check_waveform(waveform: Tensor, lengths: Int[Tensor, " clips"] | None) -> None:
    """Raise ValueError for what is no batch of real waveforms (..., time), or for other lengths."""
    shape = tuple(waveform.shape)
    if waveform.ndim < 1:
        raise ValueError("waveform: a single number; expected (..., time)")
    if not waveform.is_floating_point():
        raise ValueError(
            f"waveform: {waveform.dtype}; expected real floating-point samples in [-1, 1]"
        )
    if lengths is None:
        return
    if lengths.is_floating_point() or tuple(lengths.shape) != shape[:-1]:
        raise ValueError(
            f"lengths: {lengths.dtype} {tuple(lengths.shape)}; expected integers {shape[:-1]}, the"
            f" samples of each clip of the waveform {shape}"
        )
    if not lengths.is_meta and lengths.numel() and not torch.compiler.is_compiling():
        least, most = lengths.aminmax()
        if least < 0 or most > shape[-1]:
            raise ValueError(f"lengths: {least} to {most}; expected 0 to {shape[-1]} samples")


def dtype_of(module: nn.Module) -> torch.dtype | None:
    """Return the dtype of a module's parameters and buffers, None where it has none."""
    for tensor in chain(module.parameters(), module.buffers()):
        if tensor.is_floating_point():
            return tensor.dtype
    return None


def output_dtype(module: nn.Module, waveform: Tensor) -> torch.dtype:
    """Return autocast's dtype where it is on, else the module's, else that of the waveform."""
    device = waveform.device.type
    if device != "meta" and torch.is_autocast_enabled(device):
        return torch.get_autocast_dtype(device)
    return dtype_of(module) or waveform.dtype


def without_autocast(waveform: Tensor) -> AbstractContextManager:
    """Return a context in which autocast is off on the waveform's device."""
    device = waveform.device.type
    return nullcontext() if device == "meta" else torch.autocast(device, enabled=False)


def in_float32(module: nn.Module, *inputs: Tensor | None) -> Any:
    """Call a module of half precision with its weights in float32; buffers are updated."""
    weights = dict(chain(module.named_parameters(), module.named_buffers()))
    wide = {
        name: tensor.float() if tensor.is_floating_point() else tensor
        for name, tensor in weights.items()
    }
    result = functional_call(module, wide, inputs)
    with torch.no_grad():
        for name, buffer in module.named_buffers():
            buffer.copy_(wide[name])
    return result
