"""What a class or function makes, by its type, before it is called."""

import inspect
from collections.abc import Callable, Iterable, Mapping
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

from fewshot_audio.types import ConfigError

LIKE = {float: int, complex: float}  # a whole number is a number, too


def check_makes(factory: Callable, hint: Any, setting: str) -> None:
    """Check that a class or function makes what a type allows; nothing is called.

    A class must be a subclass that is not abstract. A function must say by an annotation what it
    returns.

    Args:
        factory: The class or function.
        hint: The type.
        setting: The setting that names it, with its value, for errors.

    Raises:
        ConfigError: It makes something else, or does not say what.
    """
    if inspect.isabstract(factory):
        names = ", ".join(sorted(factory.__abstractmethods__))  # type: ignore[attr-defined]
        raise ConfigError(f"{setting} is abstract; expected a class that defines {names}")
    kinds = classes_of(hint)
    made = classes_of(factory if inspect.isclass(factory) else returned(factory))
    if made and all(_is_one(each, kinds) for each in made):
        return
    if called(hint) is not hint and all(_is_one(each, classes_of(called(hint))) for each in made):
        raise ConfigError(f"{setting} is called later; expected _partial_: true beside it")
    found = f"makes {_names(made)}" if made else "does not say what it returns"
    names = _names(kinds)
    raise ConfigError(
        f"{setting} {found}; expected a class of the kind {names}, or a function that is annotated "
        f"to return one (-> {names})"
    )


def classes_of(hint: Any) -> frozenset[type]:
    """Return the classes that a type allows, without None; none where it allows anything."""
    origin, inside = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        return frozenset[type]().union(*(classes_of(each) for each in inside)) - {type(None)}
    if origin is Annotated:
        return classes_of(inside[0])
    kind = origin or hint
    if not isinstance(kind, type) or kind in (Any, object) or getattr(kind, "_is_protocol", False):
        return frozenset()
    return frozenset({kind})


def called(hint: Any) -> Any:
    """Return what the functions return that a type allows, else the type itself."""
    results = [get_args(each)[-1] for each in _members(hint) if get_origin(each) is Callable]
    return Union[tuple(results)] if results else hint  # noqa: UP007  # of a list


def item(hint: Any) -> Any:
    """Return the type of the values of the lists and dicts that a type allows; Any if unknown."""
    inside = []
    for each in _members(hint):
        origin, arguments = get_origin(each), get_args(each)
        if isinstance(origin, type) and issubclass(origin, Iterable) and arguments:
            inside.append(arguments[-1 if issubclass(origin, Mapping) else 0])
    return Union[tuple(inside)] if inside else Any  # noqa: UP007  # of a list


def returned(function: Callable) -> Any:
    """Return the annotation of what a function returns, Any where there is none to read."""
    try:
        return get_type_hints(function).get("return", Any)
    except (AttributeError, NameError, TypeError):  # built-in; for a type checker alone
        return Any


def _members(hint: Any) -> tuple[Any, ...]:
    """Return the types of a union, or the type alone."""
    if get_origin(hint) is Annotated:
        return _members(get_args(hint)[0])
    return get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)


def _names(kinds: Iterable[type]) -> str:
    return " or ".join(sorted(kind.__name__ for kind in kinds))


def _is_one(made: type, kinds: Iterable[type]) -> bool:
    return any(issubclass(made, kind) or LIKE.get(kind) is made for kind in kinds)
