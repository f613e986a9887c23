"""What a figure is and what all figures share: style, looks, panels, legends."""

import itertools
import math
import textwrap
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

WIDTH = 7.2  # inches, two columns of a journal: sizes of text below are those in print
CHARACTER = 0.064  # inches, of 8 pt DejaVu Sans on average; names with many digits are the widest
MARGIN = 0.8  # inches, of a panel beside its axes
LABEL = 28  # characters in a line of a legend, so that three stand side by side
HANDLE = 0.55  # inches, of a legend entry beside its text
WIDE = 20  # ratio of the largest to the smallest value from which an axis is logarithmic
GREY = "#595959"
STYLE: dict[Any, Any] = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 8,
    "axes.titlesize": 9,
    "axes.labelsize": 8,
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.formatter.useoffset": False,
    "axes.formatter.limits": (-4, 6),
    "axes.unicode_minus": True,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.6,
    "lines.linewidth": 1.4,
    "lines.markersize": 4.5,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "legend.fontsize": 8,
    "legend.frameon": False,
    "text.parse_math": False,
    "figure.dpi": 150,
    "savefig.dpi": "figure",
    "pdf.fonttype": 42,
}


@dataclass(frozen=True)
class Drawing:
    """A figure.

    Attributes:
        name: Of its files.
        title: Its heading.
        caption: What its reader must know.
        alt: What it shows, in words.
        figure: The figure itself.
        data: Exactly the numbers that it shows.
        is_table: Whether a table's CSV has these numbers, so that the figure needs none.
    """

    name: str
    title: str
    caption: str
    alt: str
    figure: Figure
    data: pd.DataFrame
    is_table: bool = False


@dataclass(frozen=True)
class Look:
    """How a frontend is drawn, so that it is told apart without colour too."""

    colour: str
    marker: str
    line: Any  # as Matplotlib calls it


DASH_DOT_DOT, LONG_DASH, SPARSE = (0, (5, 1, 1, 1, 1, 1)), (0, (8, 2)), (0, (1, 3))
KNOWN = {  # Okabe and Ito's colours, but for the yellow, which is too pale for a line
    "log_eps": Look("#0072B2", "o", "-"),
    "log_learn": Look("#D55E00", "s", "--"),
    "log_fixed": Look("#009E73", "^", "-."),
    "leaf": Look("#CC79A7", "D", DASH_DOT_DOT),
    "log_10000": Look("#E69F00", "v", ":"),
}
SPARE = [  # what is left of them, then Tol's muted colours
    Look("#000000", "P", LONG_DASH),
    Look("#56B4E9", "X", "-"),
    Look("#882255", "<", "--"),
    Look("#999933", ">", "-."),
    Look("#332288", "*", DASH_DOT_DOT),
    Look("#7F7F7F", "p", ":"),
    Look("#661100", "h", SPARSE),
    Look("#44AA99", "d", LONG_DASH),
]


def looks(names: Iterable[str]) -> dict[str, Look]:
    """Return the looks of frontends by their names, in the order in which these first come.

    Those in `KNOWN` have theirs; others get one by their name's checksum, the same in every
    figure, unless two in one figure would get the same: then the later in the alphabet moves on.
    """
    unique = list(dict.fromkeys(map(str, names)))
    chosen: dict[str, Look] = {}
    for name in sorted(unique):
        first = zlib.crc32(name.encode()) % len(SPARE)
        ordered = [*SPARE[first:], *SPARE[:first]]
        free = [look for look in ordered if look not in chosen.values()]
        chosen[name] = KNOWN.get(name) or (free or ordered)[0]
    return {name: chosen[name] for name in unique}


def panels(count: int, most: int, height: float, **sharing: Any) -> tuple[Figure, list[Axes]]:
    """Return a figure and the axes of its panels, row by row.

    Args:
        count: Number of panels.
        most: Of them in a row.
        height: Of a row, in inches.
        **sharing: sharex or sharey.
    """
    rows = math.ceil(count / most)
    columns = math.ceil(count / rows)
    figure = Figure(figsize=(min(WIDTH, 2.4 + 2.4 * columns), rows * height), layout="constrained")
    axes = list(figure.subplots(rows, columns, squeeze=False, **sharing).flat)
    for spare in axes[count:]:
        spare.remove()
    return figure, axes[:count]


def head(axis: Axes, text: str) -> None:
    """Set a panel's heading in lines that fit: the layout makes no room for wider ones."""
    place = axis.get_subplotspec()
    figure = axis.get_figure(root=True)
    assert place is not None
    assert figure is not None
    width = figure.get_figwidth() / place.get_gridspec().ncols - MARGIN
    axis.set_title(textwrap.fill(text, int(width / CHARACTER)))


def is_at_the_left(axis: Axes) -> bool:
    """Whether a panel is the first of its row."""
    place = axis.get_subplotspec()
    return place is not None and place.is_first_col()


def fitting_scale(axis: Axes, values: np.ndarray) -> None:
    """Set a logarithmic y axis with plain numbers where values are positive and far apart."""
    low, high = np.nanmin(values), np.nanmax(values)
    if low <= 0 or high / low <= WIDE:
        return
    axis.set_yscale("log")
    axis.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if high / low < 300 else (1,)))
    axis.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.yaxis.set_minor_locator(NullLocator())


def same_limits(axes: Sequence[Axes]) -> None:
    """Give panels the same y axis."""
    limits = np.array([axis.get_ylim() for axis in axes])
    for axis in axes:
        axis.set_ylim(limits[:, 0].min(), limits[:, 1].max())


def legend_below(figure: Figure, *groups: Sequence[Artist]) -> None:
    """Set a legend below the panels, read row by row; each group of artists begins a row."""
    columns = max(map(len, groups))
    labels = [[str(handle.get_label()) for handle in group] for group in groups]
    longest = [max(map(len, column)) for column in itertools.zip_longest(*labels, fillvalue="")]
    if sum(longest) * CHARACTER + columns * HANDLE > figure.get_figwidth():
        widest = 0
        for handle in itertools.chain(*groups):
            wrapped = textwrap.wrap(str(handle.get_label()), LABEL)
            handle.set_label("\n".join(wrapped))
            widest = max(widest, *map(len, wrapped))
        fitting = int(figure.get_figwidth() / (widest * CHARACTER + HANDLE))
        columns = min(max(1, fitting), columns)
    handles: list[Artist] = []
    for group in groups:
        empty = [Line2D([], [], linestyle="none", label=" ")] * (-len(group) % columns)
        handles += [*group, *empty]
    rows = [handles[start : start + columns] for start in range(0, len(handles), columns)]
    lines = sum(max(str(handle.get_label()).count("\n") + 1 for handle in row) for row in rows)
    figure.set_figheight(figure.get_figheight() + 0.17 * lines + 0.1)
    in_columns = list(itertools.chain(*zip(*rows, strict=True)))  # as Matplotlib reads them
    figure.legend(
        handles=in_columns,
        loc="outside lower center",
        ncols=columns,
        columnspacing=1.4,
        handlelength=2.6,
    )


def laid_out(figure: Figure) -> Figure:
    """Lay a figure out, which is not drawn for it."""
    engine = figure.get_layout_engine()
    assert engine is not None
    engine.execute(figure)
    return figure


def settled(figure: Figure) -> Figure:
    """Lay a figure out for good: saving it again would move it by fractions of a point."""
    figure.align_ylabels()
    laid_out(figure).set_layout_engine(None)  # with "none", each file would take two drawings
    return figure
