"""Figure of paired differences."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from fewshot_audio.report.plots.style import (
    GREY,
    STYLE,
    Drawing,
    head,
    legend_below,
    looks,
    only,
    panels,
    settled,
)
from fewshot_audio.report.text import Measure, minus, n_text

MUCH = 2  # times the median width of the intervals: wider ones do not set the axis
ZONE = "#e4e4e4"
MARKED = {True: "gain or loss", False: "neither is shown"}
POINT: dict[str, Any] = {"marker": "o", "markersize": 5, "linestyle": "none"}

Rows = dict[tuple[str, float], int]  # where a model and n are drawn
Limits = tuple[float, float]


@rc_context(STYLE)
def forest(cells: pd.DataFrame, measure: Measure, margin: float | None, band: str) -> Drawing:
    """Draw one dataset's differences with their intervals, a panel per pair.

    Args:
        cells: dataset, model, first, second, n_per_class, mean, low, high, count and, where they
            were judged, marked: whether a gain or a loss. low and high are NaN where there is no
            interval.
        measure: The metric.
        margin: Half width of the shaded zone around zero.
        band: What low and high are.
    """
    dataset = only(cells, "dataset")
    data = _shown(cells, measure)
    half = None if margin is None else measure.scale * margin
    rows, labels = _rows(data)
    pairs = list(dict.fromkeys(zip(data["first"], data["second"], strict=True)))
    limits = _limits(data, half)
    figure, axes = panels(len(pairs), 3, 0.17 * (len(labels) + 1) + 0.75, sharey=True)
    look = looks(first for first, _ in pairs)
    for axis, (first, second) in zip(axes, pairs, strict=True):
        _zone(axis, limits, half)
        axis.set_xlabel("difference (points)" if measure.is_share else "difference")
        of_pair = data[(data["first"] == first) & (data["second"] == second)]
        _panel(axis, of_pair, rows, look[first].colour, limits)
        head(axis, minus(first, second))
    _label(axes, labels, set(rows.values()))
    beyond = bool(((data["low"] < limits[0]) | (data["high"] > limits[1])).any())
    unit = " points" if measure.is_share else ""
    zone = "" if half is None else f"{half:.3g}{unit}"
    legend_below(figure, _legend(data, zone, band, beyond))
    caption = _caption(data, measure, zone, band, beyond)
    title, alt = f"Paired differences on {dataset}", _alt(data, dataset, measure)
    return Drawing(f"forest_{dataset}", title, caption, alt, settled(figure), data)


def _shown(cells: pd.DataFrame, measure: Measure) -> pd.DataFrame:
    """Return what is drawn of cells, in points where the metric is a share."""
    numbers = {part: measure.scale * cells[part] for part in ("mean", "low", "high")}
    others = ["count", "marked"] if "marked" in cells else ["count"]
    names = cells[["dataset", "model", "first", "second", "n_per_class"]]
    unit = "points" if measure.is_share else ""
    return names.assign(**numbers, **cells[others], unit=unit)


def _rows(data: pd.DataFrame) -> tuple[Rows, list[str]]:
    """Return where models and n are drawn, and all labels; a model of several n has a row."""
    rows: Rows = {}
    labels: list[str] = []
    for model, group in data.groupby("model", sort=False, observed=True):
        ns = sorted(group["n_per_class"].unique())
        labels += [model] if len(ns) > 1 else []
        for n in ns:
            rows[model, n] = len(labels)
            labels.append(f"n = {n_text(n)}" if len(ns) > 1 else f"{model}, n = {n_text(n)}")
    return rows, labels


def _limits(data: pd.DataFrame, half: float | None) -> Limits:
    """Return limits that hold zero, the zone, all means, and intervals but those much wider."""
    zone = half or 0
    width = data["high"] - data["low"]
    held = data[width <= MUCH * width.median()]
    bottom = np.nanmin([-zone, data["mean"].min(), held["low"].min()])
    top = np.nanmax([zone, data["mean"].max(), held["high"].max()])
    edge = 0.06 * (top - bottom) + (0.1 if top - bottom > 1 else 0.001)
    return bottom - edge, top + edge


def _zone(axis: Axes, limits: Limits, half: float | None) -> None:
    axis.set_xlim(limits)
    axis.axvline(0, color="black", linewidth=0.8, zorder=1)
    if half is not None:
        axis.axvspan(-half, half, color=ZONE, linewidth=0, zorder=0.5)


def _panel(axis: Axes, cells: pd.DataFrame, rows: Rows, colour: str, limits: Limits) -> None:
    """Draw a pair's means, intervals up to the limits, and counts at the right."""
    beside: dict[str, Any] = {
        "transform": axis.get_yaxis_transform(),
        "va": "center_baseline",
        "ha": "left",
    }
    axis.text(1.06, -1, "count", color=GREY, **beside)
    for cell in cells.itertuples():
        y = rows[cell.model, cell.n_per_class]
        low, high = max(cell.low, limits[0]), min(cell.high, limits[1])
        axis.plot([low, high], [y, y], color=colour, linewidth=1.2)
        if cell.low < limits[0]:
            _arrow_head(axis, limits[0], y, "<", colour)
        if cell.high > limits[1]:
            _arrow_head(axis, limits[1], y, ">", colour)
        face = colour if getattr(cell, "marked", True) else "white"
        axis.plot([cell.mean], [y], **POINT, color=colour, markerfacecolor=face)
        axis.text(1.06, y, f"{cell.count:.0f}", color=GREY, **beside)


