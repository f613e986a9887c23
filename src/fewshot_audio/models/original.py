"""Weights of the study's TensorFlow 1 graphs into our networks: the one place that knows both orders."""

from collections.abc import Iterator, Mapping

import numpy as np
import torch
from torch import Tensor, nn

SCALARS = {"ta:0": "a", "ba:0": "b"}  # of log-learn
LAYERS = nn.BatchNorm2d | nn.Conv2d | nn.Linear


def twins(network: nn.Module, variables: Mapping[str, np.ndarray]) -> Iterator[tuple[str, Tensor, Tensor]]:
    """Each TensorFlow variable's name, the tensor of ours that stands for it, and its value in our layout.

    Layers are matched in the order in which both graphs create them. ValueError where the two differ in number or kind.
    """
    scalars = {name: value for name, value in variables.items() if "log_learn" in name}
    for name, value in scalars.items():
        yield name, network.frontend.get_parameter(SCALARS[name.rpartition("/")[2]]), torch.as_tensor(value)
    layers: dict[str, dict[str, str]] = {}
    for name in variables:
        if name not in scalars:
            layer, _, variable = name.removesuffix(":0").rpartition("/")
            layers.setdefault(layer, {})[variable] = name
    channels = 1
    for (_, names), module in zip(layers.items(), _layers(network), strict=True):
        for variable, ours in _variables(module):
            yield names[variable], ours, _layout(torch.from_numpy(variables[names[variable]]), module, variable, channels)
        channels = module.out_channels if isinstance(module, nn.Conv2d) else channels


def _layers(network: nn.Module) -> list[nn.Module]:
    return [module for module in network.modules() if isinstance(module, LAYERS)]


def _variables(module: nn.Module) -> list[tuple[str, Tensor]]:
    if isinstance(module, nn.BatchNorm2d):
        ours = (module.weight, module.bias, module.running_mean, module.running_var)
        return list(zip(("gamma", "beta", "moving_mean", "moving_variance"), ours, strict=True))
    return [("kernel", module.weight), ("bias", module.bias)]


def _layout(value: Tensor, module: nn.Module, variable: str, channels: int) -> Tensor:
    """HWIO convolution kernels to OIHW; dense kernels to (out, in), the first one's inputs from channels last to first."""
    if variable != "kernel":
        return value
    if isinstance(module, nn.Conv2d):
        return value.permute(3, 2, 0, 1)
    if len(value) > channels and len(value) % channels == 0:  # the first dense layer sees a flattened map
        return value.unflatten(0, (-1, channels)).permute(2, 1, 0).flatten(1)
    return value.T
