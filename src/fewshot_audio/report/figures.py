"""The figures of a results folder, from its runs."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fewshot_audio.record_fields import FINISHED, Record
from fewshot_audio.report import differences
from fewshot_audio.report.averages import average_of_tasks
from fewshot_audio.report.classes import answers
from fewshot_audio.report.embeddings import located
from fewshot_audio.report.multitask import is_multitask
from fewshot_audio.report.plots.accuracy import accuracy_by_n
from fewshot_audio.report.plots.confusion import confusion
from fewshot_audio.report.plots.curves import STAGES, by_epoch
from fewshot_audio.report.plots.differences import forest
from fewshot_audio.report.plots.embeddings import embedding_map
from fewshot_audio.report.plots.filters import filters
from fewshot_audio.report.plots.heat import heat
from fewshot_audio.report.plots.learned_filters import (
    filter_bandwidths,
    filter_compression,
    filter_shifts,
)
from fewshot_audio.report.plots.responses import frequency_responses, impulse_responses
from fewshot_audio.report.plots.spectrograms import before_and_after, spectrograms
from fewshot_audio.report.plots.style import Drawing
from fewshot_audio.report.plots.tasks import by_task
from fewshot_audio.report.records import ROW
from fewshot_audio.report.selection import Selection
from fewshot_audio.report.statistics import summary
from fewshot_audio.report.table import named
from fewshot_audio.report.tables import BY
from fewshot_audio.report.tasks import average_differences, means_of_tasks
from fewshot_audio.report.text import interval_name
from fewshot_audio.types import NoRunsError

FIELDS = dict.fromkeys(
    ("key", "status", "identity", "metrics", "seconds", "history", "frontend_diagnostics"), Any
)
FROM_COMMANDS = {  # figures that scripts/maps.py and filters.py wrote, by their names
    each.__name__: each
    for each in (
        spectrograms,
        before_and_after,
        impulse_responses,
        frequency_responses,
        filter_bandwidths,
        filter_compression,
        filter_shifts,
    )
}
RUN = [*ROW, "n_per_class", "fold", "repeat"]
SCALARS = ("alpha", "beta", "beta/alpha")
PANELS = 24  # of a figure that is still readable
HERTZ = ("centre", "bandwidth")  # of filters, named without their unit in records


def draw(
    selection: Selection, pairs: pd.DataFrame, records: Iterable[Record], folder: Path
) -> list[Drawing]:
    """Draw the figures that there are data for.

    Args:
        selection: The runs.
        pairs: Their pairs, of all differences that tables show.
        records: The records of the runs, with `FIELDS`.
        folder: Where the figures of scripts/maps.py and filters.py are, drawn again of their data.
    """
    runs = selection.runs
    learned = list(_learned(records, runs))
    drawn = [_accuracy(selection, runs), *_differences(selection, pairs)]
    if runs["n_per_class"].nunique() == 1:  # no lines: the differences say more
        drawn = [*drawn[1:], drawn[0]]
    drawn = [*_tasks(selection), *drawn]
    stored = {name: folder / f"figures/{name}.csv" for name in FROM_COMMANDS}
    drawn += [FROM_COMMANDS[n](pd.read_csv(csv)) for n, csv in stored.items() if csv.exists()]
    drawn += _by_epoch(histories(learned, scalars), "learned", "Learned numbers")
    drawn += [filters(group) for _, group in medians(learned).groupby(["dataset", "frontend"])]
    drawn += in_parts(confusion, answers(runs), ["frontend"])
    drawn += _by_epoch(histories(learned, curves), "curves", "Learning curves")
    places = located(runs)
    drawn += [embedding_map(group) for _, group in places.groupby(["dataset", "model"])]
    return [replace(each, data=named(each.data, selection)) for each in drawn]


def in_parts(
    draw_one: Callable[[pd.DataFrame], Drawing], data: pd.DataFrame, panel: list[str]
) -> list[Drawing]:
    """Draw one figure where its panels find room, else one by dataset, or by dataset and model.

    Args:
        draw_one: Makes a figure.
        data: dataset, model, the columns of `panel`, and numbers.
        panel: What has a panel of its own in each dataset and model.
    """
    if data.empty:
        return []
    parts = data[["dataset", "model", *panel]].drop_duplicates()
    if len(parts) <= PANELS:
        return [draw_one(data)]
    most = parts.groupby("dataset").size().max()
    by = ["dataset"] if most <= PANELS else ["dataset", "model"]
    drawn = []
    for key, group in data.groupby(by):
        drawing = draw_one(group)
        name = "_".join((drawing.name, *map(str, key)))
        drawn.append(replace(drawing, name=name.replace(" / ", "_")))
    return drawn


def _accuracy(selection: Selection, runs: pd.DataFrame) -> Drawing:
    cells = summary(runs, BY, selection.settings.how, within=selection.measure.limits())
    chance = {}
    for dataset, group in runs[~is_multitask(selection)].groupby("dataset"):
        classes = group["class_names"].map(len).unique()
        is_known = selection.measure.name in ("accuracy", "balanced_accuracy")
        if is_known and len(classes) == 1 and classes[0]:
            chance[str(dataset)] = 1 / classes[0]
    band = interval_name(cells, selection.settings.how)
    by_fold = runs.groupby([*BY, "fold"])["value"].agg(["mean", "count"]).reset_index()
    return accuracy_by_n(cells, by_fold, selection.measure, chance, band)


def _differences(selection: Selection, pairs: pd.DataFrame) -> list[Drawing]:
    """Draw all differences: one forest, and a map where there are several n."""
    if pairs.empty:
        return []
    how = selection.settings.how
    cells = differences.compare(selection, pairs)
    band = interval_name(cells, how, selection.comparisons)
    shown = pd.concat([average_of_tasks(selection, cells), cells], ignore_index=True)
    drawn = [forest(shown, selection.measure, how.margin, band)]
    return drawn + ([heat(cells, selection.measure)] if cells["n_per_class"].nunique() > 1 else [])


def _by_epoch(table: pd.DataFrame, name: str, title: str) -> list[Drawing]:
    draw_one = partial(by_epoch, name=name, title=title)
    return in_parts(draw_one, table, ["quantity", "n_per_class"])


def _tasks(selection: Selection) -> list[Drawing]:
    """Draw a figure of the tasks of each model that has several."""
    try:
        averages = average_differences(selection, "figure tasks")
    except NoRunsError:
        return []
    means, drawn = means_of_tasks(selection), []
    models = averages["model"].unique()
    for model in models:
        of_means, of_averages = (each[each["model"] == model] for each in (means, averages))
        band = interval_name(of_averages, selection.settings.how, selection.comparisons)
        drawing = by_task(of_means, of_averages, selection.measure, str(model), band)
        name = drawing.name if len(models) == 1 else f"{drawing.name}_{model}".replace(" / ", "_")
        drawn.append(replace(drawing, name=name))
    return drawn


def _learned(records: Iterable[Record], runs: pd.DataFrame) -> Iterator[tuple[tuple, Record]]:
    """Yield the chosen runs once each: the values of `RUN`, and the record."""
    repeats = (runs["pool"] + " " + runs["repeat"].astype(str)).str.strip()
    if (runs["pool"] == "").all():
        repeats = runs["repeat"]
    names = runs.assign(repeat=repeats)[RUN].itertuples(index=False, name=None)
    left = dict(zip(runs["key"], names, strict=True))
    for record in records:
        if record["status"] == FINISHED and record["key"] in left:
            yield left.pop(record["key"]), record


def scalars(history: Mapping[str, Sequence]) -> Sequence[str]:
    """Return the names alpha, beta and beta/alpha where they were learned."""
    has_all = all(name in history for name in SCALARS)
    return SCALARS if has_all and len(set(history["alpha"])) > 1 else ()


def curves(history: Mapping[str, Sequence]) -> Sequence[str]:
    """Return the names of losses and metrics of training and validation."""
    return [name for name in history if name.partition(" ")[0] in STAGES]


def histories(
    learned: Iterable[tuple[tuple, Record]],
    chosen: Callable[[Mapping[str, Sequence]], Sequence[str]],
) -> pd.DataFrame:
    """Return the chosen numbers of all histories: the columns `RUN`, quantity, epoch, value."""
    rows = []
    for run, record in learned:
        history = record.get("history", {})
        for name in chosen(history):
            for epoch, value in zip(history["epoch"], history[name], strict=True):
                rows.append((*run, name, epoch, value))
    table = pd.DataFrame(rows, columns=[*RUN, "quantity", "epoch", "value"])
    return table.astype({"value": float}).dropna(subset="value")


def medians(learned: Iterable[tuple[tuple, Record]]) -> pd.DataFrame:
    """Return the filters of each row, medians over the runs at its largest n.

    Returns:
        dataset, model, frontend, n_per_class, quantity, index, before, after, low, high, runs; low
        and high are the 5th and 95th percentiles of after.
    """
    by_n: dict[tuple, list[dict[str, Any]]] = defaultdict(list)
    for run, record in learned:
        if own := record.get("frontend_diagnostics", {}).get("filters"):
            by_n[run[: len(ROW) + 1]].append(own)
    largest = {key[:-1]: key for key in sorted(by_n)}
    parts = [_median_filters(key, by_n[key]) for key in largest.values()]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=ROW)


def _median_filters(key: tuple, filters_of_runs: list[dict[str, Any]]) -> pd.DataFrame:
    """Return the medians of runs that have as many filters as most of them."""
    parts = []
    names = dict(zip(RUN, key, strict=False))
    sizes = [tuple((k, len(own[k]["after"])) for k in own) for own in filters_of_runs]
    ((usual, _),) = Counter(sizes).most_common(1)
    alike = [own for own, size in zip(filters_of_runs, sizes, strict=True) if size == usual]
    for quantity in alike[0]:
        before, after = (
            np.array([own[quantity][side] for own in alike], dtype=float)
            for side in ("before", "after")
        )
        low, median, high = np.percentile(after, [5, 50, 95], axis=0)
        sides = {"before": np.median(before, axis=0), "after": median, "low": low, "high": high}
        label = f"{quantity}, Hz" if quantity in HERTZ else quantity
        index = np.arange(len(median))
        columns = {**names, "quantity": label, "index": index, **sides, "runs": len(before)}
        parts.append(pd.DataFrame(columns))
    return pd.concat(parts)
