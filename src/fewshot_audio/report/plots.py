"""Figures of accuracies over n and of which runs are there."""

import numpy as np
import pandas as pd
from matplotlib import colormaps, rc_context
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle
from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

from fewshot_audio.report.drawing import (
    CHARACTER,
    GREY,
    STYLE,
    Drawing,
    Look,
    head,
    legend_below,
    looks,
    only,
    panels,
    settled,
)
from fewshot_audio.types import NoRunsError

PERCENT = 100
ROOM = 0.75  # of the points' span, that bands may add to the axis on either side: two folds' would press the means flat
DODGE = (
    0.5  # of the gap between neighbouring n, or n and 2n, that the folds of all arms spread over
)
ALONE = 2.0  # that gap where there is one n, as a logarithm
CROWDED = 0.05  # of an axis: ticks closer than this share the first one's number
BLUES = colormaps["Blues"]
BOLD = 1.12  # width of bold beside plain text
DARKEST = 0.85  # of BLUES, for all runs finished
ROW = ["dataset", "model", "frontend"]
GRID = [*ROW, "n_per_class", "finished", "wanted", "share"]


@rc_context(STYLE)
def accuracy_by_n(
    cells: pd.DataFrame, by_fold: pd.DataFrame, chance: float | None, band: str
) -> Drawing:
    """One dataset's cells and folds (means, low..high, chance: shares of 1) to mean accuracy in % over n, a panel per model.

    Cells: dataset, model, arm, n_per_class, mean, low, high, count; by_fold: a fold in place of low and high. `band` names
    low..high; where these are NaN there is none.
    """
    dataset = only(cells, "dataset")
    data = _percent(cells, by_fold, chance)
    means, folds = data[data["fold"] == "all"], data[data["fold"] != "all"]
    models, look, ns = (
        means["model"].unique(),
        looks(means["arm"]),
        sorted(means["n_per_class"].unique()),
    )
    figure, axes = panels(len(models), 3, 2.1 + 0.08 * max(len(look), 3), sharey=True)
    limits = _percent_limits(data)
    for axis, model in zip(axes, models, strict=True):
        _accuracy_panel(
            axis, means[means["model"] == model], folds[folds["model"] == model], look, ns
        )
        if chance is not None:
            axis.axhline(PERCENT * chance, color=GREY, linestyle=":", linewidth=1)
        head(axis, model)
        axis.set(xlabel="n, training clips per class", ylim=limits)
        if axis.get_subplotspec().is_first_col():
            axis.set_ylabel("accuracy (%)")
    legend_below(figure, *_accuracy_legend(means, look, chance, band, len(ns) == 1))
    caption = f"Mean accuracy on {dataset} by number of training clips per class. Faint points are single folds"
    caption += "" if chance is None else "; dotted: chance"
    caption += (
        f"; {'whiskers' if len(ns) == 1 else 'bands'}: {band}"
        if means["low_percent"].notna().any()
        else ""
    )
    caption += ", cut where they leave the axis." if _is_cut(means, limits) else "."
    alt = _accuracy_alt(means, dataset, chance)
    return Drawing(
        f"accuracy_{dataset}", f"Accuracy on {dataset}", caption, alt, settled(figure), data
    )


def _percent(cells: pd.DataFrame, by_fold: pd.DataFrame, chance: float | None) -> pd.DataFrame:
    """Cells (fold "all") and folds, one below the other, in percent."""
    both = pd.concat(
        [cells.assign(fold="all"), by_fold.assign(fold=by_fold["fold"].astype(str))],
        ignore_index=True,
    )
    columns = {f"{what}_percent": PERCENT * both[what] for what in ("mean", "low", "high")}
    level = np.nan if chance is None else PERCENT * chance
    names = both[["dataset", "model", "arm", "n_per_class", "fold"]]
    return names.assign(**columns, count=both["count"], chance_percent=level)


def _percent_limits(data: pd.DataFrame) -> tuple[float, float]:
    """Limits of the accuracy axis: all points, and as much of the bands as leaves the points readable, within 0..100 %."""
    points = data[["mean_percent", "chance_percent"]].to_numpy()
    bottom, top = np.nanmin(points), np.nanmax(points)
    room = ROOM * max(top - bottom, 4)
    low, high = data["low_percent"].min(), data["high_percent"].max()
    bottom, top = (
        np.fmax(np.fmin(low, bottom), bottom - room),
        np.fmin(np.fmax(high, top), top + room),
    )
    edge = max(0.04 * (top - bottom) + 0.2, 2 - (top - bottom) / 2)
    return max(0, bottom - edge), min(PERCENT, top + edge)


def _is_cut(means: pd.DataFrame, limits: tuple[float, float]) -> bool:
    return bool(((means["low_percent"] < limits[0]) | (means["high_percent"] > limits[1])).any())


