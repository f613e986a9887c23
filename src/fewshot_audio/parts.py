"""Plain settings to components: what each part of the settings must have."""

import math
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from fewshot_audio.components import NAME, TARGET, of_group
from fewshot_audio.types import Component, ConfigError

PLAIN = re.compile(r"\w[\w.+-]*")


def check_finite(value: Any, where: str = "") -> None:
    """Raise ConfigError, with the setting's name, where one is an infinity or not a number."""
    if isinstance(value, Mapping):
        for name, each in value.items():
            check_finite(each, f"{where}.{name}" if where else name)
    elif isinstance(value, list):
        for each in value:
            check_finite(each, where)
    elif isinstance(value, float) and not math.isfinite(value):
        raise ConfigError(f"{where}={value}: expected a finite number")


def component(settings: Any, where: str) -> Component:
    """Return the component of a mapping with a name, a `_target_` and arguments."""
    of_group(settings, where)
    rest = {key: value for key, value in settings.items() if key not in (NAME, TARGET)}
    if absent := [key for key in (NAME, TARGET) if key not in settings]:
        raise ConfigError(f"{where}: {' and '.join(absent)} must be set in its yaml")
    name, target = settings[NAME], settings[TARGET]
    if not isinstance(name, str):
        raise ConfigError(
            f"{where}.name={name}: expected text, found a {type(name).__name__}; quote it in both "
            f"quotes, '{where}.name=\"...\"', or begin with a letter"
        )
    if not PLAIN.fullmatch(name):  # files are called by it
        raise ConfigError(
            f"{where}.name={name}: expected letters, digits and the signs _ . + - only"
        )
    if not isinstance(target, str):
        raise ConfigError(f"{where}.{TARGET}={target}: expected package.module.name")
    return Component(where, name, target, rest)


def unnamed(settings: Any, where: str) -> Component:
    """Return the component of a mapping whose `name`, if it has one, is an argument."""
    target = of_group(settings, where).get(TARGET)
    made = component({TARGET: target, NAME: str(target).rpartition(".")[2] or "?"}, where)
    return replace(made, arguments={key: each for key, each in settings.items() if key != TARGET})


def named_by_key(group: Any, where: str) -> dict[str, Component]:
    """Return components by the names that are their keys."""
    return {
        name: component({NAME: name, **of_group(settings, f"{where}.{name}")}, f"{where}.{name}")
        for name, settings in of_group(group, where).items()
    }
