"""Optimizers and learning-rate schedules of torch, made for one network."""

from typing import Any

import torch
from torch.optim.lr_scheduler import LRScheduler

from fewshot_audio.components import build
from fewshot_audio.training.network import Network
from fewshot_audio.types import OptimizerSettings


def make_optimizer(network: Network, settings: OptimizerSettings) -> torch.optim.Optimizer:
    """Return the optimizer of a network, with a parameter group for the classifier and one for each frontend."""
    return build(settings.optimizer, params=parameter_groups(network, settings))


def make_scheduler(
    optimizer: torch.optim.Optimizer, settings: OptimizerSettings
) -> LRScheduler | None:
    """Return the learning-rate schedule of an optimizer, None where there is none."""
    if settings.scheduler is None:
        return None
    return build(settings.scheduler, optimizer=optimizer)


def parameter_groups(network: Network, settings: OptimizerSettings) -> list[dict[str, Any]]:
    """Return the classifier's parameters and those of the frontends, these with options of their own.

    A frontend's rate is the optimizer's times the frontend's `learning_rate_factor`, unless
    `settings.frontend` sets one.
    """
    lr = settings.optimizer.arguments.get("lr")
    groups: list[dict[str, Any]] = [{"params": list(network.classifier.parameters())}]
    for frontend in network.frontends():
        scaled = {} if lr is None else {"lr": lr * frontend.learning_rate_factor}
        groups.append({"params": list(frontend.parameters()), **scaled, **settings.frontend})
    return [group for group in groups if group["params"]]
