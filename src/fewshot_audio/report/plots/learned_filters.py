"""Figures of what was learned of each filter: place, bandwidth, compression."""

from itertools import cycle
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.artist import Artist
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from fewshot_audio.report.plots.responses import AFTER, before_after
from fewshot_audio.report.plots.style import (
    GREY,
    KNOWN,
    SPARE,
    STYLE,
    Drawing,
    Look,
    head,
    is_at_the_left,
    legend_below,
    panels,
    settled,
)
from fewshot_audio.report.text import joined

TICKS = (30, 100, 300, 1000, 3000, 10000)  # Hz, of a logarithmic axis
PLACES = ("centre", "bandwidth")  # of filters, in Hz
PCEN = ("alpha", "delta", "root", "smooth")


@rc_context(STYLE)
def filter_bandwidths(table: pd.DataFrame) -> Drawing:
    """Draw bandwidth against centre before and after training, a panel per network.

    Args:
        table: network, quantity (centre, bandwidth; others are left out), filter, before, after.
    """
    data, wide = _places(table)
    networks = list(wide["network"].unique())
    figure, axes = panels(len(networks), 3, 2.4, sharex=True, sharey=True)
    for axis, (network, each) in zip(axes, wide.groupby("network", sort=False), strict=True):
        x, y = ([each[(name, stage)] for stage in ("before", "after")] for name in PLACES)
        axis.plot(x, y, color=GREY, linewidth=0.5, alpha=0.6)
        axis.plot(x[0], y[0], "o", color=GREY, markersize=3, fillstyle="none", markeredgewidth=0.7)
        axis.plot(x[1], y[1], "o", color=AFTER, markersize=3)
        axis.set_yscale("log")
        _hz(axis.yaxis, np.stack(y))
        axis.set_xscale("log")
        _hz(axis.xaxis, np.stack(x))
        head(axis, network)
        axis.set_xlabel("centre (Hz)")
        if is_at_the_left(axis):
            axis.set_ylabel("bandwidth (Hz)")
    dots: dict[str, Any] = {"marker": "o", "linestyle": "none", "markersize": 3}
    legend_below(figure, before_after({**dots, "fillstyle": "none"}, dots))
    caption = "Bandwidth (full width at half of the largest amplitude) against centre of each "
    caption += "filter, before training (open) and after; lines join the two."
    return Drawing("filter_bandwidths", "Bandwidths", caption, _moved(wide), settled(figure), data)


@rc_context(STYLE)
def filter_compression(table: pd.DataFrame) -> Drawing:
    """Draw what else is learned per filter over its centre: PCEN's parameters, pooling widths.

    Args:
        table: network, quantity, filter, before, after; with the centres.
    """
    centres = table[table["quantity"] == "centre"].set_index(["network", "filter"])["after"]
    data = table[table["quantity"] != "bandwidth"]
    rest = data[data["quantity"] != "centre"]
    quantities = list(rest["quantity"].unique())
    figure, axes = panels(len(quantities), 3, 1.75)
    look = _looks(table["network"])
    for axis, (quantity, rows) in zip(axes, rest.groupby("quantity", sort=False), strict=True):
        for network, each in rows.groupby("network", sort=False):
            ordered = each.assign(x=each["filter"].map(centres[network])).sort_values("x")
            axis.plot(ordered["x"], ordered["before"], color=GREY, linestyle="--", linewidth=1)
            style: dict[str, Any] = {"color": look[network].colour, "marker": look[network].marker}
            axis.plot(ordered["x"], ordered["after"], **style, markersize=2.5, linestyle="none")
        axis.set_xscale("log")
        _hz(axis.xaxis, centres.to_numpy())
        name, _, unit = str(quantity).partition(", ")
        head(axis, f"PCEN {name}" if name in PCEN else f"{name} ({unit})")
        axis.set_xlabel("centre (Hz)")
    handles = before_after({"linestyle": "--"}, {})[:1]
    for network, each in look.items():
        dot = Line2D([], [], color=each.colour, marker=each.marker, label=f"after, {network}")
        dot.set_linestyle("none")
        handles.append(dot)
    legend_below(figure, handles)
    caption = "What is learned of each filter beside its place, by its centre after training: "
    caption += "dashed before training, symbols after."
    alt = f"{joined(quantities)} of {joined(list(look))} by centre."
    title = "Compression and pooling"
    return Drawing("filter_compression", title, caption, alt, settled(figure), data)


@rc_context(STYLE)
def filter_shifts(table: pd.DataFrame) -> Drawing:
    """Draw how far training moved each filter, the networks beside each other.

    Args:
        table: As for `filter_bandwidths`.
    """
    data, wide = _places(table)
    figure, axes = panels(2, 2, 2.3)
    look = _looks(wide["network"])
    handles: list[Artist] = []
    for network, each in wide.groupby("network", sort=False):
        x = each[("centre", "before")]
        shift = {name: each[(name, "after")] - each[(name, "before")] for name in PLACES}
        percent = 100 * shift["bandwidth"] / each[("bandwidth", "before")]
        for axis, y in zip(axes, (shift["centre"], percent), strict=True):
            style: dict[str, Any] = {"color": look[network].colour, "marker": look[network].marker}
            axis.plot(x, y, **style, markersize=3.5, linewidth=0.5)
        handles.append(Line2D([], [], **style, markersize=3.5, linewidth=0.5, label=network))
    for axis, name in zip(axes, ("shift of centre (Hz)", "shift of bandwidth (%)"), strict=True):
        axis.axhline(0, color=GREY, linewidth=0.7)
        axis.set_xscale("log")
        _hz(axis.xaxis, wide[("centre", "before")].to_numpy())
        axis.set(xlabel="centre before training (Hz)", ylabel=name)
    legend_below(figure, handles)
    caption = "What training changed of each filter's centre and bandwidth."
    return Drawing("filter_shifts", "Shifts", caption, _moved(wide), settled(figure), data)


def _hz(side: Any, values: np.ndarray) -> None:
    """Number a logarithmic axis in plain Hz."""
    low, high = np.nanmin(values) / 1.1, np.nanmax(values) * 1.1
    side.set_major_locator(FixedLocator([tick for tick in TICKS if low < tick < high]))
    side.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    side.set_minor_locator(NullLocator())


def _looks(networks: pd.Series) -> dict[str, Look]:
    """Return the looks of networks, whose names tell nothing, in their order."""
    return dict(zip(networks.unique(), cycle([*KNOWN.values(), *SPARE]), strict=False))


def _places(table: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the rows of centres and bandwidths, and these a column each, before and after."""
    data = table[table["quantity"].isin(PLACES)]
    wide = data.pivot(index=["network", "filter"], columns="quantity", values=["before", "after"])
    wide.columns = wide.columns.swaplevel()
    return data, wide.reindex(data["network"].unique(), level="network").reset_index()


def _moved(wide: pd.DataFrame) -> str:
    """Return in words how far filters moved."""
    texts = []
    for network, each in wide.groupby("network", sort=False):
        moved = [(each[(name, "after")] - each[(name, "before")]).abs().median() for name in PLACES]
        texts.append(f"{network}: median shift {moved[0]:.3g} Hz of centres, {moved[1]:.3g} Hz of")
    return " bandwidths; ".join(texts) + " bandwidths."
