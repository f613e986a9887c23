"""Weights of LEAF as other programs name and shape them."""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from fewshot_audio.frontends.filterbank.init import Given

if TYPE_CHECKING:
    from fewshot_audio.frontends.filterbank.leaf import Leaf

KERNEL = "kernel"  # (filters, 2): centres in rad/sample and widths in samples
POOLING, BIAS = "pooling.widths", "pooling.bias"

# by our names, theirs
LEAF_AUDIO = {
    KERNEL: "kernel:0",
    POOLING: "leaf/learnable_pooling/kernel:0",
    "compression.alpha": "leaf/PCEN/alpha:0",
    "compression.delta": "leaf/PCEN/delta:0",
    "compression.root": "leaf/PCEN/root:0",
    "compression.smooth": "leaf/PCEN/EMA/smooth:0",
}
SPEECHBRAIN = {
    KERNEL: "complex_conv.kernel",
    POOLING: "pooling.weights",
    BIAS: "pooling._bias",
    "compression.alpha": "compression.alpha",
    "compression.delta": "compression.delta",
    "compression.root": "compression.root",
    "compression.smooth": "compression.ema._weights",
}
LEAF_PYTORCH = {ours: f"_{theirs}" for ours, theirs in SPEECHBRAIN.items()} | {
    KERNEL: "_complex_conv._kernel"
}
Weights = Mapping[str, Any]


def named_as_ours(weights: Weights | str | PathLike[str], names: dict[str, str]) -> dict:
    """Return weights, or those of an .npz file, as tensors by our names.

    Args:
        weights: Arrays or tensors by their names.
        names: Their names by ours.

    Raises:
        ValueError: A name is not known, or one is missing; it lists all of them.
    """
    if not isinstance(weights, Mapping):
        with np.load(weights) as file:
            weights = {name: file[name] for name in file.files}
    ours = {theirs: name for name, theirs in names.items()}
    full = {name.removesuffix(":0"): name for name in ours}  # as Keras names some
    weights = {full.get(name, name): value for name, value in weights.items()}
    unknown = sorted(set(weights) - set(ours))
    found = {ours[name]: value for name, value in weights.items() if name in ours}
    needed = {KERNEL, POOLING}
    compression = {name for name in names if name.startswith("compression.")}
    if compression & set(found):
        needed |= compression
    missing = sorted(names[name] for name in needed - set(found))
    if unknown or missing:
        listed = [f"unknown names: {', '.join(unknown)}"] if unknown else []
        listed += [f"missing names: {', '.join(missing)}"] if missing else []
        raise ValueError(f"weights: {'; '.join(listed)}; expected {', '.join(ours)}")
    return _checked({name: torch.as_tensor(value) for name, value in found.items()}, names)


def _checked(weights: dict[str, Tensor], names: dict[str, str]) -> dict[str, Tensor]:
    """Return weights of one number per filter as vectors, if their sizes fit each other."""
    kernel = weights[KERNEL]
    if kernel.ndim != 2 or kernel.shape[1] != 2:
        raise ValueError(f"{names[KERNEL]}: {tuple(kernel.shape)}; expected (filters, 2)")
    for name, value in weights.items():
        if name != KERNEL and value.numel() != len(kernel):
            raise ValueError(f"{names[name]}: {tuple(value.shape)}; expected {len(kernel)} numbers")
    return {KERNEL: kernel} | {
        name: value.flatten() for name, value in weights.items() if name != KERNEL
    }


def settings_of(weights: dict[str, Tensor]) -> dict[str, Any]:
    """Return the arguments of a `Leaf` that has the parts of weights, and starts from them."""
    settings: dict[str, Any] = {
        "n_filters": len(weights[KERNEL]),
        "init": Given(*weights[KERNEL].T),
        "pooling_bias": 0.0 if BIAS in weights else None,
    }
    if "compression.alpha" in weights:
        settings["compression"] = "pcen"
    return settings


def named_as_theirs(leaf: Leaf, names: dict[str, str]) -> dict[str, Tensor]:
    """Return copies of a `Leaf`'s weights by their names, in their shapes.

    Raises:
        ValueError: It has a part that theirs has not.
    """
    own = {
        name: value.detach().cpu().clone()
        for name, value in leaf.state_dict().items()
        if not name.startswith("engine.")  # no weights: what calibration chose
    }
    own[KERNEL] = torch.stack([own.pop("filters.centres"), own.pop("filters.widths")], 1)
    if BIAS in names:
        own.setdefault(BIAS, torch.zeros(leaf.n_bands))
    elif BIAS in own and not own[BIAS].any():
        own.pop(BIAS)  # it adds nothing
    unknown = sorted(set(own) - set(names))
    if unknown:
        raise ValueError(
            f"{', '.join(unknown)}: no such weights there; expected compression='pcen' or 'none',"
            " and a pooling bias only where there is one"
        )
    own[POOLING] = own[POOLING][None, None, :, None]
    return {names[name]: own[name] for name in names if name in own}
