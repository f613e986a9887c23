"""Figure of which runs are finished."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib import colormaps, rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from fewshot_audio.report.plots.style import CHARACTER, STYLE, Drawing, settled
from fewshot_audio.report.text import n_text
from fewshot_audio.types import NoRunsError

BLUES = colormaps["Blues"]
BOLD = 1.12  # width of bold beside plain text
DARKEST = 0.85  # of BLUES, for all runs finished
ROW = ["dataset", "model", "frontend"]
LUMINANCE = [0.2126, 0.7152, 0.0722]  # of red, green, blue


@rc_context(STYLE)
def completeness(grid: pd.DataFrame) -> Drawing:
    """Draw a map of the share of runs that are finished.

    Args:
        grid: Counts of runs: dataset, model, frontend, n_per_class, finished, planned. A
            combination that has no row, or of which no run is planned, is hatched.
    """
    if grid.empty:
        raise NoRunsError("figure completeness: no runs are planned")
    planned = grid["planned"].where(grid["planned"] > 0)
    data = grid.assign(share=(grid["finished"] / planned).astype(float))
    rows = list(dict.fromkeys(data[ROW].itertuples(index=False, name=None)))
    ns = sorted(data["n_per_class"].unique())
    figure, axis = _axes(data, rows, ns)
    cells = {
        (*cell[:3], cell[3]): cell[4:]
        for cell in data[[*ROW, "n_per_class", "finished", "planned", "share"]].itertuples(
            index=False, name=None
        )
    }
    for place, row in enumerate(rows):
        for column, n in enumerate(ns):
            _cell(axis, place, column, *cells.get((*row, n), (0, 0, np.nan)))
        if place and row[:2] != rows[place - 1][:2]:
            width = 1.2 if row[0] != rows[place - 1][0] else 0.6
            axis.axhline(place - 0.5, color="black", linewidth=width)
    caption = "Finished runs of those planned, by dataset, model and frontend; the darker, the "
    caption += "more. Bold: some are missing. Hatched: none are planned."
    alt = _alt(data)
    return Drawing("completeness", "Finished runs", caption, alt, settled(figure), data)


def _axes(data: pd.DataFrame, rows: list[tuple[str, ...]], ns: list[float]) -> tuple[Figure, Axes]:
    """Return a figure and its axes with a label for each row and n."""
    longest = max(len(f"{a:.0f}/{b:.0f}") for a, b in data[["finished", "planned"]].to_numpy())
    labels = [" / ".join(map(str, row)) for row in rows]
    width = max(1.7, len(ns) * (longest * BOLD * CHARACTER + 0.15))
    width += max(map(len, labels)) * CHARACTER + 0.3
    figure = Figure(figsize=(width, 0.19 * len(rows) + 0.6), layout="constrained")
    axis = figure.subplots()
    axis.set(
        xlim=(-0.5, len(ns) - 0.5),
        ylim=(len(rows) - 0.5, -0.5),
        xlabel="n, training clips per class",
    )
    axis.set_xticks(range(len(ns)), [n_text(n) for n in ns])
    axis.set_yticks(range(len(rows)), labels)
    axis.xaxis.set_label_position("top")
    axis.tick_params(length=0, top=True, labeltop=True, bottom=False, labelbottom=False)
    axis.spines[:].set_visible(False)
    return figure, axis


def _cell(axis: Axes, row: int, column: int, finished: float, planned: float, share: float) -> None:
    """Draw one rectangle with its counts in black or white, whichever is told apart better."""
    corner = (column - 0.5, row - 0.5)
    if np.isnan(share):
        style: dict[str, Any] = {
            "facecolor": "white",
            "edgecolor": "#bbbbbb",
            "hatch": "////",
            "linewidth": 0,
        }
        axis.add_patch(Rectangle(corner, 1, 1, **style))
        text = axis.text(column, row, "–", ha="center", va="center")
        text.set_bbox({"facecolor": "white", "linewidth": 0, "pad": 1})
        return
    colour = BLUES(DARKEST * share)
    axis.add_patch(Rectangle(corner, 1, 1, facecolor=colour, edgecolor="white", linewidth=0.8))
    light = np.dot(LUMINANCE, np.power(colour[:3], 2.2))  # 0.18 is equally far from both
    ink: dict[str, Any] = {
        "color": "black" if light > 0.18 else "white",
        "fontweight": "normal" if finished >= planned else "bold",
    }
    axis.text(column, row, f"{finished:.0f}/{planned:.0f}", ha="center", va="center", **ink)


def _alt(data: pd.DataFrame) -> str:
    planned = data[data["share"].notna()]
    total = f"{planned['finished'].sum():.0f} of {planned['planned'].sum():.0f} runs are finished"
    whole = f"{(planned['share'] >= 1).sum()} of {len(planned)} combinations of dataset, model, "
    text = f"Map of finished runs: {total}; {whole}frontend and n are complete."
    incomplete = []
    for row, group in planned.groupby(ROW, sort=False, observed=True):
        if (group["share"] < 1).any():
            counts = f"{group['finished'].sum():.0f} of {group['planned'].sum():.0f}"
            incomplete.append(f"{' / '.join(map(str, row))}: {counts}")
    return text + (f" Incomplete: {'; '.join(incomplete)}." if incomplete else "")
