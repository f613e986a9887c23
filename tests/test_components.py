"""Components: built by name, nested and partial ones too, with messages that name the setting."""

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from fewshot_audio.components import build
from fewshot_audio.types import Component, ConfigError

HERE = "test_components"


@dataclass
class Inner:
    width: int
    folder: Path = Path("x")

    def __post_init__(self):
        if self.width > 9:
            raise ValueError(f"width={self.width}: expected at most 9")


@dataclass
class Outer:
    inner: Inner
    others: tuple[Inner, ...] = ()
    given: object = None


def with_keywords(**settings) -> dict:
    return settings


def outer(inner, **more):
    arguments = {"inner": {"_target_": f"{HERE}.Inner", **inner}, **more}
    return Component("frontend", "outer", f"{HERE}.Outer", arguments)


def test_nested_components_are_built_first_and_converted():
    given = {"not": "copied"}
    made = build(outer({"width": "3", "folder": "a/b"}), Outer, given=given)
    assert made == Outer(Inner(3, Path("a/b")), (), given)
    assert made.given is given
    others = [{"_target_": f"{HERE}.Inner", "width": width} for width in (1, 2)]
    assert build(outer({"width": 3}, others=others), Outer).others == (Inner(1), Inner(2))


def test_a_partial_component_is_a_function():
    partial = Component("model", "x", f"{HERE}.Inner", {"_partial_": True, "folder": "a"})
    assert build(partial, Inner)(width=2) == Inner(2, Path("a"))
    assert build(partial, Inner)(2) == Inner(2, Path("a"))


def test_keywords_of_any_name_are_passed_on():
    assert build(Component("model", "x", f"{HERE}.with_keywords", {"a": [1]}), dict) == {"a": [1]}


@pytest.mark.parametrize(
    ("inner", "text"),
    [
        ({"width": "x"}, "frontend.inner.width: found 'x'; Input should be a valid integer"),
        ({"widht": 3}, "frontend.inner.widht: no such setting; did you mean width?"),
        ({"widht": 3, "_partial_": True}, "frontend.inner.widht: no such setting"),
        ({}, "frontend.inner.width is not set"),
        ({"width": 10}, "frontend.inner.width=10: expected at most 9"),
        ({"_target_": f"{HERE}.Nothing"}, "frontend.inner._target_: .*Nothing cannot be found"),
        ({"_target_": f"{HERE}.HERE"}, "HERE is a str; expected a class or function"),
        (
            {"_target_": f"{HERE}.Outer", "inner": 3},
            "Outer makes Outer; expected a class of the kind Inner",
        ),
    ],
)
def test_a_mistake_is_named_with_its_dotted_path(inner, text):
    with pytest.raises(ConfigError, match=text):
        build(outer(inner), Outer)


def test_other_errors_of_a_constructor_are_raised_as_they_are():
    with pytest.raises(ZeroDivisionError):
        build(Component("model", "x", f"{HERE}.divide", {}), int)


class Abstract(ABC):
    @abstractmethod
    def size(self): ...


@dataclass
class Holder:
    maker: Callable[[int], Inner] | None = None
    number: float = 0.0
    free: Any = None
    every: Sequence[Inner] = ()


def half(count: int) -> int:
    return count // 2


def silent():
    CALLED.append("silent")


CALLED: list[str] = []


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"maker": {"_target_": f"{HERE}.Inner", "_partial_": True}}, None),
        ({"number": {"_target_": f"{HERE}.half", "count": 4}}, None),
        ({"free": {"_target_": f"{HERE}.Holder"}}, None),  # without a type: what holds it
        ({"every": [{"_target_": f"{HERE}.Inner", "width": 2}]}, None),
        ({"maker": {"_target_": f"{HERE}.Outer", "_partial_": True}}, "holder.maker._target_: "),
        ({"number": {"_target_": "os.system", "command": "x"}}, "os.system does not say"),
        ({"free": {"_target_": f"{HERE}.silent"}}, "holder.free._target_: "),
        ({"free": [{"a": {"_target_": "subprocess.Popen", "args": "x"}}]}, "holder.free.a._target"),
        ({"every": [{"_target_": f"{HERE}.Holder"}]}, "expected a class of the kind Inner"),
    ],
)
def test_nested_parts_are_checked_before_any_is_called(arguments, text):
    """What is nested must make what holds it."""
    first = {"_target_": f"{HERE}.silent"}
    if text is None:
        assert isinstance(
            build(Component("holder", "x", f"{HERE}.Holder", arguments), Holder), Holder
        )
        return
    with pytest.raises(ConfigError, match=text):
        build(Component("holder", "x", f"{HERE}.Holder", arguments), Holder)
    with pytest.raises(ConfigError):
        build(Component("holder", "x", f"{HERE}.Holder", {"number": first, **arguments}), Holder)
    assert not CALLED


@pytest.mark.parametrize(
    ("target", "text"),
    [
        ("os.system", "os.system does not say what it returns; expected a class of the kind Inner"),
        ("subprocess.run", "does not say what it returns"),
        ("subprocess.Popen", "subprocess.Popen makes Popen; expected a class of the kind Inner"),
        ("builtins.exec", "does not say what it returns"),
        (f"{HERE}.silent", "does not say what it returns"),
        (f"{HERE}.half", "half makes int; expected a class of the kind Inner"),
        (f"{HERE}.Abstract", "Abstract is abstract; expected a class that defines size"),
        (3, "model._target_: found 3; expected package.module.name"),
        ("", "expected package.module.name"),
        ("..x", "expected package.module.name"),
    ],
)
def test_what_makes_something_else_is_not_called(target, text):
    with pytest.raises(ConfigError, match=re.escape(text)):
        build(Component("model", "x", target, {}), Inner)
    assert not CALLED


def divide() -> int:
    return 1 / 0