def _accuracy_panel(
    axis: Axes, means: pd.DataFrame, folds: pd.DataFrame, look: dict[str, Look], ns: list[int]
) -> None:
    """Means of a model's arms as lines over n, or side by side at the only n, with their bands and folds."""
    gap = min(np.log(2), *np.diff(np.log(ns))) if len(ns) > 1 else ALONE
    arms = list(look)
    for place, arm in enumerate(arms):
        of_arm = means[means["arm"] == arm].sort_values("n_per_class")
        of_folds = folds[folds["arm"] == arm]
        shift = np.exp(DODGE * gap * ((place + 0.5) / len(arms) - 0.5))
        aside = np.exp(DODGE * gap * min(0.25 / len(arms), 0.05)) if len(ns) == 1 else 1
        (_error_bar if len(ns) == 1 else _line)(axis, of_arm, look[arm], shift)
        x, y = of_folds["n_per_class"] * shift * aside, of_folds["mean_percent"]
        axis.scatter(x, y, s=7, color=look[arm].colour, alpha=0.4, linewidths=0, zorder=1.8)
    _n_axis(axis, ns, gap)


def _line(axis: Axes, means: pd.DataFrame, look: Look, _shift: float) -> None:
    x = means["n_per_class"]
    axis.fill_between(
        x, means["low_percent"], means["high_percent"], color=look.colour, alpha=0.13, linewidth=0
    )
    for edge in ("low_percent", "high_percent"):
        axis.plot(x, means[edge], color=look.colour, linestyle=look.line, linewidth=0.4, alpha=0.5)
    axis.plot(x, means["mean_percent"], color=look.colour, marker=look.marker, linestyle=look.line)


def _error_bar(axis: Axes, means: pd.DataFrame, look: Look, shift: float) -> None:
    x = means["n_per_class"] * shift
    axis.vlines(x, means["low_percent"], means["high_percent"], color=look.colour, linewidth=1.2)
    axis.plot(
        x,
        means["mean_percent"],
        color=look.colour,
        marker=look.marker,
        linestyle="none",
        markersize=6,
    )


def _n_axis(axis: Axes, ns: list[int], gap: float) -> None:
    """A logarithmic axis with a tick at each n and nowhere else, numbered where there is room."""
    edge = np.exp(
        0.5 * DODGE * gap * 1.1
        if len(ns) == 1
        else max(0.5 * DODGE * gap, 0.05 * np.log(ns[-1] / ns[0]))
    )
    axis.set_xscale("log")
    axis.set_xlim(ns[0] / edge, ns[-1] * edge)
    room = CROWDED * np.log(ns[-1] / ns[0])
    numbers, last = [], -np.inf
    for n in ns:
        fits = np.log(n) - last > room
        numbers.append(str(n) if fits else "")
        last = np.log(n) if fits else last
    axis.xaxis.set_major_locator(FixedLocator(ns))
    axis.xaxis.set_major_formatter(FixedFormatter(numbers))
    axis.xaxis.set_minor_locator(NullLocator())
    axis.grid(axis="y")


def _accuracy_legend(
    means: pd.DataFrame, look: dict[str, Look], chance: float | None, band: str, alone: bool
) -> tuple[list[Artist], list[Artist]]:
    arms: list[Artist] = [
        Line2D(
            [],
            [],
            color=each.colour,
            marker=each.marker,
            linestyle="none" if alone else each.line,
            label=arm,
        )
        for arm, each in look.items()
    ]
    others: list[Artist] = []
    if means["low_percent"].notna().any():
        whisker = Line2D(
            [], [], color=GREY, marker="|", markersize=10, linestyle="none", label=band
        )
        others.append(whisker if alone else Patch(color=GREY, alpha=0.25, linewidth=0, label=band))
    others.append(
        Line2D(
            [],
            [],
            color=GREY,
            marker="o",
            markersize=2.7,
            alpha=0.6,
            linestyle="none",
            label="one fold",
        )
    )
    if chance is not None:
        others.append(
            Line2D(
                [],
                [],
                color=GREY,
                linestyle=":",
                linewidth=1,
                label=f"chance, {PERCENT * chance:.3g} %",
            )
        )
    return arms, others


def _accuracy_alt(means: pd.DataFrame, dataset: str, chance: float | None) -> str:
    told = []
    for model, of_model in means.groupby("model", sort=False):
        arms = [
            f"{arm} {_ends(group.sort_values('n_per_class'))}"
            for arm, group in of_model.groupby("arm", sort=False)
        ]
        told.append(f"{model}: {'; '.join(arms)}.")
    level = "" if chance is None else f" Chance is {PERCENT * chance:.1f} %."
    return f"Mean accuracy on {dataset} over the number of training clips per class n, a panel per model. {' '.join(told)}{level}"


