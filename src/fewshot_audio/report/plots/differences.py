"""Figure of paired differences."""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from fewshot_audio.progress import counted
from fewshot_audio.report.averages import AVERAGE
from fewshot_audio.report.plots.names import on, panel_names, short
from fewshot_audio.report.plots.style import (
    CHARACTER,
    GREY,
    STYLE,
    WIDTH,
    Drawing,
    legend_below,
    looks,
    settled,
)
from fewshot_audio.report.text import Measure, minus, n_text
from fewshot_audio.report.written import written

MUCH = 2  # times the median width of the intervals: wider ones do not set the axis
TALL = 48  # rows of a column
ROW = 0.16  # inches
LEAST_BESIDE = 1.9  # inches beside the labels of a column
PLOT, LEAST = 2.2, 5.6  # inches between labels and counts, and of a figure
ROW_OF = ["dataset", "model"]
ZONE = "#e4e4e4"
MARKED = {True: "gain or loss", False: "neither is shown"}
POINT: dict[str, Any] = {"marker": "o", "markersize": 5, "linestyle": "none"}

Limits = tuple[float, float]


class Row(NamedTuple):
    """A line of the figure: a group's heading, or a difference and its label."""

    label: str
    cell: Any = None


@rc_context(STYLE)
def forest(cells: pd.DataFrame, measure: Measure, margin: float, band: str) -> Drawing:
    """Draw differences with their intervals, sorted in groups of dataset, model and n.

    An average over datasets comes first.

    Args:
        cells: dataset, model, first, second, n_per_class, mean, low, high, count and marked:
            whether a gain or a loss. low and high are NaN where there is no interval.
        measure: The metric.
        margin: Half width of the shaded zone around zero.
        band: What low and high are.
    """
    data = _shown(cells, measure)
    half = measure.scale * margin
    pairs = list(dict.fromkeys(map(minus, data["first"], data["second"])))
    columns = _columns(_groups(data, len(pairs) > 1))
    figure, axes = _axes(columns)
    look, limits = looks(data["first"]), _limits(data, half)
    what = "difference" if len(pairs) > 1 else written(pairs[0])
    for axis, rows in zip(axes, columns, strict=True):
        _zone(axis, limits, half)
        axis.set_xlabel(f"{what} (points)" if measure.is_share else what)
        for place, row in enumerate(rows):
            if row.cell is not None:
                _difference(axis, place, row.cell, look[row.cell.first].colour, limits)
        _label(axis, rows, max(map(len, columns)))
    beyond = bool(((data["low"] < limits[0]) | (data["high"] > limits[1])).any())
    zone = f"{half:.3g}{' points' if measure.is_share else ''}"
    legend_below(figure, _legend(data, zone, band, beyond))
    caption = _caption(data, measure, zone, band, beyond)
    title, alt = f"Paired differences{on(data)}", _alt(data, measure)
    return Drawing("forest", title, caption, alt, settled(figure), data, is_table=True)


def _shown(cells: pd.DataFrame, measure: Measure) -> pd.DataFrame:
    """Return what is drawn of cells, in points where the metric is a share."""
    numbers = {part: measure.scale * cells[part] for part in ("mean", "low", "high")}
    names = cells[["dataset", "model", "first", "second", "n_per_class"]]
    unit = "points" if measure.is_share else ""
    return names.assign(**numbers, **cells[["count", "marked"]], unit=unit)


def _groups(data: pd.DataFrame, has_pairs: bool) -> list[list[Row]]:
    """Return the rows of each group, first its heading; pairs sorted, or n where there is one."""
    by = [*ROW_OF, *(["n_per_class"] if has_pairs else [])]
    order = "mean" if has_pairs else "n_per_class"
    data = data.assign(is_task=data["dataset"] != AVERAGE)
    data = data.sort_values(["is_task", *ROW_OF, "n_per_class"], kind="stable")
    shown = data.assign(n_per_class=[n_text(n) for n in data["n_per_class"]], place=data[order])
    names = panel_names(shown.assign(n_per_class="n = " + shown["n_per_class"]), by)
    groups = []
    for heading, (_, group) in zip(names.values(), shown.groupby(by, sort=False), strict=True):
        ordered = group.sort_values("place", ascending=not has_pairs, kind="stable")
        rows = [Row(heading)] if len(names) > 1 else []
        for cell in ordered.itertuples():
            label = (
                written(minus(cell.first, cell.second)) if has_pairs else f"n = {cell.n_per_class}"
            )
            rows.append(Row(label, cell))
        groups.append(rows)
    return groups


def _columns(groups: list[list[Row]]) -> list[list[Row]]:
    """Return the rows in one column, or in two of about the same height where one is too tall."""
    total, longest = sum(map(len, groups)), max(len(row.label) for rows in groups for row in rows)
    is_tall = total > TALL and longest * CHARACTER + LEAST_BESIDE <= WIDTH / 2
    columns: list[list[Row]] = [[]]
    for rows in groups:
        if is_tall and len(columns) == 1 and len(columns[0]) >= total / 2:
            columns.append([])
        columns[-1] += rows
    return columns


