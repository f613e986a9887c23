"""Figure of a metric over the number of training clips per class."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

from fewshot_audio.report.plots.style import (
    GREY,
    STYLE,
    Drawing,
    Look,
    head,
    is_at_the_left,
    legend_below,
    looks,
    only,
    panels,
    settled,
)
from fewshot_audio.report.records import ALL_CLIPS
from fewshot_audio.report.text import Measure, n_text

ROOM = 0.75  # of the points' span, that bands may add to the axis on either side
DODGE = 0.5  # of the gap between neighbouring n that the folds of all frontends spread over
ALONE = 2.0  # that gap where there is one n, as a logarithm
CROWDED = 0.05  # of an axis: ticks closer than this share the first one's number
ALL_BESIDE = 4  # times the largest n, where runs trained on all clips are drawn


@rc_context(STYLE)
def accuracy_by_n(
    cells: pd.DataFrame, by_fold: pd.DataFrame, measure: Measure, chance: float | None, band: str
) -> Drawing:
    """Draw one dataset's means over n, a panel per model.

    Args:
        cells: dataset, model, frontend, n_per_class, mean, low, high, count; low and high are NaN
            where there is no interval.
        by_fold: The means of single folds, with fold in place of low and high.
        measure: The metric.
        chance: Its level for guesses, if it is known.
        band: What low and high are.
    """
    dataset = only(cells, "dataset")
    data = _shown(cells, by_fold, measure, chance)
    means, folds = data[data["fold"] == "all"], data[data["fold"] != "all"]
    models, look = means["model"].unique(), looks(means["frontend"])
    ns = sorted(means["n_per_class"].unique())
    places = dict(zip(ns, _places(ns), strict=True))
    figure, axes = panels(len(models), 3, 2.1 + 0.08 * max(len(look), 3), sharey=True)
    limits = _limits(data, measure)
    for axis, model in zip(axes, models, strict=True):
        of_model = means["model"] == model, folds["model"] == model
        _panel(axis, means[of_model[0]], folds[of_model[1]], look, places)
        if chance is not None:
            axis.axhline(measure.scale * chance, color=GREY, linestyle=":", linewidth=1)
        head(axis, model)
        axis.set(xlabel="n, training clips per class", ylim=limits)
        if is_at_the_left(axis):
            axis.set_ylabel(measure.axis)
    chance_text = "" if chance is None else f"chance, {measure.scale * chance:.3g}"
    chance_text += " %" if chance_text and measure.is_share else ""
    legend_below(figure, *_legend(means, look, chance_text, band))
    title = f"{measure.label.capitalize()} on {dataset}"
    caption = _caption(means, dataset, measure, chance, band, limits)
    alt = _alt(means, dataset, measure, chance)
    return Drawing(f"accuracy_{dataset}", title, caption, alt, settled(figure), data)


def _shown(
    cells: pd.DataFrame, by_fold: pd.DataFrame, measure: Measure, chance: float | None
) -> pd.DataFrame:
    """Return cells (fold "all") and folds, one below the other, as they are drawn."""
    folds = by_fold.assign(fold=by_fold["fold"].astype(str))
    both = pd.concat([cells.assign(fold="all"), folds], ignore_index=True)
    names = both[["dataset", "model", "frontend", "n_per_class", "fold"]]
    numbers = {part: measure.scale * both[part] for part in ("mean", "low", "high")}
    level = np.nan if chance is None else measure.scale * chance
    unit = "%" if measure.is_share else ""
    return names.assign(**numbers, count=both["count"], chance=level, unit=unit)


def _places(ns: list[float]) -> list[float]:
    """Return where each n is drawn; all clips stand at the right of the largest n."""
    finite = [n for n in ns if n != ALL_CLIPS]
    beside = ALL_BESIDE * finite[-1] if finite else 1
    return [beside if n == ALL_CLIPS else n for n in ns]


def _limits(data: pd.DataFrame, measure: Measure) -> tuple[float, float]:
    """Return limits of the axis: all points, and of the bands what leaves the points readable."""
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
    axis: Axes,
    means: pd.DataFrame,
    folds: pd.DataFrame,
    look: dict[str, Look],
    places: dict[float, float],
) -> None:
    """Draw a model's frontends as lines over n, or side by side at the only n, with their folds."""
    ns = list(places.values())
    alone = len(ns) == 1
    gap = ALONE if alone else min(np.log(2), *np.diff(np.log(ns)))
    for place, frontend in enumerate(look):
        of_frontend = means[means["frontend"] == frontend].sort_values("n_per_class")
        x = of_frontend["n_per_class"].map(places)
        shift = np.exp(DODGE * gap * ((place + 0.5) / len(look) - 0.5))
        if alone:
            _error_bar(axis, x * shift, of_frontend, look[frontend])
        else:
            _line(axis, x, of_frontend, look[frontend])
        aside = np.exp(DODGE * gap * min(0.25 / len(look), 0.05)) if alone else 1
        single = folds[folds["frontend"] == frontend]
        x, colour = single["n_per_class"].map(places) * shift * aside, look[frontend].colour
        axis.scatter(x, single["mean"], s=7, color=colour, alpha=0.4, linewidths=0, zorder=1.8)
    _n_axis(axis, places, gap)


