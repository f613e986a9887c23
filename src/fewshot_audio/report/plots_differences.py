"""Figures of paired differences in accuracy."""

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from fewshot_audio.report.drawing import (
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

POINTS = 100
MUCH = 2  # times the median width of the intervals: wider ones do not set the axis, or two folds' would press all means flat
ZONE = "#e4e4e4"
MARKED = {True: "significant (Holm)", False: "not significant (Holm)"}


@rc_context(STYLE)
def forest(cells: pd.DataFrame, margin: float | None, band: str) -> Drawing:
    """One dataset's differences (shares of 1) to points with intervals in percentage points, a panel per pair of arms.

    Cells: dataset, model, arm (a pair "first - second"), n_per_class, mean, low, high, count and, where tests were made, a
    bool `marked`, true where significant after Holm. `margin` is the half width of the shaded zone around nought, a share of
    1; `band` names low..high, NaN where there is none.
    """
    dataset = only(cells, "dataset")
    data = _points(cells)
    places, labels = _rows(data)
    pairs, limits = data["arm"].unique(), _limits(data, margin)
    figure, axes = panels(len(pairs), 3, 0.17 * (len(labels) + 1) + 0.75, sharey=True)
    look = looks(pair.split(" - ")[0] for pair in pairs)
    for axis, pair in zip(axes, pairs, strict=True):
        _zone(axis, limits, margin)
        _panel(axis, data[data["arm"] == pair], places, look[pair.split(" - ")[0]].colour, limits)
        head(axis, pair)
    _label(axes, labels, set(places.values()))
    beyond = bool(((data["low_points"] < limits[0]) | (data["high_points"] > limits[1])).any())
    legend_below(figure, _legend(data, margin, band, beyond))
    caption = f"Difference in accuracy on {dataset}, first minus second arm, with the count behind each mean at the right."
    caption += f" Whiskers: {band}." if data["low_points"].notna().any() else ""
    caption += (
        f" Shaded: within {POINTS * margin:.3g} points of nought." if margin is not None else ""
    )
    caption += " Filled markers: significant after Holm's correction." if "marked" in data else ""
    caption += " Arrow heads: the interval goes on beyond the axis." if beyond else ""
    title = f"Paired differences on {dataset}"
    return Drawing(f"forest_{dataset}", title, caption, _alt(data, dataset), settled(figure), data)


def _points(cells: pd.DataFrame) -> pd.DataFrame:
    """What is drawn of cells, means and intervals in percentage points."""
    columns = {f"{what}_points": POINTS * cells[what] for what in ("mean", "low", "high")}
    others = ["count", "marked"] if "marked" in cells else ["count"]
    return cells[["dataset", "model", "arm", "n_per_class"]].assign(**columns, **cells[others])


def _rows(data: pd.DataFrame) -> tuple[dict[tuple[str, int], int], list[str]]:
    """Where a model and n are drawn, and the labels of all rows from the top; a model of several n has a row for its name."""
    places, labels = {}, []
    for model, group in data.groupby("model", sort=False):
        ns = sorted(group["n_per_class"].unique())
        labels += [model] if len(ns) > 1 else []
        for n in ns:
            places[model, n] = len(labels)
            labels.append(f"n = {n}" if len(ns) > 1 else f"{model}, n = {n}")
    return places, labels


def _limits(data: pd.DataFrame, margin: float | None) -> tuple[float, float]:
    """Limits in points that hold nought, the zone, all means and all intervals but those much wider than most."""
    zone = 0 if margin is None else POINTS * margin
    width = data["high_points"] - data["low_points"]
    held = data[width <= MUCH * width.median()]
    bottom = np.nanmin([-zone, data["mean_points"].min(), held["low_points"].min()])
    top = np.nanmax([zone, data["mean_points"].max(), held["high_points"].max()])
    edge = 0.06 * (top - bottom) + 0.1
    return bottom - edge, top + edge


def _zone(axis: Axes, limits: tuple[float, float], margin: float | None) -> None:
    axis.set_xlim(limits)
    axis.axvline(0, color="black", linewidth=0.8, zorder=1)
    if margin is not None:
        axis.axvspan(-POINTS * margin, POINTS * margin, color=ZONE, linewidth=0, zorder=0.5)
    axis.set_xlabel("difference (points)")


def _panel(
    axis: Axes,
    cells: pd.DataFrame,
    places: dict[tuple[str, int], int],
    colour: str,
    limits: tuple[float, float],
) -> None:
    """A pair's means, intervals up to the limits, an arrow head where one goes on, and counts at the right."""
    beside = {"transform": axis.get_yaxis_transform(), "va": "center_baseline", "ha": "left"}
    axis.text(1.06, -1, "count", color=GREY, **beside)
    for cell in cells.itertuples():
        y = places[cell.model, cell.n_per_class]
        low, high = max(cell.low_points, limits[0]), min(cell.high_points, limits[1])
        axis.plot([low, high], [y, y], color=colour, linewidth=1.2)
        for end, is_beyond, arrow in zip(
            limits, (cell.low_points < limits[0], cell.high_points > limits[1]), "<>", strict=True
        ):
            if is_beyond:
                axis.plot(
                    [end],
                    [y],
                    marker=arrow,
                    color=colour,
                    markersize=5,
                    clip_on=False,
                    linestyle="none",
                )
        face = colour if getattr(cell, "marked", True) else "white"
        axis.plot(
            [cell.mean_points],
            [y],
            marker="o",
            markersize=5,
            color=colour,
            markerfacecolor=face,
            linestyle="none",
        )
        axis.text(1.06, y, f"{cell.count:.0f}", color=GREY, **beside)


def _label(axes: list[Axes], labels: list[str], filled: set[int]) -> None:
    """Rows from the top, those for a model's name in bold."""
    axes[0].set_ylim(len(labels) - 0.4, -1.5)
    axes[0].set_yticks(range(len(labels)), labels)
    for axis in axes:
        axis.tick_params(axis="y", length=0, pad=7)
        axis.grid(axis="x")
        axis.spines["left"].set_visible(False)
        for row, text in enumerate(axis.get_yticklabels()):
            text.set_fontweight("normal" if row in filled else "bold")


def _legend(data: pd.DataFrame, margin: float | None, band: str, beyond: bool) -> list[Artist]:
    point = {"color": GREY, "marker": "o", "markersize": 5, "linestyle": "none"}
    handles: list[Artist] = [Line2D([], [], **point, label="mean")]
    if "marked" in data:
        faces = {True: GREY, False: "white"}
        handles = [
            Line2D([], [], **point, markerfacecolor=faces[is_so], label=label)
            for is_so, label in MARKED.items()
        ]
    if data["low_points"].notna().any():
        handles.append(Line2D([], [], color=GREY, linewidth=1.2, label=band))
    if beyond:
        handles.append(
            Line2D(
                [],
                [],
                color=GREY,
                marker=">",
                markersize=5,
                linestyle="none",
                label="beyond the axis",
            )
        )
    if margin is not None:
        handles.append(Patch(color=ZONE, linewidth=0, label=f"±{POINTS * margin:.3g} points"))
    return handles


def _alt(data: pd.DataFrame, dataset: str) -> str:
    told = []
    for pair, cells in data.groupby("arm", sort=False):
        ordered = cells.sort_values("mean_points", kind="stable")
        ends = [
            f"{c.mean_points:+.1f} points ({c.model}, n = {c.n_per_class})"
            for c in ordered.itertuples()
        ]
        means = ends[0] if len(ends) == 1 else f"{len(ends)} means from {ends[0]} to {ends[-1]}"
        clear = np.sign(cells["low_points"]) * np.sign(cells["high_points"]) > 0
        told.append(
            f"{pair}: {means}; intervals that exclude nought: {clear.sum()} of {cells['low_points'].notna().sum()}."
        )
        told += (
            [f"Significant: {cells['marked'].sum()} of {len(cells)}."] if "marked" in cells else []
        )
    return (
        f"Paired differences in accuracy on {dataset}, a panel per pair of arms. {' '.join(told)}"
    )
