"""Names in figures: of panels, of what is drawn, and of lines at their ends."""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.optimize import isotonic_regression

from fewshot_audio.report.plots.style import Look, laid_out
from fewshot_audio.report.written import written

MOST, LONGEST = 6, 14  # names, and characters of each, that find room
LINE = 10.5  # points from one name to the next


def on(table: pd.DataFrame) -> str:
    """Return where numbers are from, to follow a title: the dataset where there is one."""
    datasets = table["dataset"].unique()
    return f" on {written(datasets[0])}" if len(datasets) == 1 else ""


def panel_names(table: pd.DataFrame, columns: Sequence[str]) -> dict[tuple, str]:
    """Return headings of panels by their values of these columns: those that differ."""
    keys = list(dict.fromkeys(table[list(columns)].itertuples(index=False, name=None)))
    differ = [len(set(values)) > 1 for values in zip(*keys, strict=True)]
    differ = differ if any(differ) else [*differ[:-1], True]
    return {key: written(", ".join(map(str, itertools.compress(key, differ)))) for key in keys}


def short(band: str) -> str:
    """Return what intervals are in a legend: what they are over is there where it is all one."""
    return band.partition(" over ")[0] if "(" in band else band


def fit_beside(names: Mapping[str, Look]) -> bool:
    """Whether names find room beside a panel."""
    return len(names) <= MOST and max(map(len, map(written, names))) <= LONGEST


def name_lines(
    figure: Figure, axes: Sequence[Axes], means: Sequence[pd.DataFrame], look: Mapping[str, Look]
) -> None:
    """Name each frontend at the end of its line, names apart from each other."""
    named = []
    for axis, own in zip(axes, means, strict=True):
        ends = own.sort_values("n_per_class").groupby("frontend")["mean"].last()
        beside: dict[str, Any] = {"transform": axis.get_yaxis_transform(), "va": "center_baseline"}
        ends = ends.sort_values()
        names = [
            axis.text(1.03, level, written(name), color=look[name].colour, **beside)
            for name, level in ends.items()
        ]
        named.append((axis, names, ends.to_numpy()))
    laid_out(figure)  # the axes' heights are known
    for axis, names, levels in named:
        low, high = axis.get_ylim()
        step = LINE * (high - low) / (axis.get_window_extent().height / figure.dpi * 72)
        for name, y in zip(names, apart(levels, step, low, high), strict=True):
            name.set_y(y)


def apart(levels: np.ndarray, step: float, low: float, high: float) -> np.ndarray:
    """Return rising levels moved apart by at least a step, as little as that takes."""
    ranks = step * np.arange(len(levels))
    top = max(low, high - ranks[-1])
    return np.clip(isotonic_regression(levels - ranks).x, low, top) + ranks
