"""The figures of a results folder, from its runs."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from fewshot_audio.report.drawing import Drawing, save
from fewshot_audio.report.layout import interval_is
from fewshot_audio.report.page import Picture
from fewshot_audio.report.pairs import BY, compared
from fewshot_audio.report.plots import accuracy_by_n, completeness
from fewshot_audio.report.plots_differences import forest
from fewshot_audio.report.plots_frontends import filters, learned_scalars, maps
from fewshot_audio.report.records import ARM
from fewshot_audio.report.render import unbroken
from fewshot_audio.report.statistics import summary
from fewshot_audio.report.tables import by_fold
from fewshot_audio.runner.store import FINISHED, Line
from fewshot_audio.types import ReportSettings, Statistics

SCALARS = ("alpha", "beta", "beta/alpha")
HERTZ = ("centre", "bandwidth")  # of filters, named without their unit in results
RUN = [*ARM, "n_per_class", "fold", "repeat"]


def pictured(drawn: Sequence[Drawing]) -> tuple[dict[str, bytes], list[Picture]]:
    """Figures to their files below the results folder, and to the page's pictures."""
    files, pictures = {}, []
    for each in drawn:
        saved = save(each)
        files |= {f"figures/{name}": content for name, content in saved.items()}
        pictures.append(
            Picture(
                each.name, each.title, unbroken(each.caption), each.alt, saved[f"{each.name}.png"]
            )
        )
    return files, pictures


def drawings(
    runs: pd.DataFrame,
    pairs: pd.DataFrame,
    lines: Iterable[Line],
    clip: pd.DataFrame | None,
    asked: ReportSettings,
) -> list[Drawing]:
    """Finished runs, their pairs, the store's lines and a clip's maps to the figures that there are data for."""
    values = runs.assign(arm=runs["frontend"], value=runs["accuracy"])
    learned = list(unique(lines))
    paths, banks = scalars(learned), filters_of(learned)
    made = [_accuracy(group, asked.how) for _, group in values.groupby("dataset")]
    made += [_forest(group, asked.how) for _, group in pairs.groupby("dataset")]
    made += [learned_scalars(group) for _, group in paths.groupby("dataset")]
    made += [filters(group) for _, group in banks.groupby(["dataset", "frontend"])]
    made += [] if clip is None else [maps(clip)]
    return [*made, completeness(grid(runs, asked.schedule))]


def _accuracy(values: pd.DataFrame, how: Statistics) -> Drawing:
    cells = summary(values, BY, how)
    classes = values["classes"].dropna().unique()
    return accuracy_by_n(
        cells,
        by_fold(values),
        1 / classes[0] if len(classes) == 1 else None,
        interval_is(cells, how),
    )


def _forest(pairs: pd.DataFrame, how: Statistics) -> Drawing:
    cells = compared(pairs, how)
    return forest(cells, how.margin, interval_is(cells, how))


def grid(runs: pd.DataFrame, schedule: Mapping[int, int]) -> pd.DataFrame:
    """Runs to finished and wanted ones of each arm and n.

    Wanted are the schedule's repeats, or as many as any arm has where that is more, on every fold that the dataset has runs of.
    """
    done = runs.groupby([*ARM, "n_per_class"]).size().rename("finished").reset_index()
    folds, most = (
        runs.groupby("dataset")["fold"].nunique(),
        runs.groupby(["dataset", "n_per_class"])["repeat"].max(),
    )
    ns = pd.DataFrame({"n_per_class": sorted({*schedule, *runs["n_per_class"]})})
    cells = (
        done[ARM]
        .drop_duplicates()
        .merge(ns, how="cross")
        .merge(done, how="left")
        .fillna({"finished": 0})
    )
    where = zip(cells["dataset"], cells["n_per_class"], strict=True)
    cells["wanted"] = [
        folds[dataset] * max(schedule.get(n, 0), most.get((dataset, n), 0)) for dataset, n in where
    ]
    return cells.astype({"finished": int})


def unique(lines: Iterable[Line]) -> Iterator[tuple[tuple, Line]]:
    """Lines to the finished runs, once each, as the values of RUN and the line."""
    seen = set()
    for line in lines:
        if line["status"] == FINISHED and line["key"] not in seen:
            seen.add(line["key"])
            identity = line["identity"]
            yield (
                (
                    *(identity[part]["name"] for part in ARM),
                    *(identity[name] for name in RUN[len(ARM) :]),
                ),
                line,
            )


def scalars(learned: Iterable[tuple[tuple, Line]]) -> pd.DataFrame:
    """Runs to the paths of alpha, beta and beta/alpha where they were learned: RUN, quantity, epoch, value."""
    rows = []
    for run, line in learned:
        path = line.get("history", {})
        if all(name in path for name in SCALARS) and len(set(path["alpha"])) > 1:
            rows += [
                (*run, name, epoch, value)
                for name in SCALARS
                for epoch, value in zip(path["epoch"], path[name], strict=True)
            ]
    return pd.DataFrame(rows, columns=[*RUN, "quantity", "epoch", "value"])


def filters_of(learned: Iterable[tuple[tuple, Line]]) -> pd.DataFrame:
    """Runs to their arms' filters: medians over the runs at the largest n, with the 5th and 95th percentiles after training."""
    found: dict[tuple, list[dict[str, Any]]] = defaultdict(list)
    for run, line in learned:
        if bank := line.get("frontend_diagnostics", {}).get("filters"):
            found[run[: len(ARM) + 1]].append(bank)
    largest = {run[:-1]: run for run in sorted(found)}
    banks = [_median_filters(run, found[run]) for run in largest.values()]
    return pd.concat(banks, ignore_index=True) if banks else pd.DataFrame(columns=ARM)


def _median_filters(run: tuple, banks: list[dict[str, Any]]) -> pd.DataFrame:
    parts = []
    for name in banks[0]:
        before, after = (
            np.array([bank[name][side] for bank in banks], dtype=float)
            for side in ("before", "after")
        )
        low, median, high = np.percentile(after, [5, 50, 95], axis=0)
        sides = {"before": np.median(before, axis=0), "after": median, "low": low, "high": high}
        names = dict(zip(RUN, run, strict=False))
        quantity = f"{name}, Hz" if name in HERTZ else name
        parts.append(
            pd.DataFrame(
                {
                    **names,
                    "quantity": quantity,
                    "index": np.arange(len(median)),
                    **sides,
                    "runs": len(banks),
                }
            )
        )
    return pd.concat(parts)
