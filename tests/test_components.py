"""Components: built by name, nested and partial ones too, with messages that name the setting."""

from dataclasses import dataclass
from pathlib import Path

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


def with_keywords(**settings):
    return settings


def outer(inner, **more):
    arguments = {"inner": {"_target_": f"{HERE}.Inner", **inner}, **more}
    return Component("frontend", "outer", f"{HERE}.Outer", arguments)


def test_nested_components_are_built_first_and_converted():
    given = {"not": "copied"}
    made = build(outer({"width": "3", "folder": "a/b"}), given=given)
    assert made == Outer(Inner(3, Path("a/b")), (), given)
    assert made.given is given
    others = [{"_target_": f"{HERE}.Inner", "width": width} for width in (1, 2)]
    assert build(outer({"width": 3}, others=others)).others == (Inner(1), Inner(2))


def test_a_partial_component_is_a_function():
    partial = Component("model", "x", f"{HERE}.Inner", {"_partial_": True, "folder": "a"})
    assert build(partial)(width=2) == Inner(2, Path("a"))
    assert build(partial)(2) == Inner(2, Path("a"))


def test_keywords_of_any_name_are_passed_on():
    assert build(Component("model", "x", f"{HERE}.with_keywords", {"a": [1]})) == {"a": [1]}


@pytest.mark.parametrize(
    ("inner", "text"),
    [
        ({"width": "x"}, "frontend.inner.width: found 'x'; Input should be a valid integer"),
        ({"widht": 3}, "frontend.inner.widht: no such setting; did you mean width?"),
        ({"widht": 3, "_partial_": True}, "frontend.inner.widht: no such setting"),
        ({}, "frontend.inner.width is not set"),
        ({"width": 10}, "frontend.inner: width=10: expected at most 9"),
        ({"_target_": f"{HERE}.Nothing"}, "frontend.inner._target_: .*Nothing cannot be found"),
        ({"_target_": f"{HERE}.HERE"}, "HERE is a str; expected a class or function"),
        ({"_target_": f"{HERE}.Outer", "inner": 3}, "should be an instance of|should be a"),
    ],
)
def test_a_mistake_is_named_with_its_dotted_path(inner, text):
    with pytest.raises(ConfigError, match=text):
        build(outer(inner))


def test_other_errors_of_a_constructor_are_raised_as_they_are():
    with pytest.raises(ZeroDivisionError):
        build(Component("model", "x", f"{HERE}.divide", {}))


def divide():
    return 1 / 0
