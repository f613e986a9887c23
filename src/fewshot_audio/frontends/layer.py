"""What makes a frontend a layer: any leading dimensions, lengths, dtypes, autocast, meta device."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from copy import deepcopy
from functools import wraps
from itertools import chain
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from torch import Tensor, nn
from torch.func import functional_call

if TYPE_CHECKING:
    from jaxtyping import Int

    from fewshot_audio.frontends.base import Frontend

Module = TypeVar("Module", bound=nn.Module)
LOW_PRECISION = (torch.float16, torch.bfloat16)


class MadeOnCpu(nn.Module):
    """A module that is made on the CPU, and then goes to torch's default device.

    Under `torch.device("meta")` there are no numbers that a start could be computed from.
    """

    def __init_subclass__(cls, **settings: Any) -> None:
        super().__init_subclass__(**settings)
        if "__init__" in vars(cls):
            cls.__init__ = _made_on_cpu(cls.__init__)  # type: ignore[method-assign]


def _made_on_cpu(init: Callable[..., None]) -> Callable[..., None]:
    @wraps(init)
    def made(self: nn.Module, *values: Any, **settings: Any) -> None:
        device = torch.empty(0).device
        if device.type == "cpu":
            init(self, *values, **settings)
            return
        with torch.device("cpu"):
            init(self, *values, **settings)
        self.to(device)

    return made


def check_waveform(waveform: Tensor, lengths: Int[Tensor, " clips"] | None) -> None:
    """Raise ValueError for what is no batch of real waveforms (..., time), or for other lengths."""
    if not isinstance(waveform, Tensor):
        raise ValueError(f"waveform: {type(waveform).__name__}; expected a tensor (..., time)")
    shape = tuple(waveform.shape)
    if waveform.ndim < 1:
        raise ValueError("waveform: a single number; expected (..., time)")
    if not waveform.is_floating_point():
        raise ValueError(
            f"waveform: {waveform.dtype}; expected real floating-point samples in [-1, 1]"
        )
    if lengths is None:
        return
    whole = not (lengths.is_floating_point() or lengths.is_complex() or lengths.dtype == torch.bool)
    if not whole or tuple(lengths.shape) != shape[:-1]:
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


def wide_dtype(module: nn.Module) -> torch.dtype:
    """Return the dtype that a module computes in: float32 unless its weights are of float64."""
    return torch.float64 if dtype_of(module) == torch.float64 else torch.float32


def fixed(module: Module) -> Module:
    """Return a copy in evaluation mode whose weights do not learn, in float32 at least."""
    copied = deepcopy(module).eval().requires_grad_(False)
    return copied.to(wide_dtype(module))


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


def in_float32(module: nn.Module, *inputs: Any) -> Any:
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


def alone(part: nn.Module, compute: Callable[..., Tensor], given: Tensor, *others: Any) -> Tensor:
    """Return what a part of a frontend computes by itself, in float32 at least.

    Args:
        part: The part, whose `forward` this is.
        compute: What it does in float32 or float64.
        given: Real numbers, whose dtype real results have.
        *others: Further arguments.

    Raises:
        ValueError: For integers or complex numbers.
    """
    if not given.is_floating_point():
        raise ValueError(f"{type(part).__name__}: {given.dtype}; expected real floating-point")
    if dtype_of(part) in LOW_PRECISION:
        result = in_float32(part, given, *others)
    else:
        widest = (dtype_of(part) or given.dtype) == torch.float64
        with without_autocast(given):
            result = compute(given.to(torch.float64 if widest else torch.float32), *others)
    return result if result.is_complex() else result.to(given.dtype)


def call(frontend: Frontend, waveform: Tensor, lengths: Tensor | None) -> Any:
    """Return what `frontend.forward` does."""
    lengths = lengths if lengths is None else torch.as_tensor(lengths)
    check_waveform(waveform, lengths)
    dtype = output_dtype(frontend, waveform)
    if dtype_of(frontend) in LOW_PRECISION:
        result = in_float32(frontend, waveform, lengths)
        if lengths is None:
            return result.to(dtype)
        return result[0].to(dtype), result[1]
    double = (dtype_of(frontend) or waveform.dtype) == torch.float64
    clips = waveform.flatten(0, -2) if waveform.ndim > 1 else waveform[None]
    clips = clips.to(torch.float64 if double else torch.float32)
    samples = torch.full(clips.shape[:1], clips.shape[1], device=clips.device)
    counts = samples if lengths is None else lengths.flatten().to(clips.device, torch.int64)
    if lengths is not None:  # NaN times 0 is NaN, so padding is overwritten
        beyond = torch.arange(clips.shape[1], device=clips.device) >= counts[:, None]
        clips = clips.masked_fill(beyond, 0.0)
    with without_autocast(clips):
        spectrograms, frames = frontend.layer(clips, counts)
    if lengths is not None:
        inside = torch.arange(spectrograms.shape[1], device=frames.device) < frames[:, None]
        spectrograms = spectrograms.masked_fill(~inside[..., None], 0.0)
    shape = waveform.shape[:-1]
    result = spectrograms.mT.reshape(*shape, *spectrograms.mT.shape[1:]).to(dtype)
    return result if lengths is None else (result, frames.view(shape))
