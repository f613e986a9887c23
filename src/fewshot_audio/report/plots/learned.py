"""Figure of numbers that a frontend learns, by epoch."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import colormaps, rc_context
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from fewshot_audio.report.plots.names import on
from fewshot_audio.report.plots.style import (
    STYLE,
    Drawing,
    head,
    is_at_the_left,
    legend_below,
    panels,
    same_limits,
    settled,
)
from fewshot_audio.report.records import ROW
from fewshot_audio.report.text import n_text
from fewshot_audio.report.written import written

SINGLE = 10  # runs of an n that are drawn one by one: more would hide each other
PALEST = 0.82  # of VIRIDIS, that is still seen on white
VIRIDIS = colormaps["viridis"]
MEDIAN = "median"
RUN = ["dataset", "model", "frontend", "n_per_class", "fold", "repeat"]
PANEL = [*ROW, "quantity"]

Places = dict[tuple[str, str, str, str], Axes]  # by PANEL


@rc_context(STYLE)
def learned_scalars(histories: pd.DataFrame) -> Drawing:
    """Draw learned numbers by epoch, a panel per dataset, model, frontend and quantity.

    Args:
        histories: dataset, model, frontend, n_per_class, fold, repeat, epoch, quantity, value. The
            median is over the runs that got as far, on straight lines between their epochs.
    """
    ns = sorted(histories["n_per_class"].unique())
    colours = dict(zip(ns, VIRIDIS(np.linspace(0, PALEST, len(ns))), strict=True))
    figure, places = _panels(histories)
    shown, most = [], 0
    for key, of_n in histories.groupby([*PANEL, "n_per_class"], sort=False, observed=True):
        run = of_n.groupby(["fold", "repeat"]).ngroup()
        most = max(most, run.max() + 1)
        chosen = np.linspace(0, run.max(), min(run.max() + 1, SINGLE)).round()
        single, median = of_n[run.isin(chosen)].assign(runs=1), _median(of_n)
        _draw_lines(places[key[:4]], single, median, colours[key[4]])
        names = dict(zip([*PANEL, "n_per_class"], key, strict=True))
        shown += [single, median.assign(**names)]
    for alike in {(key[0], *key[2:]) for key in places}:  # the models' panels of one quantity
        same_limits([axis for key, axis in places.items() if (key[0], *key[2:]) == alike])
    lines = [Line2D([], [], color=colours[n], linewidth=2, label=f"n = {n_text(n)}") for n in ns]
    legend_below(figure, lines)
    data = pd.concat(shown, ignore_index=True)[[*RUN, "epoch", "quantity", "value", "runs"]]
    singles = "single runs" if most <= SINGLE else f"single runs, {SINGLE} of up to {most} per n"
    caption = f"What the frontend learned{on(data)}, by epoch. Bold: median over all runs of an "
    caption += f"n; thin: {singles}."
    alt = _alt(data[data["fold"] == MEDIAN])
    title = f"Learned numbers{on(data)}"
    return Drawing("learned", title, caption, alt, settled(figure), data)


def _panels(histories: pd.DataFrame) -> tuple[Figure, Places]:
    """Return a figure and axes by model, frontend and quantity, in rows of their own."""
    groups = histories.groupby(ROW, sort=False, observed=True)
    rows = [[(*key, name) for name in group["quantity"].unique()] for key, group in groups]
    figure, places = panels_in_rows(rows, 1.45)
    for key, axis in places.items():
        head(axis, key[3])
        if is_at_the_left(axis):
            axis.set_ylabel(written("\n".join(_names(key, histories)[:-1])), fontweight="bold")
    return figure, places


def _names(key: tuple[str, ...], histories: pd.DataFrame) -> tuple[str, ...]:
    """Return a panel's names, the dataset among them where there are several."""
    return key if histories["dataset"].nunique() > 1 else key[1:]


def panels_in_rows(rows: Sequence[Sequence[Any]], height: float) -> tuple[Figure, dict[Any, Axes]]:
    """Return a figure and axes over epochs by their keys, each list of which begins a row."""
    columns = min(4, max(map(len, rows)))
    keys: list[Any] = []
    for row in rows:
        keys += [*row, *[None] * (-len(row) % columns)]
    figure, axes = panels(len(keys), columns, height)
    places = dict(zip(keys, axes, strict=True))
    for key, axis in zip(keys, axes, strict=True):
        if key is None:
            axis.remove()
        axis.set_xlabel("epoch")
        ticks = MaxNLocator(3 if columns > 3 else 5, integer=True, steps=[1, 2, 5, 10])
        axis.xaxis.set_major_locator(ticks)
    return figure, {key: axis for key, axis in places.items() if key is not None}


def on_all_epochs(of_runs: pd.DataFrame) -> pd.DataFrame:
    """Return values by epoch (rows) and run, on straight lines between a run's own epochs."""
    by_run = of_runs.pivot(index="epoch", columns=["fold", "repeat"], values="value")
    return by_run.interpolate(method="index", limit_area="inside")


def _median(of_n: pd.DataFrame) -> pd.DataFrame:
    """Return epoch, value (the median) and runs (how many are behind it)."""
    whole = on_all_epochs(of_n)
    runs = whole.notna().sum(axis=1)
    columns = {"value": whole.median(axis=1), "runs": runs, "fold": MEDIAN, "repeat": MEDIAN}
    return pd.DataFrame(columns).reset_index()


def _draw_lines(axis: Axes, single: pd.DataFrame, median: pd.DataFrame, colour: np.ndarray) -> None:
    ordered = single.sort_values(["fold", "repeat", "epoch"])
    starts = np.flatnonzero(~ordered.duplicated(["fold", "repeat"]))
    points = np.split(ordered[["epoch", "value"]].to_numpy(float), starts[1:])
    lines = LineCollection(points, colors=[colour], linewidths=0.6, alpha=0.35, zorder=1.5)
    axis.add_collection(lines)
    axis.plot(median["epoch"], median["value"], color=colour, linewidth=1.8)


def _alt(medians: pd.DataFrame) -> str:
    text = f"Medians of learned numbers{on(medians)} from the first to the last epoch."
    for key, lines in medians.groupby(PANEL, sort=False, observed=True):
        ordered = lines.sort_values("epoch")
        last = ordered.groupby("n_per_class")["value"].last()
        ends = ", ".join(f"{value:.4g} at n = {n_text(n)}" for n, value in last.items())
        name = written(", ".join(_names(key, medians)))
        text += f" {name}: from {ordered['value'].iloc[0]:.4g} to {ends}."
    return text
