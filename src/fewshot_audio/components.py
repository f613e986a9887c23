"""Classes and functions by dotted name, built by Hydra from checked arguments."""

import difflib
import functools
import importlib
import inspect
import pkgutil
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import cache
from typing import Any, get_type_hints

from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import OmegaConf
from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.errors import PydanticUserError

from fewshot_audio.types import Component, ConfigError

NAME, TARGET = "name", "_target_"  # keys of a component's yaml
SPECIAL = (TARGET, "_partial_", "_convert_", "_recursive_", "_args_")  # keys that Hydra reads
OPEN_ENDED = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


def build(component: Component, **given: Any) -> Any:
    """Build a component, and those nested in its arguments, by hydra.utils.instantiate.

    Args:
        component: Dotted name and arguments; an argument with a `_target_` is built first.
        **given: Arguments that only the program knows.

    Returns:
        The object, or a function that makes it where the component has `_partial_: true`.

    Raises:
        ConfigError: A name is not found, or an argument is unknown, missing, of another type, or
            refused with a ValueError. It names the setting, and near matches.
    """
    settings = {"_convert_": "all", TARGET: component.target, **component.arguments}
    checked = _with_checks(settings, component.group, given)
    try:  # not as a dict, in which Hydra replaces functions by their names
        return instantiate(OmegaConf.create(checked, flags={"allow_objects": True}))
    except InstantiationException as error:
        raise error.__cause__ or error from None


def build_for(component: Component, **offered: Any) -> Any:
    """Build a component with those of the offered values that its class or function names."""
    parameters = _signature(locate(component.target, component.group))[0]
    return build(component, **{k: value for k, value in offered.items() if k in parameters})


def locate(target: str, where: str = "") -> Callable:
    """Return the class or function of a dotted name.

    Raises:
        ConfigError: There is none.
    """
    name = f"{where}.{TARGET}" if where else TARGET
    module, _, attribute = target.rpartition(".")
    try:
        located = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigError(
            f"{name}: {target} cannot be found ({error}){_near_target(target)}"
        ) from error
    if not (inspect.isclass(located) or inspect.isroutine(located)):
        kind = type(located).__name__
        raise ConfigError(f"{name}: {target} is a {kind}; expected a class or function")
    return located


def _near_target(target: str) -> str:
    """Return a phrase that proposes dotted names like one that is not there."""
    module, _, last = target.rpartition(".")
    try:
        parent = importlib.import_module(module)
    except (ImportError, ValueError):
        return _near_target(module) if "." in module else "; expected package.module.name"
    inside = [each.name for each in pkgutil.iter_modules(getattr(parent, "__path__", []))]
    close = difflib.get_close_matches(last, {*dir(parent), *inside})
    if not close:
        return "; expected package.module.name"
    return f"; did you mean {' or '.join(f'{module}.{name}' for name in close)}?"


def call(
    factory: Callable, arguments: Mapping[str, Any], where: str, given: Mapping[str, Any]
) -> Any:
    """Call a factory with configured arguments, converted to their annotated types, and given ones.

    Errors are those of `build`; `where` is the group of the settings, empty at the top.
    """
    prefix = f"{where}." if where else ""
    parameters, hints, _ = _signature(factory)
    _check_names(factory, arguments, where, given)
    for name, parameter in parameters.items():
        unset = name not in arguments and name not in given
        if unset and parameter.default is inspect.Parameter.empty:
            raise ConfigError(
                f"{prefix}{name} is not set; add {prefix}{name}=... to the command or the yaml"
            )
    checked = {}
    for name, value in arguments.items():
        try:
            checked[name] = _adapter(hints.get(name, Any)).validate_python(value)
        except ValidationError as error:
            reason = error.errors()[0]["msg"]
            raise ConfigError(f"{prefix}{name}: found {value!r}; {reason}") from error
    try:
        return factory(**checked, **given)
    except ValueError as error:
        raise ConfigError(f"{where}: {error}" if where else str(error)) from error


def defaults_of(target: str) -> dict[str, Any]:
    """Return the default values of a class or function, by the name of the argument."""
    return {
        name: parameter.default
        for name, parameter in _signature(locate(target))[0].items()
        if parameter.default is not inspect.Parameter.empty
    }


def near(word: str, words: Iterable[str]) -> str:
    """Return a phrase that proposes the words most like a misspelt one, or lists all."""
    words = sorted(words)
    close = difflib.get_close_matches(word, words, n=3, cutoff=0.6)
    if close:
        return f"; did you mean {' or '.join(close)}?"
    return f"; there are {', '.join(words) or 'none'}"


def _with_checks(value: Any, where: str, given: Mapping[str, Any]) -> Any:
    """Return settings with each `_target_` replaced by a function that checks what it is given."""
    if isinstance(value, list | tuple):
        return [_with_checks(item, where, {}) for item in value]
    if not isinstance(value, Mapping):
        return value
    settings = {name: _with_checks(item, f"{where}.{name}", {}) for name, item in value.items()}
    if TARGET in value:
        factory = locate(value[TARGET], where)
        names = [name for name in value if name not in SPECIAL]
        _check_names(factory, names, where, given)

        @functools.wraps(factory, updated=())  # Hydra decides by the name whether it may be called
        def checked(*positional: Any, **arguments: Any) -> Any:
            made = functools.partial(factory, *positional) if positional else factory
            return call(made, arguments, where, given)

        settings[TARGET] = checked
    return settings


def _check_names(
    factory: Callable, names: Collection[str], where: str, given: Collection[str]
) -> None:
    """ConfigError, with near matches, where an argument has a name that cannot be set."""
    parameters, _, takes_any = _signature(factory)
    settable = [name for name in parameters if name not in given]
    for name in names:
        if name not in settable and not takes_any:
            prefix = f"{where}." if where else ""
            raise ConfigError(f"{prefix}{name}: no such setting{near(name, settable)}")


@cache
def _signature(factory: Callable) -> tuple[dict[str, inspect.Parameter], dict[str, Any], bool]:
    """Return what can be given, of which types, and whether keywords of any name can be, too."""
    every = inspect.signature(factory).parameters
    takes_any = any(parameter.kind is parameter.VAR_KEYWORD for parameter in every.values())
    parameters = {name: each for name, each in every.items() if each.kind not in OPEN_ENDED}
    annotated = factory.func if isinstance(factory, functools.partial) else factory
    if inspect.isclass(annotated):
        annotated = annotated.__init__
    try:
        return parameters, get_type_hints(annotated, include_extras=True), takes_any
    except (NameError, TypeError):  # annotations for a type checker alone; built-in functions
        return parameters, {}, takes_any


@cache
def _adapter(hint: Any) -> TypeAdapter:
    """Return what checks values of a type; where pydantic does not know it, anything passes."""
    for config in (ConfigDict(arbitrary_types_allowed=True), None):
        try:
            return TypeAdapter(hint, config=config)
        except PydanticUserError:
            continue
    return TypeAdapter(Any)
