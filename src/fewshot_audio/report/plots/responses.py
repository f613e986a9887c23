"""Figures of filters of trained networks in time and in frequency."""

import textwrap
from typing import Any

import pandas as pd
from matplotlib import rc_context
from matplotlib.artist import Artist
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from fewshot_audio.report.plots.style import (
    GREY,
    STYLE,
    WIDTH,
    Drawing,
    head,
    is_at_the_left,
    legend_below,
    panels,
    settled,
)
from fewshot_audio.report.text import joined

AFTER = "#0072B2"  # colour of what is after training
DECIBELS = 40  # below the peak, that frequency responses are drawn to


@rc_context(STYLE)
def impulse_responses(table: pd.DataFrame) -> Drawing:
    """Draw some filters in time, a row per network.

    Args:
        table: network, filter, centre (Hz), ms, before, after.
    """
    networks, filters = list(table["network"].unique()), sorted(table["filter"].unique())
    figure = Figure(figsize=(WIDTH, 0.4 + 1.5 * len(networks)), layout="constrained")
    axes = figure.subplots(len(networks), len(filters), squeeze=False, sharex=True)
    for (network, rows), line in zip(table.groupby("network", sort=False), axes, strict=True):
        for axis, (_, each) in zip(line, rows.groupby("filter"), strict=True):
            above = 2.2 * each[["before", "after"]].abs().max().max()
            axis.plot(each["ms"], above + each["before"], color=GREY, linewidth=0.8)
            axis.plot(each["ms"], each["after"], color=AFTER, linewidth=0.8)
            axis.set_title(f"{each['centre'].iloc[0]:.0f} Hz", fontsize=8)
            axis.set(yticks=[], xlim=(each["ms"].min(), each["ms"].max()))
        line[0].set_ylabel(textwrap.fill(str(network), 18))
    for axis in axes[-1]:
        axis.set_xlabel("time (ms)")
    legend_below(figure, before_after({}, {}))
    caption = "Impulse responses (real parts) of some filters of each network, ordered by centre, "
    caption += "before training (above, grey) and after; headings are centres after training."
    alt = f"Impulse responses of {len(filters)} filters of {joined(networks)}."
    return Drawing("impulse_responses", "Filters in time", caption, alt, settled(figure), table)


@rc_context(STYLE)
def frequency_responses(table: pd.DataFrame) -> Drawing:
    """Draw all filters in frequency, ordered by centre, a panel per network and stage.

    Args:
        table: network, stage, filter, then dB below the filter's peak, a column per Hz.
    """
    parts = list(table.groupby(["network", "stage"], sort=False))
    figure, axes = panels(len(parts), 4 if len(parts) == 4 else 2, 2.2, sharey=True)
    image: Any = None
    for axis, ((network, stage), rows) in zip(axes, parts, strict=True):
        values = rows.drop(columns=["network", "stage", "filter"])
        hz = values.columns.astype(float)
        extent = (0, (hz[-1] + hz[1]) / 1000, -0.5, len(rows) - 0.5)
        image = axis.imshow(values, origin="lower", aspect="auto", extent=extent, cmap="magma")
        image.set(interpolation="nearest", clim=(-DECIBELS, 0))
        head(axis, f"{network}, {stage}")
        axis.set_xlabel("frequency (kHz)")
        axis.spines[:].set_visible(False)
        if is_at_the_left(axis):
            axis.set_ylabel("filter, by centre")
    bar = figure.colorbar(image, ax=axes, location="right", aspect=30, pad=0.02)
    bar.set_label("dB below the filter's peak")
    bar.outline.set_linewidth(0.5)
    caption = (
        "Frequency responses of all filters before and after training, ordered by their centres."
    )
    names = joined([f"{network} {stage} training" for (network, stage), _ in parts])
    alt = f"Frequency responses of {names}."
    return Drawing(
        "frequency_responses", "Filters in frequency", caption, alt, settled(figure), table
    )


def before_after(before: dict[str, Any], after: dict[str, Any]) -> list[Artist]:
    """Return a legend of what was before and after training."""
    return [
        Line2D([], [], **{"color": GREY, "label": "before training", **before}),
        Line2D([], [], **{"color": AFTER, "label": "after training", **after}),
    ]
