"""Figure of a metric over the number of training clips per class."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

from fewshot_audio.report.plots.names import fit_beside, name_lines, on, panel_names, short
from fewshot_audio.report.plots.style import (
    GREY,
    STYLE,
    Drawing,
    Look,
    head,
    is_at_the_left,
    legend_below,
    looks,
    panels,
    settled,
)
from fewshot_audio.report.records import ALL_CLIPS
from fewshot_audio.report.text import Measure, n_text
from fewshot_audio.report.written import written

ROOM = 0.75  # of the points' span, that bars may add to the axis on either side
DODGE = 0.25  # of the gap between neighbouring n that all frontends spread over
ALONE = 4.0  # that gap where there is one n, as a logarithm
CROWDED = 0.05  # of an axis: ticks closer than this share the first one's number
ALL_BESIDE = 4  # times the largest n, where runs trained on all clips are drawn
PANEL = ["dataset", "model"]


@rc_context(STYLE)
def accuracy_by_n(
    cells: pd.DataFrame,
    by_fold: pd.DataFrame,
    measure: Measure,
    chance: Mapping[str, float],
    band: str,
) -> Drawing:
    """Draw means over n, a panel per dataset and model.

    Args:
        cells: dataset, model, frontend, n_per_class, mean, low, high, count; low and high are NaN
            where there is no interval.
        by_fold: The means of single folds, with fold in place of low and high.
        measure: The metric.
        chance: Its level for guesses by dataset, where it is known.
        band: What low and high are.
    """
    data = _shown(cells, by_fold, measure, chance)
    means, names = data[data["fold"] == "all"], panel_names(cells, PANEL)
    look, limits = looks(means["frontend"]), _limits_by_dataset(data, measure)
    figure, axes = panels(len(names), 3, 2.1 + 0.08 * max(len(look), 3), sharey=len(limits) == 1)
    for axis, key in zip(axes, names, strict=True):
        own = data[_is(data, key)]
        _panel(axis, own, look, _places(means if len(limits) == 1 else own))
        head(axis, names[key])
        axis.set(xlabel="n, training clips per class", ylim=limits[key[0]])
        if is_at_the_left(axis):
            axis.set_ylabel(measure.axis)
    named = fit_beside(look)
    legend_below(figure, *_legend(means, {} if named else look, band))
    if named:
        name_lines(figure, axes, [means[_is(means, key)] for key in names], look)
    ns = cells["n_per_class"].unique()
    over = "over n" if len(ns) > 1 else f"at n = {n_text(ns[0])}"
    title = f"{measure.label.capitalize()} {over}{on(cells)}"
    texts = title, _caption(means, measure, band, limits), _alt(means, measure)
    return Drawing("accuracy", *texts, settled(figure), data)


def _is(data: pd.DataFrame, key: tuple) -> pd.Series:
    return (data["dataset"] == key[0]) & (data["model"] == key[1])


def _has_lines(means: pd.DataFrame) -> bool:
    """Whether every panel has several n, so that lines are drawn."""
    return bool((means.groupby(PANEL)["n_per_class"].nunique() > 1).all())


def _shown(
    cells: pd.DataFrame, by_fold: pd.DataFrame, measure: Measure, chance: Mapping[str, float]
) -> pd.DataFrame:
    """Return cells (fold "all") and folds, one below the other, as they are drawn."""
    folds = by_fold.assign(fold=by_fold["fold"].astype(str))
    both = pd.concat([cells.assign(fold="all"), folds], ignore_index=True)
    names = both[["dataset", "model", "frontend", "n_per_class", "fold"]]
    numbers = {part: measure.scale * both[part] for part in ("mean", "low", "high")}
    level = measure.scale * both["dataset"].astype(str).map(chance).astype(float)
    unit = "%" if measure.is_share else ""
    return names.assign(**numbers, count=both["count"], chance=level, unit=unit)


def _places(means: pd.DataFrame) -> dict[float, float]:
    """Return where each n is drawn; all clips stand at the right of the largest n."""
    ns = sorted(means["n_per_class"].unique())
    finite = [n for n in ns if n != ALL_CLIPS]
    beside = ALL_BESIDE * finite[-1] if finite else 1
    return {n: beside if n == ALL_CLIPS else n for n in ns}


def _limits_by_dataset(data: pd.DataFrame, measure: Measure) -> dict[str, tuple[float, float]]:
    groups = data.groupby("dataset", sort=False)
    return {str(dataset): _limits(group, measure) for dataset, group in groups}


def _limits(data: pd.DataFrame, measure: Measure) -> tuple[float, float]:
    """Return limits of the axis: all points, and of the bars what leaves the points readable."""
    points = data[["mean", "chance"]].to_numpy()
    bottom, top = np.nanmin(points), np.nanmax(points)
    least = 4 if measure.is_share else 0.04
    room = ROOM * max(top - bottom, least)
    bottom = np.fmax(np.fmin(data["low"].min(), bottom), bottom - room)
    top = np.fmin(np.fmax(data["high"].max(), top), top + room)
    edge = max(0.04 * (top - bottom) + least / 20, least / 2 - (top - bottom) / 2)
    if measure.is_share:
        return max(0, bottom - edge), min(measure.scale, top + edge)
    return bottom - edge, top + edge


def _panel(
    axis: Axes, data: pd.DataFrame, look: dict[str, Look], places: dict[float, float]
) -> None:
    """Draw frontends as lines over n, or side by side at the only n, with bars and folds."""
    ns = list(places.values())
    alone = len(ns) == 1
    gap = ALONE if alone else min(np.log(2), *np.diff(np.log(ns)))
    for place, frontend in enumerate(look):
        own, colour = data[data["frontend"] == frontend], look[frontend].colour
        shift = np.exp(DODGE * gap * ((place + 0.5) / len(look) - 0.5))
        means = own[own["fold"] == "all"].sort_values("n_per_class")
        x = means["n_per_class"].map(places) * shift
        axis.vlines(x, means["low"], means["high"], color=colour, linewidth=0.9)
        style: dict[str, Any] = {"color": colour, "marker": look[frontend].marker}
        line = "none" if alone else look[frontend].line
        axis.plot(x, means["mean"], **style, linestyle=line)
        folds = own[own["fold"] != "all"]
        aside = np.exp(DODGE * gap * min(0.25 / len(look), 0.05)) if alone else 1
        x = folds["n_per_class"].map(places) * shift * aside
        axis.scatter(x, folds["mean"], s=7, color=colour, alpha=0.4, linewidths=0, zorder=1.8)
    if data["chance"].notna().any():
        axis.axhline(data["chance"].iloc[0], color=GREY, linestyle=":", linewidth=1)
    _n_axis(axis, places, gap)


def _n_axis(axis: Axes, places: dict[float, float], gap: float) -> None:
    """Set a logarithmic axis with a tick at each n, numbered where there is room."""
    ns = list(places.values())
    width = np.log(ns[-1] / ns[0])
    edge = np.exp(0.5 * DODGE * gap * 1.1 if len(ns) == 1 else 0.6 * DODGE * gap + 0.06 * width)
    axis.set_xscale("log")
    axis.set_xlim(ns[0] / edge, ns[-1] * edge)
    numbers, last = [], -np.inf
    for n, place in places.items():
        fits = np.log(place) - last > CROWDED * width
        numbers.append(n_text(n) if fits else "")
        last = np.log(place) if fits else last
    axis.xaxis.set_major_locator(FixedLocator(ns))
    axis.xaxis.set_major_formatter(FixedFormatter(numbers))
    axis.xaxis.set_minor_locator(NullLocator())
    axis.grid(axis="y")


def _legend(
    means: pd.DataFrame, look: dict[str, Look], band: str
) -> tuple[list[Artist], list[Artist]]:
    alone = not _has_lines(means)
    frontends: list[Artist] = []
    for name, each in look.items():
        line = Line2D([], [], color=each.colour, marker=each.marker, label=written(name))
        line.set_linestyle("none" if alone else each.line)
        frontends.append(line)
    others: list[Artist] = []
    if means["low"].notna().any():
        others.append(_mark(short(band), "|", 10))
    fold = _mark("one fold", "o", 2.7)
    fold.set_alpha(0.6)
    others.append(fold)
    levels = means["chance"].dropna().unique()
    if len(levels):
        unit = " %" if means["unit"].iloc[0] else ""
        level = f"chance, {levels[0]:.3g}{unit}" if len(levels) == 1 else "chance"
        others.append(Line2D([], [], color=GREY, linestyle=":", linewidth=1, label=level))
    return frontends, others


def _mark(label: str, marker: str, size: float) -> Line2D:
    style: dict[str, Any] = {"color": GREY, "marker": marker, "markersize": size}
    return Line2D([], [], **style, linestyle="none", label=label)


def _caption(
    means: pd.DataFrame, measure: Measure, band: str, limits: dict[str, tuple[float, float]]
) -> str:
    caption = f"Mean {measure.label}{on(means)} by number of training clips per class."
    caption += " Faint points are single folds"
    if means["chance"].notna().any():
        caption += "; dotted: chance"
    if means["low"].notna().any():
        caption += f"; bars: {band}"
    ends = means["dataset"].astype(str).map(limits)
    is_cut = (means["low"] < ends.str[0]) | (means["high"] > ends.str[1])
    return caption + (", cut where they leave the axis." if is_cut.any() else ".")


def _alt(means: pd.DataFrame, measure: Measure) -> str:
    text = f"Mean {measure.label}{on(means)} over the number of training clips per class n."
    names = panel_names(means, PANEL)
    for key, name in names.items():
        ends = []
        for frontend, group in means[_is(means, key)].groupby("frontend", sort=False):
            ends.append(f"{written(frontend)} {_ends(group.sort_values('n_per_class'), measure)}")
        text += f" {name}: {'; '.join(ends)}."
    for dataset, level in means.dropna(subset="chance").groupby("dataset")["chance"]:
        where = f" on {written(dataset)}" if means["dataset"].nunique() > 1 else ""
        text += f" Chance{where} is {_number(level.iloc[0], measure)}."
    return text


def _ends(means: pd.DataFrame, measure: Measure) -> str:
    """Return the first and the last mean in words."""
    texts = []
    for mean, n in zip(means["mean"], means["n_per_class"], strict=True):
        texts.append(f"{_number(mean, measure)} at n = {n_text(n)}")
    return texts[0] if len(texts) == 1 else f"from {texts[0]} to {texts[-1]}"


def _number(shown: float, measure: Measure) -> str:
    return f"{shown:.1f} %" if measure.is_share else f"{shown:.3g}"