def _line(axis: Axes, x: pd.Series, means: pd.DataFrame, look: Look) -> None:
    axis.fill_between(x, means["low"], means["high"], color=look.colour, alpha=0.13, linewidth=0)
    for edge in ("low", "high"):
        axis.plot(x, means[edge], color=look.colour, linestyle=look.line, linewidth=0.4, alpha=0.5)
    axis.plot(x, means["mean"], color=look.colour, marker=look.marker, linestyle=look.line)


def _error_bar(axis: Axes, x: pd.Series, means: pd.DataFrame, look: Look) -> None:
    axis.vlines(x, means["low"], means["high"], color=look.colour, linewidth=1.2)
    style: dict[str, Any] = {
        "color": look.colour,
        "marker": look.marker,
        "linestyle": "none",
        "markersize": 6,
    }
    axis.plot(x, means["mean"], **style)


def _n_axis(axis: Axes, places: dict[float, float], gap: float) -> None:
    """Set a logarithmic axis with a tick at each n, numbered where there is room."""
    ns = list(places.values())
    width = np.log(ns[-1] / ns[0])
    edge = np.exp(0.5 * DODGE * gap * 1.1 if len(ns) == 1 else max(0.5 * DODGE * gap, 0.05 * width))
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
    means: pd.DataFrame, look: dict[str, Look], chance: str, band: str
) -> tuple[list[Artist], list[Artist]]:
    alone = means["n_per_class"].nunique() == 1
    frontends: list[Artist] = []
    for name, each in look.items():
        line = Line2D([], [], color=each.colour, marker=each.marker, label=name)
        line.set_linestyle("none" if alone else each.line)
        frontends.append(line)
    others: list[Artist] = []
    if means["low"].notna().any() and alone:
        others.append(_mark(band, "|", 10))
    elif means["low"].notna().any():
        others.append(Patch(color=GREY, alpha=0.25, linewidth=0, label=band))
    fold = _mark("one fold", "o", 2.7)
    fold.set_alpha(0.6)
    others.append(fold)
    if chance:
        others.append(Line2D([], [], color=GREY, linestyle=":", linewidth=1, label=chance))
    return frontends, others


def _mark(label: str, marker: str, size: float) -> Line2D:
    style: dict[str, Any] = {"color": GREY, "marker": marker, "markersize": size}
    return Line2D([], [], **style, linestyle="none", label=label)


def _caption(
    means: pd.DataFrame,
    dataset: str,
    measure: Measure,
    chance: float | None,
    band: str,
    limits: tuple[float, float],
) -> str:
    caption = f"Mean {measure.label} on {dataset} by number of training clips per class."
    caption += " Faint points are single folds"
    if chance is not None:
        caption += "; dotted: chance"
    if means["low"].notna().any():
        bars = "whiskers" if means["n_per_class"].nunique() == 1 else "bands"
        caption += f"; {bars}: {band}"
    is_cut = (means["low"] < limits[0]) | (means["high"] > limits[1])
    return caption + (", cut where they leave the axis." if is_cut.any() else ".")


def _alt(means: pd.DataFrame, dataset: str, measure: Measure, chance: float | None) -> str:
    text = f"Mean {measure.label} on {dataset} over the number of training clips per class n, "
    text += "a panel per model."
    for model, of_model in means.groupby("model", sort=False, observed=True):
        ends = []
        for frontend, group in of_model.groupby("frontend", sort=False, observed=True):
            ends.append(f"{frontend} {_ends(group.sort_values('n_per_class'), measure)}")
        text += f" {model}: {'; '.join(ends)}."
    if chance is not None:
        text += f" Chance is {_number(measure.scale * chance, measure)}."
    return text


def _ends(means: pd.DataFrame, measure: Measure) -> str:
    """Return the first and the last mean in words."""
    texts = []
    for mean, n in zip(means["mean"], means["n_per_class"], strict=True):
        texts.append(f"{_number(mean, measure)} at n = {n_text(n)}")
    return texts[0] if len(texts) == 1 else f"from {texts[0]} to {texts[-1]}"


def _number(shown: float, measure: Measure) -> str:
    return f"{shown:.1f} %" if measure.is_share else f"{shown:.3g}"
