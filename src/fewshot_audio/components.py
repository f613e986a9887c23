"""Classes and functions by dotted name, called with checked arguments."""

import difflib
import importlib
import inspect
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any, get_type_hints

from pydantic import TypeAdapter, ValidationError
from pydantic.errors import PydanticUserError

from fewshot_audio.types import Component, ConfigError

NAME, TARGET = "name", "_target_"  # keys of a component's yaml
OPEN_ENDED = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


def build(component: Component, **given: Any) -> Any:
    """A component and what only the program knows (`given`) to the object. ConfigError on a bad name or argument."""
    return call(locate(component.target), component.arguments, component.group, given)


def locate(target: str) -> Callable:
    """A dotted name to the class or function. ConfigError where it does not exist."""
    module, _, attribute = target.rpartition(".")
    try:
        return getattr(importlib.import_module(module), attribute)
    except (ModuleNotFoundError, AttributeError, ValueError) as error:
        raise ConfigError(
            f"_target_: {target} cannot be found ({error}); expected package.module.name"
        ) from error


def call(
    factory: Callable, arguments: Mapping[str, Any], where: str, given: Mapping[str, Any]
) -> Any:
    """The factory called with configured and given arguments, the former converted to their annotated types.

    `where` is the group of the settings, empty at the top.

    ConfigError, with the near matches, on an argument that is unknown, missing or of another type.
    """
    prefix = f"{where}." if where else ""
    parameters, hints = _signature(factory)
    settable = [name for name in parameters if name not in given]
    checked = {}
    for name, value in arguments.items():
        if name not in settable:
            raise ConfigError(f"{prefix}{name}: no such setting{near(name, settable)}")
        checked[name] = _convert(value, hints.get(name, Any), f"{prefix}{name}")
    for name in settable:
        if name not in checked and parameters[name].default is inspect.Parameter.empty:
            raise ConfigError(
                f"{prefix}{name} is not set; add {prefix}{name}=... to the command or the yaml"
            )
    return factory(**checked, **given)


@cache
def _signature(factory: Callable) -> tuple[dict[str, inspect.Parameter], dict[str, Any]]:
    """What a class or function can be given, and of which types."""
    parameters = {
        name: p
        for name, p in inspect.signature(factory).parameters.items()
        if p.kind not in OPEN_ENDED
    }
    return parameters, get_type_hints(
        factory.__init__ if inspect.isclass(factory) else factory, include_extras=True
    )


def defaults_of(target: str) -> dict[str, Any]:
    """Return the default values of a class or function, by the name of the argument."""
    parameters, _ = _signature(locate(target))
    return {
        name: parameter.default
        for name, parameter in parameters.items()
        if parameter.default is not inspect.Parameter.empty
    }


def near(word: str, words: Iterable[str]) -> str:
    """A phrase that proposes the words most like a misspelt one, or lists all."""
    words = sorted(words)
    close = difflib.get_close_matches(word, words, n=3, cutoff=0.6)
    return (
        f"; did you mean {' or '.join(close)}?"
        if close
        else f"; there are {', '.join(words) or 'none'}"
    )


def _convert(value: Any, hint: Any, where: str) -> Any:
    try:
        return _adapter(hint).validate_python(value)
    except ValidationError as error:
        raise ConfigError(f"{where}: found {value!r}; {error.errors()[0]['msg']}") from error


@cache
def _adapter(hint: Any) -> TypeAdapter:
    """Return what checks values of a type; anything passes where pydantic does not know the type."""
    try:
        return TypeAdapter(hint)
    except PydanticUserError:
        return TypeAdapter(Any)
