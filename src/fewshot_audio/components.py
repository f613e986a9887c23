"""Classes and functions by dotted name, built by Hydra from checked arguments."""

import difflib
import functools
import importlib
import inspect
import pkgutil
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import cache
from typing import Any, TypeVar, get_type_hints

from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import OmegaConf
from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.errors import PydanticUserError

from fewshot_audio.kinds import called, check_makes, classes_of, item
from fewshot_audio.types import Component, ConfigError

Kind = TypeVar("Kind")
NAME, TARGET = "name", "_target_"  # keys of a component's yaml
SPECIAL = (TARGET, "_partial_", "_convert_", "_recursive_", "_args_")  # keys that Hydra reads
FLAGS = ("_partial_", "_recursive_")  # those of them that are true or false
OPEN_ENDED = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


def build(component: Component, kind: type[Kind], **given: Any) -> Kind:
    """Build a component, and those nested in its arguments, by hydra.utils.instantiate.

    All names are looked up first, and what they make is compared with what is wanted; only then is
    anything called.

    Args:
        component: Dotted name and arguments; an argument with a `_target_` is built first.
        kind: What it must be an instance of, or make where it has `_partial_: true`. Those in its
            arguments must be what these are annotated with, or of this kind where they are not.
        **given: Arguments that only the program knows.

    Returns:
        The object, or a function that makes it where the component has `_partial_: true`.

    Raises:
        ConfigError: A name is not found or makes something else, or an argument is unknown,
            missing, of another type, or refused with a ValueError. It names the setting, and near
            matches.
    """
    settings = {"_convert_": "all", TARGET: component.target, **component.arguments}
    checked = _with_checks(settings, component.group, given, kind, kind)
    try:  # not as a dict, in which Hydra replaces functions by their names
        made: Kind = instantiate(OmegaConf.create(checked, flags={"allow_objects": True}))
    except InstantiationException as error:
        raise error.__cause__ or error from None
    if not isinstance(made, functools.partial):
        given.clear()  # OmegaConf's nodes refer to each other: garbage that would hold clips
    return made


def build_for(component: Component, kind: type[Kind], **offered: Any) -> Kind:
    """Build a component with those of the offered values that its class or function names."""
    parameters = _signature(locate(component.target, component.group))[0]
    return build(component, kind, **{k: value for k, value in offered.items() if k in parameters})


def locate(target: str, where: str = "") -> Callable:
    """Return the class or function of a dotted name.

    Raises:
        ConfigError: There is none.
    """
    name = f"{where}.{TARGET}" if where else TARGET
    if not isinstance(target, str):
        raise ConfigError(f"{name}: found {target!r}; expected package.module.name")
    module, _, attribute = target.rpartition(".")
    try:
        located = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError, TypeError) as error:
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
    except (ImportError, ValueError, TypeError):
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
    of_group(arguments, where)
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
            reason = _range(hints[name]) or error.errors()[0]["msg"]
            raise ConfigError(f"{prefix}{name}: found {value!r}; {reason}") from error
    try:
        return factory(**checked, **given)
    except ValueError as error:
        is_named = str(error).partition("=")[0] in parameters
        raise ConfigError(f"{prefix if is_named or not where else f'{where}: '}{error}") from error


def of_group(settings: Any, where: str) -> Mapping[str, Any]:
    """Return the settings of a group. ConfigError where one value stands in their place."""
    if not isinstance(settings, Mapping):
        raise ConfigError(f"{where}: found {settings!r}; expected a group of settings")
    return settings


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


def _with_checks(value: Any, where: str, given: Mapping[str, Any], hint: Any, kind: Any) -> Any:
    """Return settings with each `_target_` replaced by a function that checks what it is given."""
    if isinstance(value, list | tuple):
        return [_with_checks(each, where, {}, item(hint), kind) for each in value]
    if not isinstance(value, Mapping):
        return value
    if TARGET not in value:
        return {
            name: _with_checks(each, f"{where}.{name}", {}, item(hint), kind)
            for name, each in value.items()
        }
    factory = locate(value[TARGET], where)
    wanted = called(hint) if _is_partial(value, where) else hint
    wanted = wanted if classes_of(wanted) else kind  # where an argument has no annotation
    check_makes(factory, wanted, f"{where}.{TARGET}: {value[TARGET]}")
    hints = _signature(factory)[1]
    settings = {
        name: _with_checks(each, f"{where}.{name}", {}, hints.get(name, Any), kind)
        for name, each in value.items()
    }
    _check_names(factory, [name for name in value if name not in SPECIAL], where, given)

    @functools.wraps(factory, updated=())  # Hydra decides by the name whether it may be called
    def checked(*positional: Any, **arguments: Any) -> Any:
        make = functools.partial(factory, *positional) if positional else factory
        return call(make, arguments, where, given)

    settings[TARGET] = checked
    return settings


def _is_partial(settings: Mapping[str, Any], where: str) -> bool:
    """Return whether a function is wanted, which builds the component; check Hydra's flags."""
    for name in FLAGS:
        if not isinstance(settings.get(name, False), bool):
            raise ConfigError(f"{where}.{name}: found {settings[name]!r}; expected true or false")
    return settings.get("_partial_", False)


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
    for config in (ConfigDict(arbitrary_types_allowed=True, allow_inf_nan=False), None):
        try:
            return TypeAdapter(hint, config=config)
        except PydanticUserError:
            continue
    return TypeAdapter(Any)


def _range(hint: Any) -> str:
    """Return what numbers a type allows, where it has both bounds; else nothing."""
    try:
        schema = _adapter(hint).json_schema()
    except PydanticUserError:  # of types that JSON has not
        return ""
    allowed = schema.get("anyOf", [schema])
    for each in allowed:
        if "minimum" in each and "maximum" in each:
            kind = "whole number" if each["type"] == "integer" else "number"
            kind = "multiple of 2" if each.get("multipleOf") == 2 else kind
            null = ", or null" if {"type": "null"} in allowed else ""
            return f"expected a {kind} from {each['minimum']:,} to {each['maximum']:,}{null}"
    return ""
