"""Optimizers and learning-rate schedules of torch, made for one network."""

from dataclasses import replace
from typing import Any

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from fewshot_audio.components import TARGET, build, defaults_of, of_group
from fewshot_audio.training.network import Network
from fewshot_audio.types import Component, ConfigError, OptimizerSettings


def make_optimizer(network: Network, settings: OptimizerSettings) -> Optimizer:
    """Return the optimizer of a network, with groups for its classifier and each frontend."""
    made = build(settings.optimizer, Optimizer, params=parameter_groups(network, settings))
    optimizer = made if isinstance(made, Optimizer) else made()  # with `_partial_: true`
    unknown = sorted(set(settings.frontend) - set(optimizer.defaults))
    if unknown:
        raise ConfigError(
            f"optimizer.frontend: {', '.join(unknown)} is no option of {settings.optimizer.name}; "
            f"there are {', '.join(sorted(optimizer.defaults))}"
        )
    return optimizer


def make_scheduler(optimizer: Optimizer, settings: OptimizerSettings) -> LRScheduler | None:
    """Return the learning-rate schedule of an optimizer, None where there is none."""
    if settings.scheduler is None:
        return None
    scheduler = _scheduler(optimizer, settings.scheduler)
    if isinstance(scheduler, ReduceLROnPlateau):
        raise ConfigError(
            "optimizer.scheduler: ReduceLROnPlateau needs a metric after each epoch; choose a "
            "schedule that depends on epochs alone, as CosineAnnealingLR does"
        )
    return scheduler


def _scheduler(optimizer: Optimizer, component: Component) -> LRScheduler:
    """Return a schedule with those that it puts together, as SequentialLR does."""
    arguments = dict(component.arguments)
    given: dict[str, Any] = {"optimizer": optimizer}
    if isinstance(parts := arguments.get("schedulers"), list):
        del arguments["schedulers"]
        given["schedulers"] = [_scheduler(optimizer, _part(each, component)) for each in parts]
    made = build(replace(component, arguments=arguments), LRScheduler, **given)
    return made if isinstance(made, LRScheduler) else made()


def _part(settings: Any, above: Component) -> Component:
    """Return a schedule within another one."""
    group = f"{above.group}.schedulers"
    arguments = dict(of_group(settings, group))
    return Component(group, above.name, arguments.pop(TARGET, None), arguments)


def parameter_groups(network: Network, settings: OptimizerSettings) -> list[dict[str, Any]]:
    """Return the classifier's parameters and those of the frontends, these with their own options.

    A frontend's rate is the optimizer's times the frontend's `learning_rate_factor`, unless
    `settings.frontend` sets one.
    """
    rate = settings.optimizer.arguments.get("lr", defaults_of(settings.optimizer.target).get("lr"))
    groups: list[dict[str, Any]] = [{"params": list(network.classifier.parameters())}]
    for frontend in network.frontends():
        options = dict(settings.frontend)
        if isinstance(rate, int | float):
            options.setdefault("lr", rate * frontend.learning_rate_factor)
        groups.append({"params": list(frontend.parameters()), **options})
    return [group for group in groups if group["params"]]
