"""Which classes are recognised, and which are taken for which."""

import msgspec
import numpy as np
import pandas as pd

from fewshot_audio.report.selection import Selection
from fewshot_audio.report.statistics import summary
from fewshot_audio.report.table import Table, pivot
from fewshot_audio.report.tables import BY, with_runs
from fewshot_audio.report.text import Measure, points
from fewshot_audio.types import NoRunsError

ROW = ["dataset", "model", "frontend"]


def per_class(selection: Selection, name: str, title: str) -> Table:
    """Show the recall of each class: the share of its clips in all runs that were recognised.

    Where clips have several labels, show the metrics that have a number for each class.
    """
    runs = selection.runs[selection.runs["confusion_matrix"].map(_has_counts)]
    if runs.empty:
        return _metrics_by_class(selection, name, title)
    chosen = with_runs(selection, runs, name, partial=True)
    cells = recalls(chosen.runs)
    text = [f"{points(cell.recall, False)} ({cell.clips:,})" for cell in cells.itertuples()]
    caption = (
        "Recall of each class in %: clips of the class that were recognised, of all its scored "
        "test clips, summed over folds and runs (number of clips)."
    )
    cells = cells.assign(text=text, bold=False)
    rows = [*ROW, "class"]
    return pivot(selection, name, title, caption, cells, rows, ["n_per_class"])


def _has_counts(matrix: bytes | None) -> bool:
    return matrix is not None and bytes(matrix) != b"[]"


def _metrics_by_class(selection: Selection, name: str, title: str) -> Table:
    """Show the means of all metrics that have a number for each class."""
    values = class_metrics(selection.runs)
    if values.empty:
        raise NoRunsError(f"table {name}: no run has a confusion matrix or a metric by class")
    cells = summary(values, [*BY, "metric", "class"], selection.settings.how)
    parts = []
    for metric, group in cells.groupby("metric", sort=False):
        measure = Measure.of(str(metric), group["mean"])
        parts.append(group.assign(text=[measure.with_spread(cell) for cell in group.itertuples()]))
    caption = (
        "Metrics of each class (shares in %): mean of the folds' means ± standard deviation over "
        "runs (number of runs in which the class has the metric)."
    )
    cells = pd.concat(parts).assign(bold=False)
    return pivot(selection, name, title, caption, cells, [*ROW, "metric", "class"], ["n_per_class"])


def class_metrics(runs: pd.DataFrame) -> pd.DataFrame:
    """Return the columns `BY`, fold, metric, class, value, of metrics with a number per class."""
    rows = []
    for *run, metrics, classes in runs[[*BY, "fold", "metrics", "class_names"]].itertuples(
        index=False, name=None
    ):
        for metric, numbers in metrics.items():
            if isinstance(numbers, list):
                pairs = zip(classes, numbers, strict=True)
                rows += [
                    (*run, metric, label, value) for label, value in pairs if value is not None
                ]
    return pd.DataFrame(rows, columns=[*BY, "fold", "metric", "class", "value"]).dropna()


def recalls(runs: pd.DataFrame) -> pd.DataFrame:
    """Return the recall of each class: the columns `BY`, class, recall, clips."""
    rows = []
    for key, group in runs.groupby(BY):
        matrix = summed_confusion(group)
        clips = matrix.sum(axis=1)
        for index, label in enumerate(group["class_names"].iloc[0]):
            recall = matrix[index, index] / clips[index] if clips[index] else np.nan
            rows.append((*key, label, recall, clips[index]))
    return pd.DataFrame(rows, columns=[*BY, "class", "recall", "clips"])


def summed_confusion(runs: pd.DataFrame) -> np.ndarray:
    """Return the sum of confusion matrices: clips by class (rows) and answer (columns)."""
    matrices = [msgspec.json.decode(matrix) for matrix in runs["confusion_matrix"]]
    return np.sum(matrices, axis=0)


def answers(runs: pd.DataFrame) -> pd.DataFrame:
    """Return the columns dataset, model, frontend, class, answer, clips, share."""
    rows = []
    known = runs[runs["confusion_matrix"].map(_has_counts) & (runs["class_names"].map(len) > 0)]
    for row, group in known.groupby(ROW):
        matrix, classes = summed_confusion(group), group["class_names"].iloc[0]
        for label, counts in zip(classes, matrix, strict=True):
            total = counts.sum()
            for answer, clips in zip(classes, counts, strict=True):
                rows.append((*row, label, answer, clips, clips / total if total else np.nan))
    return pd.DataFrame(rows, columns=[*ROW, "class", "answer", "clips", "share"])
