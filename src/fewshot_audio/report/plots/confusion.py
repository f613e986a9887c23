"""Figure of which classes are taken for which."""

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fewshot_audio.report.plots.names import panel_names
from fewshot_audio.report.plots.style import (
    CHARACTER,
    STYLE,
    WIDTH,
    Drawing,
    head,
    is_at_the_left,
    settled,
)

HEIGHT, PER_CLASS = 0.75, 0.19  # inches, of a panel without its names, and for each class
MOST = 3  # panels in a row
TASK = ["dataset", "model"]
PANEL = [*TASK, "frontend"]


@rc_context(STYLE)
def confusion(table: pd.DataFrame) -> Drawing:
    """Draw confusion matrices, a panel per dataset, model and frontend.

    Args:
        table: dataset, model, frontend, class, answer, clips, share (of the class's clips).
    """
    names, tasks = panel_names(table, PANEL), panel_names(table, TASK)
    figure, places = _axes(table)
    of = ", ".join(map(str, tasks.values()))
    title = f"Confusion of classes, {of}"
    alt = f"{title}, class by answer."
    for key, own in table.groupby(PANEL, sort=False):
        axis = places[key]
        classes = list(own["class"].unique())
        shares = own.pivot(index="class", columns="answer", values="share")
        shares = shares.loc[classes, classes].to_numpy()
        image = axis.imshow(100 * shares, cmap="Blues", vmin=0, vmax=100, aspect="auto")
        _label(axis, classes)
        head(axis, names[key])
        alt += f" {names[key]}: {_extremes(np.diag(shares), classes)}"
    axes = list(places.values())
    bar = figure.colorbar(image, ax=axes, location="right", fraction=0.03, aspect=30)
    bar.set_label("clips of the class (%)")
    bar.outline.set_linewidth(0.5)
    caption = "Answers in % of the clips of each class, summed over folds, n and runs; the "
    caption += "diagonal is the recall."
    return Drawing("confusion", title, caption, alt, settled(figure), table)


def _axes(table: pd.DataFrame) -> tuple[Figure, dict[tuple, Axes]]:
    """Return a figure and axes by `PANEL`, each dataset and model in rows as high as it needs."""
    rows: list[list[tuple]] = []
    heights = []
    for _, own in table.groupby(TASK, sort=False):
        keys = list(own[PANEL].drop_duplicates().itertuples(index=False, name=None))
        classes = own["class"].unique()
        height = HEIGHT + PER_CLASS * len(classes) + CHARACTER * max(map(len, classes))
        for start in range(0, len(keys), MOST):
            rows.append(keys[start : start + MOST])
            heights.append(height)
    columns = max(map(len, rows))
    size = (min(WIDTH, 2.4 + 2.4 * columns), sum(heights))
    figure = Figure(figsize=size, layout="constrained")
    grid = figure.add_gridspec(len(rows), columns, height_ratios=heights)
    places = {
        key: figure.add_subplot(grid[row, column])
        for row, keys in enumerate(rows)
        for column, key in enumerate(keys)
    }
    return figure, places


def _label(axis: Axes, classes: list[str]) -> None:
    axis.set_xticks(range(len(classes)), classes, rotation=90)
    axis.set_yticks(range(len(classes)), classes if is_at_the_left(axis) else [""] * len(classes))
    axis.tick_params(length=0)
    axis.set_xlabel("answer")
    if is_at_the_left(axis):
        axis.set_ylabel("class")


def _extremes(recalls: np.ndarray, classes: list[str]) -> str:
    low, high = np.nanargmin(recalls), np.nanargmax(recalls)
    best = f"best recall {100 * recalls[high]:.0f} % ({classes[high]})"
    return f"{best}, worst {100 * recalls[low]:.0f} % ({classes[low]})."