def _axes(columns: list[list[Row]]) -> tuple[Figure, list[Axes]]:
    longest = max(len(row.label) for rows in columns for row in rows)
    width = min(WIDTH, max(LEAST, len(columns) * (longest * CHARACTER + PLOT + 0.9)))
    height = ROW * (max(map(len, columns)) + 1) + 0.5
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, list(figure.subplots(1, len(columns), squeeze=False).flat)


def _limits(data: pd.DataFrame, half: float) -> Limits:
    """Return limits that hold zero, the zone, all means, and intervals but those much wider."""
    width = data["high"] - data["low"]
    held = data[width <= MUCH * width.median()]
    bottom = np.nanmin([-half, data["mean"].min(), held["low"].min()])
    top = np.nanmax([half, data["mean"].max(), held["high"].max()])
    edge = 0.06 * (top - bottom) + (0.1 if top - bottom > 1 else 0.001)
    return bottom - edge, top + edge


def _zone(axis: Axes, limits: Limits, half: float) -> None:
    axis.set_xlim(limits)
    axis.axvline(0, color="black", linewidth=0.8, zorder=1)
    axis.axvspan(-half, half, color=ZONE, linewidth=0, zorder=0.5)


def _difference(axis: Axes, y: int, cell: Any, colour: str, limits: Limits) -> None:
    """Draw a mean, its interval up to the limits, and its count at the right."""
    low, high = max(cell.low, limits[0]), min(cell.high, limits[1])
    axis.plot([low, high], [y, y], color=colour, linewidth=1.2)
    if cell.low < limits[0]:
        _arrow_head(axis, limits[0], y, "<", colour)
    if cell.high > limits[1]:
        _arrow_head(axis, limits[1], y, ">", colour)
    face = colour if cell.marked else "white"
    axis.plot([cell.mean], [y], **POINT, color=colour, markerfacecolor=face)
    count = counted(int(cell.count), "pair")
    beside: dict[str, Any] = {"transform": axis.get_yaxis_transform(), "va": "center_baseline"}
    axis.text(1.05, y, count, color=GREY, **beside)


def _arrow_head(axis: Axes, x: float, y: float, marker: str, colour: str) -> None:
    """Show that an interval goes on beyond the axis."""
    axis.plot([x], [y], **POINT | {"marker": marker}, color=colour, clip_on=False)


def _label(axis: Axes, rows: list[Row], height: int) -> None:
    """Label rows from the top, groups in bold."""
    axis.set_ylim(height - 0.4, -0.7)
    axis.set_yticks(range(len(rows)), [row.label for row in rows])
    axis.tick_params(axis="y", length=0, pad=7)
    axis.grid(axis="x")
    axis.spines["left"].set_visible(False)
    for row, text in zip(rows, axis.get_yticklabels(), strict=True):
        text.set_fontweight("bold" if row.cell is None else "normal")


def _legend(data: pd.DataFrame, zone: str, band: str, beyond: bool) -> list[Artist]:
    handles: list[Artist] = []
    for is_marked, label in MARKED.items():
        face = GREY if is_marked else "white"
        handles.append(Line2D([], [], **POINT, color=GREY, markerfacecolor=face, label=label))
    if data["low"].notna().any():
        handles.append(Line2D([], [], color=GREY, linewidth=1.2, label=short(band)))
    if beyond:
        arrow = POINT | {"marker": ">"}
        handles.append(Line2D([], [], **arrow, color=GREY, label="beyond the axis"))
    return [*handles, Patch(color=ZONE, linewidth=0, label=f"±{zone}")]


def _caption(data: pd.DataFrame, measure: Measure, zone: str, band: str, beyond: bool) -> str:
    caption = f"Difference in {measure.label}{on(data)}{measure.direction}, first "
    caption += "minus second, with the number of pairs of runs behind each mean at the right."
    caption += f" Whiskers: {band}." if data["low"].notna().any() else ""
    caption += f" Shaded: within {zone} of zero."
    caption += " Filled markers: a gain or a loss, where the interval excludes zero."
    return caption + (" Arrow heads: the interval goes on beyond the axis." if beyond else "")


def _alt(data: pd.DataFrame, measure: Measure) -> str:
    text = f"Paired differences in {measure.label}{on(data)}, sorted within each group."
    for (first, second), cells in data.groupby(["first", "second"], sort=False):
        ordered = list(cells.sort_values("mean", kind="stable").itertuples())
        ends = [_number(cell, measure) for cell in (ordered[0], ordered[-1])]
        means = f"{len(ordered)} means from {ends[0]} to {ends[1]}"
        means = ends[0] if len(ordered) == 1 else means
        clear = (np.sign(cells["low"]) * np.sign(cells["high"]) > 0).sum()
        text += (
            f" {written(minus(first, second))}: {means}; intervals that exclude zero: {clear} of "
        )
        text += f"{cells['low'].notna().sum()}."
        text += f" Gains or losses: {cells['marked'].sum()} of {len(cells)}."
    return text


def _number(cell: Any, measure: Measure) -> str:
    shown = f"{cell.mean:+.1f} points" if measure.is_share else f"{cell.mean:+.3g}"
    return f"{shown} ({written(cell.model)}, n = {n_text(cell.n_per_class)})"
