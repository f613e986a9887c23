"""The study's TensorFlow 1 graphs: which network one is, and its weights in our layout."""

import re
from collections.abc import Iterator, Mapping

import numpy as np
import torch
from torch import Tensor, nn

from fewshot_audio.models.base import Classifier
from fewshot_audio.models.sb_cnn import SBCNN
from fewshot_audio.models.timbre import HEIGHT, WIDTH, Timbre
from fewshot_audio.models.vgg import VGG
from fewshot_audio.types import DataError

Variables = Mapping[str, np.ndarray]  # by TensorFlow's names
SCALARS = {"ta": "a", "ba": "b"}  # of log-learn
KINDS = {
    "gamma": nn.BatchNorm2d,
    4: nn.Conv2d,
    2: nn.Linear,
}  # by a variable's name or a kernel's dimensions


def classifier_of(variables: Variables) -> Classifier:
    """Return the untrained network that a graph's variables belong to, by its kernels' shapes.

    Raises:
        DataError: It is none of the study's.
    """
    layers = _layers(variables)
    kernels = [
        [variables[layer["kernel"]].shape for layer in layers[kind]]
        for kind in (nn.Conv2d, nn.Linear)
    ]
    windows, outputs = (
        [shape[:2] for shape in kernels[0]],
        [shape[-1] for shape in kernels[-1] or kernels[0]],
    )
    norms = [variables[layer["gamma"]].size for layer in layers[nn.BatchNorm2d]]
    if windows == [(5, 5)] * 3:
        return SBCNN(outputs[-1], input_norm=bool(norms))
    if windows == [(3, 3)] * 5 and len(norms) == 6:
        return VGG(outputs[-1], width=kernels[0][0][-1], norm_frames=norms[0] > 1)
    if windows == [(WIDTH, HEIGHT)]:
        return Timbre(outputs[-1])
    raise DataError(
        f"convolutions of {windows} (frames, bands) and {len(norms)} batch norms belong to none of "
        "SB-CNN, VGG and TIMBRE"
    )


def pairs_of(variables: Variables) -> list[str]:
    """Return the scopes of a graph's (a, b) pairs of log-learn.

    There are none, one, or that of the supports and then that of the queries.
    """
    return sorted({name.rpartition("/")[0] for name in variables if _is_pair(name)})


def twins(network: nn.Module, variables: Variables) -> Iterator[tuple[str, Tensor, Tensor]]:
    """Yield each variable's name, the tensor of ours that stands for it, its value in our layout.

    Layers of a kind are matched in the order of the numbers in their names.

    Raises:
        ValueError: There are more layers of a kind in one network than in the other.
    """
    frontends = [each for each in (network.support_frontend, network.frontend) if each is not None]
    for scope, frontend in zip(pairs_of(variables), frontends, strict=bool(pairs_of(variables))):
        for theirs, ours in SCALARS.items():
            yield (
                f"{scope}/{theirs}:0",
                frontend.get_parameter(ours),
                torch.as_tensor(variables[f"{scope}/{theirs}:0"]).reshape(()),
            )
    for kind, layers in _layers(variables).items():
        ours = [module for module in network.modules() if isinstance(module, kind)]
        for layer, module in zip(layers, ours, strict=True):
            for variable, tensor in _tensors(module):
                value = torch.from_numpy(variables[layer[variable]])
                channels = [
                    each.out_channels for each in network.modules() if isinstance(each, nn.Conv2d)
                ][-1]
                yield (
                    layer[variable],
                    tensor,
                    _layout(value, module, variable, channels if module is ours[0] else 1),
                )


def _is_pair(name: str) -> bool:
    return name.rpartition("/")[2].removesuffix(":0") in SCALARS


def _layers(variables: Variables) -> dict[type[nn.Module], list[dict[str, str]]]:
    """Return the graph's layers of each kind in their order, each as its variables' names."""
    layers: dict[str, dict[str, str]] = {}
    for name in variables:
        if not _is_pair(name):
            layer, _, variable = name.removesuffix(":0").rpartition("/")
            layers.setdefault(layer, {})[variable] = name
    kinds: dict[type[nn.Module], list[dict[str, str]]] = {kind: [] for kind in KINDS.values()}
    for layer in sorted(layers, key=_number):
        names = layers[layer]
        kinds[KINDS["gamma" if "gamma" in names else variables[names["kernel"]].ndim]].append(names)
    return kinds


def _number(layer: str) -> int:
    """Return the number in a layer's name: 2 of 2CNN, 1 of dense_1, 0 of dense."""
    digits = re.search(r"\d+", layer.rpartition("/")[2])
    return int(digits[0]) if digits else 0


def _tensors(module: nn.Module) -> list[tuple[str, Tensor]]:
    if isinstance(module, nn.BatchNorm2d):
        ours = (module.weight, module.bias, module.running_mean, module.running_var)
        return list(zip(("gamma", "beta", "moving_mean", "moving_variance"), ours, strict=True))
    return [("kernel", module.weight), ("bias", module.bias)]


def _layout(value: Tensor, module: nn.Module, variable: str, channels: int) -> Tensor:
    """Return a kernel in torch's layout.

    HWIO convolution kernels become OIHW; dense kernels become (out, in), with their inputs from
    channels last to channels first.
    """
    if variable != "kernel":
        return value
    if isinstance(module, nn.Conv2d):
        return value.permute(3, 2, 0, 1)
    return value.unflatten(0, (-1, channels)).permute(2, 1, 0).flatten(1)
