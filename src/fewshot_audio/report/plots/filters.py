"""Figure of what training did to a frontend's filters."""

import pandas as pd
from matplotlib import rc_context
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from fewshot_audio.report.plots.style import (
    GREY,
    STYLE,
    Drawing,
    fitting_scale,
    head,
    legend_below,
    looks,
    panels,
    settled,
)
from fewshot_audio.report.text import joined
from fewshot_audio.report.written import written

BAND = "5th to 95th percentile over runs"


@rc_context(STYLE)
def filters(table: pd.DataFrame) -> Drawing:
    """Draw the filters of one dataset and frontend before and after, a panel per quantity.

    Args:
        table: dataset, model, frontend, quantity, index, before, after, low, high, runs. low and
            high are the 5th and the 95th percentile of after over the runs.
    """
    dataset, frontend = table[["dataset", "frontend"]].iloc[0]
    models = list(table["model"].unique())
    look = looks(models if len(models) > 1 else [frontend])
    colours = dict(zip(models, [each.colour for each in look.values()], strict=True))
    quantities = table["quantity"].unique()
    figure, axes = panels(len(quantities), 3, 1.75)
    for axis, quantity in zip(axes, quantities, strict=True):
        _panel(axis, table[table["quantity"] == quantity].sort_values("index"), colours)
        head(axis, quantity)
    runs = table["runs"].max()
    legend_below(figure, _legend(colours, runs))
    caption = f"Filters of {frontend} before (dashed) and after training with {joined(models)} on "
    caption = f"{written(caption + dataset)}. "
    caption += f"Bands: 5th to 95th percentile over {runs} runs." if runs > 1 else "One run."
    name, title = f"filters_{dataset}_{frontend}", written(f"Filters of {frontend} on {dataset}")
    return Drawing(name, title, caption, f"{title}. {_alt(table)}", settled(figure), table)


def _panel(axis: Axes, of_quantity: pd.DataFrame, colours: dict[str, str]) -> None:
    for model, rows in of_quantity.groupby("model", sort=False):
        x, colour = rows["index"], colours[model]
        axis.fill_between(x, rows["low"], rows["high"], color=colour, alpha=0.25, linewidth=0)
        axis.plot(x, rows["after"], color=colour, linewidth=1.2)
    first = of_quantity[of_quantity["model"] == of_quantity["model"].iloc[0]]  # all begin alike
    axis.plot(first["index"], first["before"], color=GREY, linestyle="--", linewidth=1)
    fitting_scale(axis, of_quantity[["before", "after", "low", "high"]].to_numpy(float))
    axis.set_xlabel("filter")
    axis.xaxis.set_major_locator(MaxNLocator(5, integer=True))


def _legend(colours: dict[str, str], runs: int) -> list[Artist]:
    before = Line2D([], [], color=GREY, linestyle="--", linewidth=1, label="before training")
    handles: list[Artist] = [before]
    for model, colour in colours.items():
        label = f"after, {written(model)}" if len(colours) > 1 else "after training"
        handles.append(Line2D([], [], color=colour, linewidth=1.2, label=label))
    if runs > 1:
        colour = GREY if len(colours) > 1 else next(iter(colours.values()))
        handles.append(Patch(color=colour, alpha=0.25, linewidth=0, label=BAND))
    return handles


def _alt(table: pd.DataFrame) -> str:
    texts = []
    for (model, quantity), rows in table.groupby(["model", "quantity"], sort=False):
        before, after = rows["before"].median(), rows["after"].median()
        moved = rows.loc[(rows["after"] - rows["before"]).abs().idxmax()]
        texts.append(
            f"{written(model)}, {quantity}: median {before:.4g} before and {after:.4g} after "
            f"training; filter {moved['index']} moved most, from {moved['before']:.4g} to "
            f"{moved['after']:.4g}."
        )
    return " ".join(texts)
