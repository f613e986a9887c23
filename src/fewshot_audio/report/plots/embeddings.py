"""Figure of embeddings of test clips in two dimensions."""

import pandas as pd
from matplotlib import rc_context
from matplotlib.artist import Artist
from matplotlib.lines import Line2D

from fewshot_audio.report.plots.style import (
    GREY,
    KNOWN,
    SPARE,
    STYLE,
    Drawing,
    Look,
    head,
    legend_below,
    panels,
    settled,
)
from fewshot_audio.report.text import n_text
from fewshot_audio.report.written import written

NAMED = 15  # classes that the legend names
OTHERS = "other classes"
GREYISH = "#7F7F7F"  # too near to that of other classes
LOOKS = [look for look in (*KNOWN.values(), *SPARE) if look.colour != GREYISH]


@rc_context(STYLE)
def embedding_map(table: pd.DataFrame) -> Drawing:
    """Draw the test clips of one dataset and model, a panel per frontend.

    Args:
        table: dataset, model, frontend, n_per_class, fold, pool, repeat, path, label, x, y.
    """
    dataset, model = table[["dataset", "model"]].iloc[0]
    look = class_looks(table["label"])
    by_frontend = list(table.groupby("frontend", sort=False))
    figure, axes = panels(len(by_frontend), 3, 2.35)
    for axis, (frontend, clips) in zip(axes, by_frontend, strict=True):
        rest = clips[~clips["label"].isin(look)]
        axis.scatter(rest["x"], rest["y"], s=7, color=GREY, alpha=0.3, linewidths=0)
        for label, each in look.items():
            own = clips[clips["label"] == label]
            axis.scatter(
                own["x"], own["y"], s=9, c=each.colour, marker=each.marker, alpha=0.7, linewidths=0
            )
        head(axis, written(frontend))
        axis.set(xticks=[], yticks=[], aspect="equal", adjustable="datalim")
        axis.spines[:].set_visible(True)
    legend_below(figure, _legend(look, table["label"].nunique() > len(look)))
    name = f"embeddings_{dataset}_{model}".replace(" / ", "_")
    dataset, model = written(dataset), written(model)
    title = f"Embeddings of test clips, {model} on {dataset}"
    caption = (
        f"Test clips of {dataset} by their embeddings in {model}, by t-SNE: clips that are near "
        "each other are alike. The distance between clusters, their size and the axes mean "
        f"nothing. {_runs(table)}"
    )
    counts = [f"{written(frontend)}: {len(clips)} clips" for frontend, clips in by_frontend]
    alt = f"{title}, a point per clip, coloured by class. {'; '.join(counts)}."
    return Drawing(name, title, caption, alt, settled(figure), table)


def class_looks(labels: pd.Series) -> dict[str, Look]:
    """Return how classes are drawn, in alphabetical order; of many, the most frequent ones."""
    counts = labels.value_counts()
    frequent = sorted(counts.index, key=lambda label: (-counts[label], label))[:NAMED]
    looks = {}
    for place, label in enumerate(sorted(frequent)):
        again, index = divmod(place, len(LOOKS))  # a colour comes again with another marker
        marker = LOOKS[(index + 5 * again) % len(LOOKS)].marker
        looks[label] = Look(LOOKS[index].colour, marker, "none")
    return looks


def _legend(look: dict[str, Look], more: bool) -> list[Artist]:
    others = {OTHERS: Look(GREY, "o", "none")} if more else {}
    handles: list[Artist] = []
    for label, each in {**look, **others}.items():
        line = Line2D([], [], color=each.colour, marker=each.marker, label=label or "no label")
        line.set_linestyle("none")
        handles.append(line)
    return handles


def _runs(table: pd.DataFrame) -> str:
    """Return which runs are shown, in a sentence."""
    columns = ["frontend", "fold", "n_per_class", "pool", "repeat"]
    by_frontend = {}
    for run in table[columns].drop_duplicates().itertuples(index=False):
        words = [f"fold {run.fold}", f"n = {n_text(run.n_per_class)}", run.pool]
        words.append(f"repeat {run.repeat}")
        by_frontend[run.frontend] = ", ".join(filter(None, words))
    if len(set(by_frontend.values())) == 1:
        return f"One run each: {next(iter(by_frontend.values()))}."
    return "; ".join(f"{written(frontend)}: {text}" for frontend, text in by_frontend.items()) + "."
