"""Figure of losses and metrics by epoch of training."""

import pandas as pd
from matplotlib import rc_context
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from fewshot_audio.report.plots.learned import on_all_epochs, panels_in_rows
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
    only,
    same_limits,
    settled,
)
from fewshot_audio.report.text import Measure, n_text

BAND = "middle half of the runs"
PANEL = ["quantity", "n_per_class"]

Places = dict[tuple[str, float], Axes]  # by PANEL


@rc_context(STYLE)
def learning_curves(histories: pd.DataFrame) -> Drawing:
    """Draw the learning curves of one dataset and model, a panel per quantity and n.

    Args:
        histories: dataset, model, frontend, n_per_class, fold, repeat, epoch, quantity, value.
            Medians are over the runs that got as far, on straight lines between their epochs.
    """
    dataset, model = only(histories, "dataset"), only(histories, "model")
    data = _quartiles(histories)
    look = looks(data["frontend"])
    figure, places = _panels(data)
    for key, lines in data.groupby([*PANEL, "frontend"], sort=False, observed=True):
        _draw(places[key[:2]], lines, look[key[2]])
    for quantity, lines in data.groupby("quantity", sort=False):
        alike = [axis for key, axis in places.items() if key[0] == quantity]
        if (lines["unit"] == "").all():
            for axis in alike:
                fitting_scale(axis, lines[["median", "low", "high"]].to_numpy(float))
        same_limits(alike)
    has_band = (data["runs"] > 1).any()
    legend_below(figure, *_legend(look, has_band))
    quantities = " and ".join(data["quantity"].unique())
    caption = f"{quantities[:1].upper()}{quantities[1:]} of {model} on {dataset}, by epoch. "
    caption += f"Lines: median of the runs that got as far. Bands: {BAND}." if has_band else ""
    name, title = f"curves_{dataset}_{model}", f"Learning curves, {model} on {dataset}"
    alt = f"{title}. {_alt(data)}"
    return Drawing(name.replace(" / ", "_"), title, caption.strip(), alt, settled(figure), data)


def _quartiles(histories: pd.DataFrame) -> pd.DataFrame:
    """Return median, low and high (quartiles) and runs by epoch, as they are shown."""
    parts = []
    for quantity, of_quantity in histories.groupby("quantity", sort=False):
        measure = Measure.of(str(quantity).split()[-1], of_quantity["value"])
        for key, lines in of_quantity.groupby(["frontend", "n_per_class"], observed=True):
            whole = measure.scale * on_all_epochs(lines)
            quartiles = whole.quantile([0.25, 0.5, 0.75], axis=1).T
            quartiles.columns = pd.Index(["low", "median", "high"])
            names = {"quantity": quantity, "unit": "%" if measure.is_share else ""}
            names |= {"frontend": key[0], "n_per_class": key[1]}
            parts.append(quartiles.assign(runs=whole.notna().sum(axis=1), **names).reset_index())
    data = pd.concat(parts, ignore_index=True)
    for column in ("model", "dataset"):
        data.insert(0, column, only(histories, column))
    ends = ["epoch", "quantity", "median", "low", "high", "runs", "unit"]
    return data[["dataset", "model", "frontend", "n_per_class", *ends]]


def _panels(data: pd.DataFrame) -> tuple[Figure, Places]:
    """Return a figure and axes by quantity and n; a quantity begins a row if there are several."""
    ns, quantities = sorted(data["n_per_class"].unique()), list(data["quantity"].unique())
    rows = [[(quantity, n) for n in ns] for quantity in quantities]
    if len(ns) == 1:
        rows = [[(quantity, ns[0]) for quantity in quantities]]
    figure, places = panels_in_rows(rows, 1.7)
    for (quantity, n), axis in places.items():
        head(axis, f"n = {n_text(n)}")
        if is_at_the_left(axis) or len(ns) == 1:
            unit = data.loc[data["quantity"] == quantity, "unit"].iloc[0]
            axis.set_ylabel(f"{quantity} ({unit})" if unit else quantity)
    return figure, places


def _draw(axis: Axes, lines: pd.DataFrame, look: Look) -> None:
    if (lines["runs"] > 1).any():
        low, high = lines["low"], lines["high"]
        axis.fill_between(lines["epoch"], low, high, color=look.colour, alpha=0.13, linewidth=0)
    axis.plot(lines["epoch"], lines["median"], color=look.colour, linestyle=look.line)


def _legend(look: dict[str, Look], has_band: bool) -> tuple[list[Artist], list[Artist]]:
    frontends: list[Artist] = [
        Line2D([], [], color=each.colour, linestyle=each.line, label=name)
        for name, each in look.items()
    ]
    return frontends, [Patch(color=GREY, alpha=0.25, linewidth=0, label=BAND)] if has_band else []


def _alt(data: pd.DataFrame) -> str:
    texts = []
    for (quantity, n), panel in data.groupby(PANEL, sort=False, observed=True):
        ends = []
        for frontend, lines in panel.groupby("frontend", sort=False, observed=True):
            first, last = lines.iloc[0], lines.iloc[-1]
            ends.append(f"{frontend} from {first['median']:.3g} to {last['median']:.3g}")
        texts.append(f"Median {quantity} at n = {n_text(n)}: {', '.join(ends)}.")
    return " ".join(texts)
