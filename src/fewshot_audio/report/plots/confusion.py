"""Figure of which classes are taken for which."""

import numpy as np
import pandas as pd
from matplotlib import rc_context

from fewshot_audio.report.plots.style import (
    CHARACTER,
    STYLE,
    Drawing,
    head,
    is_at_the_left,
    only,
    panels,
    settled,
)

HEIGHT, PER_CLASS = 0.75, 0.19  # inches, of a panel without its names, and for each class


@rc_context(STYLE)
def confusion(table: pd.DataFrame) -> Drawing:
    """Draw one dataset's and model's confusion matrices, a panel per frontend.

    Args:
        table: dataset, model, frontend, class, answer, clips, share (of the class's clips).
    """
    dataset, model = only(table, "dataset"), only(table, "model")
    classes = list(table["class"].unique())
    by_frontend = list(table.groupby("frontend", sort=False, observed=True))
    names = CHARACTER * max(len(name) for name in classes)
    height = HEIGHT + PER_CLASS * len(classes) + names
    figure, axes = panels(len(by_frontend), 3, height, sharey=True)
    alt = f"Confusion matrices of {model} on {dataset}, class by answer."
    for axis, (frontend, rows) in zip(axes, by_frontend, strict=True):
        shares = rows.pivot(index="class", columns="answer", values="share")
        shares = shares.loc[classes, classes].to_numpy()
        axis.imshow(100 * shares, cmap="Blues", vmin=0, vmax=100, aspect="auto")
        head(axis, str(frontend))
        places = range(len(classes))
        axis.set_xticks(places, classes, rotation=90)
        axis.set_yticks(places, classes)
        axis.tick_params(length=0)
        axis.set_xlabel("answer")
        if is_at_the_left(axis):
            axis.set_ylabel("class")
        alt += f" {frontend}: {_extremes(np.diag(shares), classes)}"
    bar = figure.colorbar(axes[0].images[0], ax=axes, location="right", fraction=0.03, aspect=30)
    bar.set_label("clips of the class (%)")
    bar.outline.set_linewidth(0.5)
    caption = (
        f"Answers of {model} on {dataset}, in % of the clips of each class, summed over folds, "
    )
    caption += "n and runs; the diagonal is the recall."
    name, title = f"confusion_{dataset}_{model}", f"Confusion of classes, {model} on {dataset}"
    return Drawing(name.replace(" / ", "_"), title, caption, alt, settled(figure), table)


def _extremes(recalls: np.ndarray, classes: list[str]) -> str:
    low, high = np.nanargmin(recalls), np.nanargmax(recalls)
    best = f"best recall {100 * recalls[high]:.0f} % ({classes[high]})"
    return f"{best}, worst {100 * recalls[low]:.0f} % ({classes[low]})."
