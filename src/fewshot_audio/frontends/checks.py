"""Checks of constructors' arguments: a ValueError starts with the name of the setting."""

import sys
import warnings
from collections.abc import Sequence
from math import isfinite
from numbers import Integral, Real
from typing import Any

MOST = 65_536


def check_number(**settings: float) -> None:
    """Raise ValueError for the first setting that is no finite number."""
    for name, value in settings.items():
        if not _is_number(value):
            raise ValueError(f"{name}={value}: expected a number")


def check_positive(**settings: float) -> None:
    """Raise ValueError for the first setting that is no finite number above 0."""
    for name, value in settings.items():
        if not (_is_number(value) and value > 0):
            raise ValueError(f"{name}={value}: expected a number above 0")


def check_whole(**settings: int) -> None:
    """Raise ValueError for the first setting that is no whole number above 0."""
    for name, value in settings.items():
        if not (_is_number(value) and isinstance(value, Integral) and value > 0):
            raise ValueError(f"{name}={value}: expected a whole number above 0")


def check_count(**settings: int) -> None:
    """Raise ValueError for the first number of bands, filters or samples that no clip can fill."""
    for name, value in settings.items():
        if not (_is_number(value) and isinstance(value, Integral) and 1 <= value <= MOST):
            raise ValueError(f"{name}={value}: expected a whole number, 1 to {MOST:,}")


def check_choice(name: str, value: Any, choices: Sequence[Any]) -> None:
    """Raise ValueError where a setting is none of its choices."""
    if value not in choices:
        listed = ", ".join(str(choice) for choice in choices)
        raise ValueError(f"{name}={value}: expected one of {listed}")


def warn(text: str) -> None:
    """Warn at the line outside of this package, and of torch, that led here: a user's own."""
    inner, level, frame = (f"{__name__.partition('.')[0]}.", "torch."), 1, sys._getframe()
    while frame.f_back and str(frame.f_globals.get("__name__")).startswith(inner):
        level, frame = level + 1, frame.f_back
    warnings.warn(text, stacklevel=level)


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and isfinite(value)
