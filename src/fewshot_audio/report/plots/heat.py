"""Figure of paired differences by model and n, as a map."""

import numpy as np
import pandas as pd
from matplotlib import colormaps, rc_context
from matplotlib.axes import Axes
from matplotlib.image import AxesImage

from fewshot_audio.report.plots.names import on, panel_names
from fewshot_audio.report.plots.style import STYLE, Drawing, head, panels, settled
from fewshot_audio.report.text import Measure, minus, n_text
from fewshot_audio.report.written import written

ROW = ["dataset", "model"]
COLOURS = colormaps["PuOr_r"]  # is told apart by colour-blind people too
PALE = 0.62  # of the largest difference that has black numbers


@rc_context(STYLE)
def heat(cells: pd.DataFrame, measure: Measure) -> Drawing:
    """Draw differences as a map of model by n, a panel per pair.

    Args:
        cells: dataset, model, first, second, n_per_class, mean, marked.
        measure: The metric.
    """
    text = [measure.difference(mean) for mean in cells["mean"]]
    data = cells.assign(mean=measure.scale * cells["mean"], text=text)
    rows, ns = panel_names(data, ROW), sorted(data["n_per_class"].unique())
    pairs = list(dict.fromkeys(zip(data["first"], data["second"], strict=True)))
    largest = data["mean"].abs().max() or 1.0
    figure, axes = panels(len(pairs), 2, 0.75 + 0.22 * len(rows), sharey=True)
    for axis, (first, second) in zip(axes, pairs, strict=True):
        own = data[(data["first"] == first) & (data["second"] == second)]
        image = _map(axis, own, list(rows), ns, largest)
        axis.set_xticks(range(len(ns)), [n_text(n) for n in ns])
        axis.set_yticks(range(len(rows)), list(rows.values()))
        axis.tick_params(length=0)
        axis.spines[:].set_visible(False)
        head(axis, written(minus(first, second)))
        axis.set_xlabel("n, training clips per class")
    bar = figure.colorbar(image, ax=axes, location="right", fraction=0.03, aspect=20)
    unit = "points" if measure.is_share else "difference"
    bar.set_label(unit)
    bar.outline.set_linewidth(0.5)
    caption = f"Mean paired difference in {measure.label}{on(data)}{measure.points} by model and n."
    caption += " Bold: not zero, as in the tables of differences."
    title = f"Differences by model and n{on(data)}"
    ends = data["mean"].min(), data["mean"].max()
    alt = f"{title}: {len(data)} means from {ends[0]:+.3g} to {ends[1]:+.3g}."
    return Drawing("heat", title, caption, alt, settled(figure), data, is_table=True)


def _map(
    axis: Axes, own: pd.DataFrame, rows: list[tuple], ns: list[float], largest: float
) -> AxesImage:
    """Draw a pair's means with their numbers, and return the image."""
    values = np.full((len(rows), len(ns)), np.nan)
    for cell in own.itertuples():
        place = rows.index((cell.dataset, cell.model)), ns.index(cell.n_per_class)
        values[place] = cell.mean
        ink = "white" if abs(cell.mean) > PALE * largest else "black"
        weight = "bold" if cell.marked else "normal"
        axis.text(*place[::-1], cell.text, ha="center", va="center", color=ink, fontweight=weight)
    return axis.imshow(values, cmap=COLOURS, vmin=-largest, vmax=largest, aspect="auto")
