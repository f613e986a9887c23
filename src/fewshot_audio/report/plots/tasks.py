"""Figure of several tasks: the metric of each, and what frontends change on average."""

from typing import Any

import pandas as pd
from matplotlib import rc_context
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from fewshot_audio.report.averages import AVERAGE, SHARED
from fewshot_audio.report.multitask import TOGETHER
from fewshot_audio.report.plots.style import (
    GREY,
    STYLE,
    Drawing,
    Look,
    legend_below,
    looks,
    settled,
)
from fewshot_audio.report.text import Measure, minus
from fewshot_audio.report.written import written

WIDTH, ROW, OVER = 5.6, 0.24, 1.1  # inches: of the figure, of a row, of both axes' labels
SPREAD = 0.5  # of a row, over which the frontends of a task are spread
SIZE = 5.5
MEAN = ["dataset", "model", "frontend", "mean", "count"]
DIFFERENCE = ["dataset", "model", "first", "second", "mean", "low", "high", "count", "verdict"]
KINDS = {False: "one task", True: "all tasks"}


@rc_context(STYLE)
def by_task(
    means: pd.DataFrame, differences: pd.DataFrame, measure: Measure, model: str, band: str
) -> Drawing:
    """Draw each task's mean by frontend, and below the average differences with intervals.

    Args:
        means: dataset, frontend, mean; of networks of several tasks the frontend ends in
            `TOGETHER`.
        differences: first, second, mean, low, high, marked: averages over the tasks.
        measure: The metric.
        model: Its name.
        band: What low and high are.
    """
    averages = [name for name in (AVERAGE, SHARED) if name in set(means["dataset"])]
    tasks = [*sorted(set(means["dataset"]) - set(averages)), *averages]
    pairs = [minus(cell.first, cell.second) for cell in differences.itertuples()]
    rows = [list(map(written, each)) for each in (tasks, pairs)]
    height = ROW * sum(map(len, rows)) + OVER
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    axes = figure.subplots(2, 1, height_ratios=[len(each) + 0.5 for each in rows])
    look = looks(_alone(means["frontend"]))
    _means(axes[0], means, tasks, look, measure)
    _differences(axes[1], differences, look, measure)
    points = " (points)" if measure.is_share else ""
    below = measure.axis, f"difference on average over tasks{points}"
    for axis, labels, text in zip(axes, rows, below, strict=True):
        _label(axis, labels, text)
    count = len(tasks) - len(averages)
    axes[0].axhline(count - 0.5, color=GREY, linewidth=0.7)
    for text in axes[0].get_yticklabels()[count:]:
        text.set_fontweight("bold")
    together = means["frontend"].str.endswith(TOGETHER).any()
    legend_below(figure, *_legend(look, together, band.partition(" over ")[0]))
    data = pd.concat([means[MEAN], differences[DIFFERENCE]], ignore_index=True)
    title = f"Tasks, {written(model)}"
    caption, alt = _caption(measure, model, together, band), _alt(means, differences, measure)
    return Drawing("tasks", title, caption, alt, settled(figure), data)


def _label(axis: Axes, rows: list[str], below: str) -> None:
    axis.set_yticks(range(len(rows)), rows)
    axis.set_ylim(len(rows) - 0.4, -0.6)
    axis.tick_params(axis="y", length=0)
    axis.spines["left"].set_visible(False)
    axis.grid(axis="x")
    axis.set_xlabel(below)


def _alone(frontends: pd.Series) -> list[str]:
    return sorted({str(name).removesuffix(TOGETHER) for name in frontends})


def _means(
    axis: Axes, means: pd.DataFrame, tasks: list[str], look: dict[str, Look], measure: Measure
) -> None:
    """Draw a marker for each task and frontend, frontends one below the other."""
    places = {name: place for place, name in enumerate(look)}
    for cell in means.itertuples():
        name = str(cell.frontend).removesuffix(TOGETHER)
        down = SPREAD * ((places[name] + 0.5) / len(places) - 0.5)
        together = cell.frontend != name
        point = _point(look[name], together)
        axis.plot([measure.scale * cell.mean], [tasks.index(cell.dataset) + down], **point)


def _differences(
    axis: Axes, differences: pd.DataFrame, look: dict[str, Look], measure: Measure
) -> None:
    """Draw means and intervals, a row each; filled where a gain or a loss is shown."""
    axis.axvline(0, color="black", linewidth=0.8, zorder=1)
    for row, cell in enumerate(differences.itertuples()):
        colour = look[str(cell.first).removesuffix(TOGETHER)].colour
        low, mean, high = (measure.scale * each for each in (cell.low, cell.mean, cell.high))
        axis.plot([low, high], [row, row], color=colour, linewidth=1.2)
        face = colour if cell.marked else "white"
        axis.plot([mean], [row], "o", color=colour, markerfacecolor=face, markersize=SIZE)


def _point(look: Look, together: bool) -> dict[str, Any]:
    face = "none" if together else look.colour
    size = {"marker": look.marker, "markersize": SIZE, "linestyle": "none"}
    return {**size, "color": look.colour, "markerfacecolor": face}


def _legend(look: dict[str, Look], together: bool, band: str) -> list[list[Artist]]:
    names: list[Artist] = [
        Line2D([], [], **_point(each, together=False), label=written(name))
        for name, each in look.items()
    ]
    grey = Look(GREY, "o", "-")
    kinds: list[Artist] = [
        Line2D([], [], **_point(grey, kind), label=KINDS[kind])
        for kind in (False, True)
        if together
    ]
    return [names, [*kinds, Line2D([], [], color=GREY, linewidth=1.2, label=band)]]


def _caption(measure: Measure, model: str, together: bool, band: str) -> str:
    hollow = ", hollow of networks that learned all tasks together" if together else ""
    return (
        f"{measure.heading} by task, {written(model)}, trained on all clips{hollow}; below, "
        "differences of runs of the same seed, on average over the tasks. "
        f"Whiskers: {band}; filled: a gain or a loss."
    )


def _alt(means: pd.DataFrame, differences: pd.DataFrame, measure: Measure) -> str:
    averages = means[means["dataset"].isin([AVERAGE, SHARED])]
    texts = [
        f"{written(cell.frontend)} {measure.value(cell.mean)}" for cell in averages.itertuples()
    ]
    text = f"{measure.label.capitalize()} by task. Averages: {', '.join(texts)}. Differences: "
    cells = [
        f"{written(minus(cell.first, cell.second))} {measure.difference(cell.mean)}"
        f" {measure.between(cell.low, cell.high)}"
        for cell in differences.itertuples()
    ]
    return f"{text}{'; '.join(cells)}."
