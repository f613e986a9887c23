"""Figures of what frontends learn and of the maps that they make."""

import numpy as np
import pandas as pd
from matplotlib import colormaps, rc_context
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from fewshot_audio.report.drawing import (
    GREY,
    STYLE,
    Drawing,
    head,
    legend_below,
    looks,
    only,
    panels,
    settled,
)
from fewshot_audio.types import NoRunsError

SINGLE = 30  # runs of an n that are drawn one by one: more would hide each other
PALEST = 0.82  # of VIRIDIS, that is still seen on white
VIRIDIS = colormaps["viridis"]
WIDE = 20  # ratio of the largest to the smallest value from which a logarithmic axis serves better
MEDIAN = "median"

Places = dict[tuple[str, str, str], Axes]  # model, frontend, quantity


@rc_context(STYLE)
def learned_scalars(paths: pd.DataFrame) -> Drawing:
    """One dataset's learned numbers by epoch to their paths, a panel per model, frontend and quantity, coloured by n.

    Paths: dataset, model, frontend, n_per_class, fold, repeat, epoch, quantity, value. The median is over the runs that got as
    far, between the epochs that they kept on straight lines.
    """
    dataset = only(paths, "dataset")
    ns = sorted(paths["n_per_class"].unique())
    colours = dict(zip(ns, VIRIDIS(np.linspace(0, PALEST, len(ns))), strict=True))
    figure, places = _learned_panels(paths)
    shown, most = [], 0
    for key, of_n in paths.groupby(["model", "frontend", "quantity", "n_per_class"], sort=False):
        run = of_n.groupby(["fold", "repeat"]).ngroup()
        most = max(most, run.max() + 1)
        chosen = np.linspace(0, run.max(), min(run.max() + 1, SINGLE)).round()
        single, median = of_n[run.isin(chosen)].assign(runs=1), _median(of_n.assign(run=run))
        _draw_lines(places[key[:3]], single, median, colours[key[3]])
        shown += [
            single,
            median.assign(model=key[0], frontend=key[1], quantity=key[2], n_per_class=key[3]),
        ]
    _same_limits(places)
    legend_below(
        figure, [Line2D([], [], color=colours[n], linewidth=2, label=f"n = {n}") for n in ns]
    )
    columns = [
        "dataset",
        "model",
        "frontend",
        "n_per_class",
        "fold",
        "repeat",
        "epoch",
        "quantity",
        "value",
        "runs",
    ]
    data = pd.concat(shown, ignore_index=True).assign(dataset=dataset)[columns]
    singles = "single runs" if most <= SINGLE else f"single runs, {SINGLE} of up to {most} per n"
    caption = f"What the frontend learned on {dataset}, by epoch. Bold: median over all runs of an n; thin: {singles}."
    alt = _learned_alt(data[data["fold"] == MEDIAN], dataset)
    return Drawing(
        f"learned_{dataset}", f"Learned numbers on {dataset}", caption, alt, settled(figure), data
    )


def _learned_panels(paths: pd.DataFrame) -> tuple[Figure, Places]:
    """A figure with the axes of each model, frontend and quantity; every model and frontend begins a row."""
    groups = {
        key: list(group["quantity"].unique())
        for key, group in paths.groupby(["model", "frontend"], sort=False)
    }
    columns = min(4, max(map(len, groups.values())))
    wanted: list[tuple[str, str, str] | None] = []
    for key, quantities in groups.items():
        wanted += [(*key, quantity) for quantity in quantities]
        wanted += [None] * (-len(wanted) % columns)
    figure, axes = panels(len(wanted), columns, 1.45)
    places = {key: axis for key, axis in zip(wanted, axes, strict=True) if key}
    for spare in (axis for key, axis in zip(wanted, axes, strict=True) if not key):
        spare.remove()
    for (model, frontend, quantity), axis in places.items():
        head(axis, quantity)
        axis.set_xlabel("epoch")
        axis.xaxis.set_major_locator(
            MaxNLocator(3 if columns > 3 else 5, integer=True, steps=[1, 2, 5, 10])
        )
        if axis.get_subplotspec().is_first_col():
            axis.set_ylabel(f"{model}\n{frontend}", fontweight="bold")
    return figure, places