def _arrow_head(axis: Axes, x: float, y: float, marker: str, colour: str) -> None:
    """Show that an interval goes on beyond the axis."""
    axis.plot([x], [y], **POINT | {"marker": marker}, color=colour, clip_on=False)


def _label(axes: list[Axes], labels: list[str], filled: set[int]) -> None:
    """Label rows from the top, those for a model's name in bold."""
    axes[0].set_ylim(len(labels) - 0.4, -1.5)
    axes[0].set_yticks(range(len(labels)), labels)
    for axis in axes:
        axis.tick_params(axis="y", length=0, pad=7)
        axis.grid(axis="x")
        axis.spines["left"].set_visible(False)
        for row, text in enumerate(axis.get_yticklabels()):
            text.set_fontweight("normal" if row in filled else "bold")


def _legend(data: pd.DataFrame, zone: str, band: str, beyond: bool) -> list[Artist]:
    handles: list[Artist] = []
    if "marked" in data:
        for is_marked, label in MARKED.items():
            face = GREY if is_marked else "white"
            handles.append(Line2D([], [], **POINT, color=GREY, markerfacecolor=face, label=label))
    else:
        handles.append(Line2D([], [], **POINT, color=GREY, label="mean"))
    if data["low"].notna().any():
        handles.append(Line2D([], [], color=GREY, linewidth=1.2, label=band))
    if beyond:
        arrow = POINT | {"marker": ">"}
        handles.append(Line2D([], [], **arrow, color=GREY, label="beyond the axis"))
    if zone:
        handles.append(Patch(color=ZONE, linewidth=0, label=f"±{zone}"))
    return handles


def _caption(data: pd.DataFrame, measure: Measure, zone: str, band: str, beyond: bool) -> str:
    caption = f"Difference in {measure.label} on {only(data, 'dataset')}{measure.direction}, first "
    caption += "minus second, with the count behind each mean at the right."
    caption += f" Whiskers: {band}." if data["low"].notna().any() else ""
    caption += f" Shaded: within {zone} of zero." if zone else ""
    if "marked" in data:
        caption += " Filled markers: a gain or a loss, where the interval excludes zero."
    return caption + (" Arrow heads: the interval goes on beyond the axis." if beyond else "")


def _alt(data: pd.DataFrame, dataset: str, measure: Measure) -> str:
    text = f"Paired differences in {measure.label} on {dataset}, a panel per pair."
    for (first, second), cells in data.groupby(["first", "second"], sort=False):
        ordered = list(cells.sort_values("mean", kind="stable").itertuples())
        ends = [_number(cell, measure) for cell in (ordered[0], ordered[-1])]
        means = f"{len(ordered)} means from {ends[0]} to {ends[1]}"
        means = ends[0] if len(ordered) == 1 else means
        clear = (np.sign(cells["low"]) * np.sign(cells["high"]) > 0).sum()
        text += f" {minus(first, second)}: {means}; intervals that exclude zero: {clear} of "
        text += f"{cells['low'].notna().sum()}."
        if "marked" in cells:
            text += f" Gains or losses: {cells['marked'].sum()} of {len(cells)}."
    return text


def _number(cell: Any, measure: Measure) -> str:
    shown = f"{cell.mean:+.1f} points" if measure.is_share else f"{cell.mean:+.3g}"
    return f"{shown} ({cell.model}, n = {n_text(cell.n_per_class)})"
