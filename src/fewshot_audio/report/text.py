"""Numbers as readers see them."""

import json
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from fewshot_audio.record_fields import UNBOUNDED
from fewshot_audio.report.records import ALL_CLIPS
from fewshot_audio.report.statistics import ANY, FOLDS, LEAST, SHARE, TASKS
from fewshot_audio.types import Statistics

NONE, MINUS = "–", "−"


@dataclass(frozen=True)
class Measure:
    """A metric: shares of 1 are shown in percent, and their differences in points.

    Attributes:
        name: Of the metric in the records.
        is_share: Whether its values are shares of 1.
        is_lower_better: Whether small values are the good ones.
    """

    name: str
    is_share: bool
    is_lower_better: bool = False

    @staticmethod
    def of(name: str, values: pd.Series, is_lower_better: bool = False) -> "Measure":
        """Return the measure of a metric with these values."""
        is_share = name not in UNBOUNDED and bool(values.between(0, 1).all())
        return Measure(name, is_share, is_lower_better)

    @property
    def direction(self) -> str:
        """Which values are better, after a comma, where it is not the large ones."""
        return ", lower is better" if self.is_lower_better else ""

    @property
    def label(self) -> str:
        """Its name in text."""
        return self.name.replace("_", " ")

    @property
    def heading(self) -> str:
        """Its name at the beginning of a sentence, with the unit."""
        unit = " in %" if self.is_share else ""
        return f"{self.label[:1].upper()}{self.label[1:]}{unit}{self.direction}"

    @property
    def axis(self) -> str:
        """Its name at an axis."""
        return f"{self.label}{' (%)' if self.is_share else ''}{self.direction}"

    @property
    def points(self) -> str:
        """The unit of differences, after a comma, and which are better."""
        return f"{', in points' if self.is_share else ''}{self.direction}"

    @property
    def scale(self) -> int:
        """What values are multiplied with to be shown."""
        return 100 if self.is_share else 1

    def limits(self, is_difference: bool = False) -> tuple[float, float]:
        """Return the least and the largest value, or difference, that there can be."""
        if not self.is_share:
            return ANY
        return (-1.0, 1.0) if is_difference else SHARE

    def value(self, number: float) -> str:
        """Return a value as text."""
        return points(number, signed=False) if self.is_share else plain(number)

    def difference(self, number: float) -> str:
        """Return a difference as text, with its sign."""
        if self.is_share:
            return points(number)
        return f"+{plain(number)}" if number > 0 else plain(number)

    def between(self, low: float, high: float) -> str:
        """Return an interval as text."""
        return NONE if pd.isna(low) else f"[{self.value(low)}, {self.value(high)}]"

    def with_interval(self, cell: Any, signed: bool) -> str:
        """Return the mean, interval and count of a row of `summary`."""
        return f"{self.with_limits(cell, signed)} ({cell.count})"

    def with_limits(self, cell: Any, signed: bool = True) -> str:
        """Return the mean of a row of `summary`, with its interval if it has one."""
        mean = self.difference(cell.mean) if signed else self.value(cell.mean)
        return mean if pd.isna(cell.low) else f"{mean} {self.between(cell.low, cell.high)}"

    def with_spread(self, cell: Any) -> str:
        """Return the mean, standard deviation and count of a row of `summary`."""
        spread = "" if pd.isna(cell.spread) else f" ± {self.value(cell.spread)}"
        return f"{self.value(cell.mean)}{spread} ({cell.count})"


def points(share: float, signed: bool = True) -> str:
    """Return a share of 1 in percent, or a difference of shares in points, with one decimal."""
    return _number(100 * share, "+.1f" if signed else ".1f")


def plain(value: float) -> str:
    """Return a number with three digits, without powers of ten where it is large."""
    if abs(value) >= 1000:
        return _number(float(f"{value:.3g}"), ",.0f")
    return _number(value, ".3g")


def probability(p: float) -> str:
    """Return a p value as text."""
    if pd.isna(p):
        return NONE
    return f"{p:.1e}" if p < 0.001 else f"{p:.3f}"


def label(value: Any) -> str:
    """Return a setting's value as tables name it: 1.0 and 1 are the same."""
    return str(int(value) if isinstance(value, float) and value.is_integer() else value)


def n_text(n: float) -> str:
    """Return n per class as text; "all" where all clips trained."""
    return "all" if n == ALL_CLIPS else f"{n:.0f}"


def minus(first: str, second: str) -> str:
    """Return the name of a difference."""
    return f"{first} {MINUS} {second}"


def compact(value: Any) -> str:
    """Return a setting's value as a command has it, in one word."""
    if isinstance(value, str):
        return shlex.quote(value)
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).replace('"', "")


def joined(words: Sequence[str]) -> str:
    """Return words as in a sentence: a, b and c."""
    return ", ".join(words[:-1]) + " and " + words[-1] if len(words) > 1 else words[0]


def interval_name(cells: pd.DataFrame, how: Statistics, comparisons: int = 0) -> str:
    """Return what the intervals of cells are: level, and what they are over by dataset.

    Args:
        cells: As `summary` makes them.
        how: Their level, of all together where these are the differences of a study.
        comparisons: How many differences that study has.
    """
    datasets: dict[str, list[str]] = {}
    for dataset, group in cells.groupby("dataset"):
        datasets.setdefault(_over(group), []).append(str(dataset))
    if len(datasets) == 1:
        over = next(iter(datasets))
    else:
        over = ", ".join(f"{over} ({', '.join(names)})" for over, names in datasets.items())
    return f"{100 * how.confidence:g} % t interval {over}{widened(comparisons)}"


def widened(comparisons: int) -> str:
    """Return that intervals are wider, after a comma, where a study has several."""
    if comparisons < 2:
        return ""
    return f", widened so that the study's {comparisons} intervals hold at once"


def _over(cells: pd.DataFrame) -> str:
    if (cells["unit"] == TASKS).all():
        return "over seeds, for these tasks"
    whole = "n_per_class" in cells and (cells["n_per_class"] == ALL_CLIPS).all()
    splits = "seeds" if whole else "few-shot splits"
    if cells["unit"].nunique() > 1:
        return f"over folds, or over {splits} where there are fewer than {LEAST} folds"
    low, high = cells["folds"].min(), cells["folds"].max()
    count = f"{low}" if low == high else f"{low} to {high}"
    if (cells["unit"] == FOLDS).all():
        return f"over {count} folds"
    return f"over {splits} within {these(count)}"


def these(count: int | str) -> str:
    """Return so many folds, which stay as they are, in words."""
    return "this one fold" if str(count) == "1" else f"these {count} folds"


def _number(value: float, form: str) -> str:
    text = f"{value:{form}}"
    if np.isfinite(value) and text.startswith("-"):
        text = MINUS + text[1:]
    return text[1:] if text in ("+0.0", f"{MINUS}0.0") else text