def _ends(of_arm: pd.DataFrame) -> str:
    """The first and the last mean of an arm, in words."""
    told = [
        f"{mean:.1f} % at n = {n}"
        for n, mean in zip(of_arm["n_per_class"], of_arm["mean_percent"], strict=True)
    ]
    return told[0] if len(told) == 1 else f"from {told[0]} to {told[-1]}"


@rc_context(STYLE)
def completeness(grid: pd.DataFrame) -> Drawing:
    """Counts of runs (dataset, model, frontend, n_per_class, finished, wanted) to a map of the share that is finished.

    A combination that has no row, or of which no run is wanted, is hatched.
    """
    if grid.empty:
        raise NoRunsError("figure completeness: no runs are wanted")
    data = grid.assign(
        share=(grid["finished"] / grid["wanted"].where(grid["wanted"] > 0)).astype(float)
    )
    rows = list(dict.fromkeys(data[ROW].itertuples(index=False, name=None)))
    ns = sorted(data["n_per_class"].unique())
    texts = {
        (rows.index(cell[:3]), ns.index(cell[3])): cell[4:]
        for cell in data[GRID].itertuples(index=False, name=None)
    }
    longest = max(len(f"{finished:.0f}/{wanted:.0f}") for finished, wanted, _ in texts.values())
    labels = [" / ".join(map(str, row)) for row in rows]
    cells_wide = max(1.7, len(ns) * (longest * BOLD * CHARACTER + 0.15))
    figure = Figure(
        figsize=(cells_wide + max(map(len, labels)) * CHARACTER + 0.3, 0.19 * len(rows) + 0.6),
        layout="constrained",
    )
    axis = figure.subplots()
    for row in range(len(rows)):
        for column in range(len(ns)):
            _cell(axis, row, column, *texts.get((row, column), (0, 0, np.nan)))
        if row and rows[row][:2] != rows[row - 1][:2]:
            axis.axhline(
                row - 0.5, color="black", linewidth=1.2 if rows[row][0] != rows[row - 1][0] else 0.6
            )
    axis.set(
        xlim=(-0.5, len(ns) - 0.5),
        ylim=(len(rows) - 0.5, -0.5),
        xlabel="n, training clips per class",
    )
    axis.set_xticks(range(len(ns)), ns)
    axis.set_yticks(range(len(rows)), labels)
    axis.xaxis.set_label_position("top")
    axis.tick_params(length=0, top=True, labeltop=True, bottom=False, labelbottom=False)
    axis.spines[:].set_visible(False)
    caption = "Finished runs of those wanted, by dataset, model and frontend; the darker, the more."
    caption += " Bold: some are missing. Hatched: none are wanted."
    return Drawing(
        "completeness", "Finished runs", caption, _completeness_alt(data), settled(figure), data
    )


def _cell(axis: Axes, row: int, column: int, finished: float, wanted: float, share: float) -> None:
    """One rectangle of the map with its counts in black or white, whichever is told apart better."""
    corner = (column - 0.5, row - 0.5)
    if np.isnan(share):
        axis.add_patch(
            Rectangle(
                corner, 1, 1, facecolor="white", edgecolor="#bbbbbb", hatch="////", linewidth=0
            )
        )
        text = axis.text(column, row, "–", ha="center", va="center")
        text.set_bbox({"facecolor": "white", "linewidth": 0, "pad": 1})
        return
    colour = BLUES(DARKEST * share)
    axis.add_patch(Rectangle(corner, 1, 1, facecolor=colour, edgecolor="white", linewidth=0.8))
    light = np.dot(
        [0.2126, 0.7152, 0.0722], np.power(colour[:3], 2.2)
    )  # relative luminance; 0.18 is equally far from both
    ink = "black" if light > 0.18 else "white"
    weight = "normal" if finished >= wanted else "bold"
    axis.text(
        column,
        row,
        f"{finished:.0f}/{wanted:.0f}",
        ha="center",
        va="center",
        color=ink,
        fontweight=weight,
    )


def _completeness_alt(data: pd.DataFrame) -> str:
    wanted = data[data["share"].notna()]
    total = f"{wanted['finished'].sum():.0f} of {wanted['wanted'].sum():.0f} runs are finished"
    whole = f"{(wanted['share'] >= 1).sum()} of {len(wanted)} combinations of dataset, model, frontend and n are complete"
    told = [
        f"{' / '.join(map(str, row))}: {group['finished'].sum():.0f} of {group['wanted'].sum():.0f}"
        for row, group in wanted.groupby(ROW, sort=False)
        if (group["share"] < 1).any()
    ]
    return f"Map of finished runs: {total}; {whole}." + (
        f" Incomplete: {'; '.join(told)}." if told else ""
    )
