"""Checks of constructors' arguments: a ValueError starts with the name of the setting."""

from collections.abc import Sequence
from typing import Any

MOST = 65_536


def check_positive(**settings: float) -> None:
    """Raise ValueError for the first setting that is not above 0."""
    for name, value in settings.items():
        if not value > 0:
            raise ValueError(f"{name}={value}: expected a number above 0")


def check_count(**settings: int) -> None:
    """Raise ValueError for the first number of bands, filters or samples that no clip can fill."""
    for name, value in settings.items():
        if not 1 <= value <= MOST:
            raise ValueError(f"{name}={value}: expected 1 to {MOST:,}")


def check_choice(name: str, value: Any, choices: Sequence[Any]) -> None:
    """Raise ValueError where a setting is none of its choices."""
    if value not in choices:
        listed = ", ".join(str(choice) for choice in choices)
        raise ValueError(f"{name}={value}: expected one of {listed}")