def _median(of_n: pd.DataFrame) -> pd.DataFrame:
    """Paths of runs to epoch, value (the median) and runs (how many are behind it)."""
    whole = of_n.pivot(index="epoch", columns="run", values="value").interpolate(
        method="index", limit_area="inside"
    )
    columns = {
        "value": whole.median(axis=1),
        "runs": whole.notna().sum(axis=1),
        "fold": MEDIAN,
        "repeat": MEDIAN,
    }
    return pd.DataFrame(columns).reset_index()


def _draw_lines(axis: Axes, single: pd.DataFrame, median: pd.DataFrame, colour: np.ndarray) -> None:
    ordered = single.sort_values(["fold", "repeat", "epoch"])
    starts = np.flatnonzero(~ordered.duplicated(["fold", "repeat"]))
    points = np.split(ordered[["epoch", "value"]].to_numpy(float), starts[1:])
    axis.add_collection(
        LineCollection(points, colors=[colour], linewidths=0.6, alpha=0.35, zorder=1.5)
    )
    axis.plot(median["epoch"], median["value"], color=colour, linewidth=1.8)


def _same_limits(places: Places) -> None:
    """The models' panels of a quantity of a frontend get the same y axis."""
    for frontend, quantity in {key[1:] for key in places}:
        alike = [axis for key, axis in places.items() if key[1:] == (frontend, quantity)]
        limits = np.array([axis.get_ylim() for axis in alike])
        for axis in alike:
            axis.set_ylim(limits[:, 0].min(), limits[:, 1].max())


def _learned_alt(medians: pd.DataFrame, dataset: str) -> str:
    told = []
    for (model, frontend, quantity), lines in medians.groupby(
        ["model", "frontend", "quantity"], sort=False
    ):
        first = lines.sort_values("epoch")["value"].iloc[0]
        last = {
            n: line.sort_values("epoch")["value"].iloc[-1]
            for n, line in sorted(lines.groupby("n_per_class"))
        }
        ends = ", ".join(f"{value:.4g} at n = {n}" for n, value in last.items())
        told.append(f"{model}, {frontend}, {quantity}: from {first:.4g} to {ends}.")
    return f"Medians of learned numbers on {dataset} from the first to the last epoch. {' '.join(told)}"


@rc_context(STYLE)
def filters(table: pd.DataFrame) -> Drawing:
    """What training with each model did to the filters of one dataset and frontend to a panel per quantity, by filter.

    Table: dataset, model, frontend, quantity, index, before, after, low, high, runs; low..high: the 5th to 95th percentile of
    after over the runs.
    """
    dataset, frontend = (only(table, column) for column in ("dataset", "frontend"))
    models = list(table["model"].unique())
    colours = {
        model: look.colour
        for model, look in looks(models if len(models) > 1 else [frontend]).items()
    }
    colours = dict(zip(models, colours.values(), strict=True))
    quantities = table["quantity"].unique()
    figure, axes = panels(len(quantities), 3, 1.75)
    for axis, quantity in zip(axes, quantities, strict=True):
        _filters_panel(axis, table[table["quantity"] == quantity].sort_values("index"), colours)
        head(axis, quantity)
    runs = table["runs"].max()
    legend_below(figure, _filters_legend(colours, runs))
    caption = f"Filters of {frontend} before (dashed) and after training with {' and '.join(models)} on {dataset}."
    caption += f" Bands: 5th to 95th percentile over {runs} runs." if runs > 1 else " One run."
    name, title = f"filters_{dataset}_{frontend}", f"Filters of {frontend} on {dataset}"
    return Drawing(name, title, caption, f"{title}. {_filters_alt(table)}", settled(figure), table)


def _filters_panel(axis: Axes, of_quantity: pd.DataFrame, colours: dict[str, str]) -> None:
    for model, rows in of_quantity.groupby("model", sort=False):
        axis.fill_between(
            rows["index"], rows["low"], rows["high"], color=colours[model], alpha=0.25, linewidth=0
        )
        axis.plot(rows["index"], rows["after"], color=colours[model], linewidth=1.2)
    first = of_quantity[of_quantity["model"] == of_quantity["model"].iloc[0]]  # all begin alike
    axis.plot(first["index"], first["before"], color=GREY, linestyle="--", linewidth=1)
    _fitting_scale(axis, of_quantity[["before", "after", "low", "high"]].to_numpy(float))
    axis.set_xlabel("filter")
    axis.xaxis.set_major_locator(MaxNLocator(5, integer=True))


