"""Figure of what runs record by epoch: losses, metrics, learned numbers."""

from collections.abc import Sequence
from typing import Any

import pandas as pd
from matplotlib import rc_context
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from fewshot_audio.report.plots.names import panel_names
from fewshot_audio.report.plots.style import (
    GREY,
    STYLE,
    Drawing,
    Look,
    fitting_scale,
    head,
    is_at_the_left,
    legend_below,
    looks,
    panels,
    same_limits,
    settled,
)
from fewshot_audio.report.text import Measure, n_text
from fewshot_audio.report.written import written

LINE = ["dataset", "model", "frontend", "n_per_class"]
STAGES = ("train", "valid")  # begin the names of metrics; other quantities are no shares
BAND = "middle half of the runs"
ROW = ["dataset", "model"]
PANEL = [*ROW, "quantity", "n_per_class"]

Places = dict[tuple[str, str, str, float], Axes]  # by PANEL


@rc_context(STYLE)
def by_epoch(histories: pd.DataFrame, name: str, title: str) -> Drawing:
    """Draw quantities by epoch, a panel per dataset, model, quantity and n.

    Args:
        histories: dataset, model, frontend, n_per_class, fold, repeat, epoch, quantity, value.
            Medians are over the runs that got as far, on straight lines between their epochs.
        name: Of the figure's files.
        title: Its heading, but for the dataset and the models.
    """
    data = _quartiles(histories)
    look = looks(data["frontend"])
    figure, places = _panels(data)
    for key, lines in data.groupby([*PANEL, "frontend"], sort=False):
        _draw(places[key[:4]], lines, look[key[4]])
    for alike_key, lines in data.groupby([*ROW, "quantity"], sort=False):
        alike = [axis for key, axis in places.items() if key[:3] == alike_key]
        if (lines["unit"] == "").all():
            for axis in alike:
                fitting_scale(axis, lines[["median", "low", "high"]].to_numpy(float))
        same_limits(alike)
    has_band = (data["runs"] > 1).any()
    legend_below(figure, *_legend(look, has_band))
    quantities = " and ".join(data["quantity"].unique())
    of = ", ".join(panel_names(data, ROW).values())
    caption = f"{quantities[:1].upper()}{quantities[1:]} by epoch. "
    caption += f"Lines: median of the runs that got as far. Bands: {BAND}." if has_band else ""
    title = f"{title}, {of}"
    alt = f"{title}. {_alt(data)}"
    return Drawing(name, title, caption.strip(), alt, settled(figure), data)


def _quartiles(histories: pd.DataFrame) -> pd.DataFrame:
    """Return median, low and high (quartiles) and runs by epoch, as they are shown."""
    parts = []
    for quantity, of_quantity in histories.groupby("quantity", sort=False):
        stage, _, metric = str(quantity).partition(" ")
        values = of_quantity["value"]
        measure = Measure.of(metric, values) if stage in STAGES else Measure(stage, False)
        for key, lines in of_quantity.groupby(LINE):
            whole = measure.scale * on_all_epochs(lines)
            quartiles = whole.quantile([0.25, 0.5, 0.75], axis=1).T
            quartiles.columns = pd.Index(["low", "median", "high"])
            names = {"quantity": quantity, "unit": "%" if measure.is_share else ""}
            names |= dict(zip(LINE, key, strict=True))
            parts.append(quartiles.assign(runs=whole.notna().sum(axis=1), **names).reset_index())
    ends = ["epoch", "quantity", "median", "low", "high", "runs", "unit"]
    return pd.concat(parts, ignore_index=True)[[*LINE, *ends]]


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


def _panels(data: pd.DataFrame) -> tuple[Figure, Places]:
    """Return a figure and axes; of each dataset and model, a quantity begins a row."""
    keys = data[PANEL].drop_duplicates().sort_values("n_per_class", kind="stable")
    alone = keys["n_per_class"].nunique() == 1
    by = ROW if alone else [*ROW, "quantity"]
    names, units = panel_names(keys, ROW), dict(zip(data["quantity"], data["unit"], strict=True))
    rows = [
        list(group.itertuples(index=False, name=None)) for _, group in keys.groupby(by, sort=False)
    ]
    figure, places = panels_in_rows(rows, 1.7)
    for key, axis in places.items():
        where = f"{names[key[:2]]}, " if len(names) > 1 else ""
        head(axis, f"{where}n = {n_text(key[3])}")
        if is_at_the_left(axis) or alone:
            unit = units[key[2]]
            axis.set_ylabel(f"{key[2]} ({unit})" if unit else key[2])
    return figure, places


def _draw(axis: Axes, lines: pd.DataFrame, look: Look) -> None:
    if (lines["runs"] > 1).any():
        low, high = lines["low"], lines["high"]
        axis.fill_between(lines["epoch"], low, high, color=look.colour, alpha=0.13, linewidth=0)
    axis.plot(lines["epoch"], lines["median"], color=look.colour, linestyle=look.line)


def _legend(look: dict[str, Look], has_band: bool) -> tuple[list[Artist], list[Artist]]:
    frontends: list[Artist] = [
        Line2D([], [], color=each.colour, linestyle=each.line, label=written(name))
        for name, each in look.items()
    ]
    return frontends, [Patch(color=GREY, alpha=0.25, linewidth=0, label=BAND)] if has_band else []


def _alt(data: pd.DataFrame) -> str:
    texts = []
    names = panel_names(data, ROW)
    for key, panel in data.groupby(PANEL, sort=False):
        ends = []
        for frontend, lines in panel.groupby("frontend", sort=False):
            first, last = lines.iloc[0], lines.iloc[-1]
            ends.append(f"{written(frontend)} from {first['median']:.3g} to {last['median']:.3g}")
        where = f"{names[key[:2]]}, " if len(names) > 1 else ""
        texts.append(f"{where}Median {key[2]} at n = {n_text(key[3])}: {', '.join(ends)}.")
    return " ".join(texts)
