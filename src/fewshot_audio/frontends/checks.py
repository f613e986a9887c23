"""Checks of constructors' arguments: a ValueError starts with the name of the setting."""

from collections.abc import Sequence
from typing import Any


def check_positive(**settings: float) -> None:
    """Raise ValueError for the first setting that is not above 0."""
    for name, value in settings.items():
        if not value > 0:
            raise ValueError(f"{name}={value}: expected a number above 0")


def check_choice(name: str, value: Any, choices: Sequence[Any]) -> None:
    """Raise ValueError where a setting is none of its choices."""
    if value not in choices:
        listed = ", ".join(str(choice) for choice in choices)
        raise ValueError(f"{name}={value}: expected one of {listed}")