def _filters_legend(colours: dict[str, str], runs: int) -> list[Artist]:
    handles: list[Artist] = [
        Line2D([], [], color=GREY, linestyle="--", linewidth=1, label="before training")
    ]
    for model, colour in colours.items():
        label = f"after, {model}" if len(colours) > 1 else "after training"
        handles.append(Line2D([], [], color=colour, linewidth=1.2, label=label))
    if runs > 1:
        colour = GREY if len(colours) > 1 else next(iter(colours.values()))
        handles.append(
            Patch(color=colour, alpha=0.25, linewidth=0, label="5th to 95th percentile over runs")
        )
    return handles


def _fitting_scale(axis: Axes, values: np.ndarray) -> None:
    """A logarithmic y axis with plain numbers where the values are positive and far apart."""
    low, high = np.nanmin(values), np.nanmax(values)
    if low <= 0 or high / low <= WIDE:
        return
    axis.set_yscale("log")
    axis.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if high / low < 300 else (1,)))
    axis.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.yaxis.set_minor_locator(NullLocator())


def _filters_alt(table: pd.DataFrame) -> str:
    told = []
    for (model, quantity), rows in table.groupby(["model", "quantity"], sort=False):
        moved = rows.loc[(rows["after"] - rows["before"]).abs().idxmax()]
        medians = f"median {rows['before'].median():.4g} before and {rows['after'].median():.4g} after training"
        most = f"filter {moved['index']} moved most, from {moved['before']:.4g} to {moved['after']:.4g}"
        told.append(f"{model}, {quantity}: {medians}; {most}.")
    return " ".join(told)


@rc_context(STYLE)
def maps(table: pd.DataFrame) -> Drawing:
    """One clip's maps, a row per frontend and frame (frontend, clip, seconds, then its bands), to images side by side."""
    if table.empty:
        raise NoRunsError("figure maps: no maps")
    clips = dict(list(table.groupby("frontend", sort=False)))
    figure, axes = panels(len(clips), 4, 2.4)
    thin = 60 / axes[0].get_subplotspec().get_gridspec().ncols
    for axis, (frontend, rows) in zip(axes, clips.items(), strict=True):
        bar = figure.colorbar(_image(axis, rows), ax=axis, location="bottom", aspect=thin, pad=0.03)
        bar.locator = MaxNLocator(4)
        bar.outline.set_linewidth(0.5)
        head(axis, frontend)
        axis.set_xlabel("time (s)")
        axis.spines[:].set_visible(False)
        if axis.get_subplotspec().is_first_col():
            axis.set_ylabel("band")
    clip = table["clip"].iloc[0]
    caption = f"One clip ({clip}) as frontends show it to a model before training, each on its own colour scale; dark is low."
    told = [f"{frontend}: {_said_of(rows)}" for frontend, rows in clips.items()]
    alt = f"Time-frequency images of {clip}, {table['seconds'].max():.2f} s. {' '.join(told)}"
    return Drawing("maps", "Maps of one clip", caption, alt, settled(figure), table)


def _image(axis: Axes, rows: pd.DataFrame) -> AxesImage:
    values, seconds = _values(rows), rows["seconds"].to_numpy()
    half = (seconds[1] - seconds[0]) / 2 if len(seconds) > 1 else 0.5
    extent = (seconds[0] - half, seconds[-1] + half, -0.5, values.shape[1] - 0.5)
    return axis.imshow(
        values.T,
        origin="lower",
        aspect="auto",
        extent=extent,
        cmap="magma",
        interpolation="nearest",
    )


def _values(rows: pd.DataFrame) -> np.ndarray:
    return rows.drop(columns=["frontend", "clip", "seconds"]).to_numpy(dtype=float)


def _said_of(rows: pd.DataFrame) -> str:
    values = _values(rows)
    return f"{values.shape[0]} frames of {values.shape[1]} bands, {np.nanmin(values):.4g} to {np.nanmax(values):.4g}."
