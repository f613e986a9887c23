"""Which classes are recognised, and which are taken for which."""

import msgspec
import numpy as np
import pandas as pd

from fewshot_audio.report.records import ROW
from fewshot_audio.report.selection import Selection
from fewshot_audio.report.statistics import summary
from fewshot_audio.report.table import Table, pivot
from fewshot_audio.report.tables import BY, with_runs
from fewshot_audio.report.text import NONE, Measure, points
from fewshot_audio.types import NoRunsError

COUNTED = (
    "Of the clips of all folds and runs together, in %: precision of each class (clips taken for "
    "it), recall (its scored test clips) and F1."
)
MEASURED = (
    "Metrics of each class (shares in %): mean of the folds' means ± standard deviation over runs "
    "(number of runs in which the class has the metric)."
)


def per_class(selection: Selection, name: str, title: str) -> Table:
    """Show precision, recall and F1 of each class, and metrics that have a number for each class.

    The first three are of the confusion matrices, which clips with several labels do not have.
    """
    chosen = with_runs(selection, selection.runs, name, partial=True)
    parts = {COUNTED: counted(chosen.runs), MEASURED: _measured(chosen)}
    parts = {caption: cells for caption, cells in parts.items() if len(cells)}
    if not parts:
        raise NoRunsError(f"table {name}: no run has a confusion matrix or a metric by class")
    rows, columns = ["dataset", "model", "n_per_class", "class"], ["metric", "frontend"]
    cells = pd.concat(parts.values()).drop_duplicates([*rows, *columns]).assign(bold=False)
    return pivot(selection, name, title, " ".join(parts), cells, rows, columns)


def counted(runs: pd.DataFrame) -> pd.DataFrame:
    """Return F1, precision and recall: the columns `BY`, class, metric, mean, count, text.

    The count is that of the clips which the mean is a share of.
    """
    rows = []
    for row, group in _with_matrix(runs).groupby(BY):
        matrix = summed_confusion(group)
        hits, clips, answers = np.diag(matrix), matrix.sum(axis=1), matrix.sum(axis=0)
        counts = {"F1": (clips + answers) / 2, "precision": answers, "recall": clips}
        for place, label in enumerate(group["class_names"].iloc[0]):
            for metric, count in counts.items():
                share = hits[place] / count[place] if count[place] else np.nan
                text = f"{points(share, False)} ({count[place]:,.0f})" if count[place] else NONE
                text = text.partition(" ")[0] if metric == "F1" else text
                rows.append((*row, label, metric, share, count[place], text))
    return pd.DataFrame(rows, columns=[*BY, "class", "metric", "mean", "count", "text"])


def _measured(selection: Selection) -> pd.DataFrame:
    """Return the means of all metrics that have a number for each class, with their text."""
    values = class_metrics(selection.runs)
    if values.empty:
        return values
    cells = summary(values, [*BY, "metric", "class"], selection.settings.how)
    parts = []
    for metric, group in cells.groupby("metric", sort=False):
        measure = Measure.of(str(metric), group["mean"])
        parts.append(group.assign(text=[measure.with_spread(cell) for cell in group.itertuples()]))
    return pd.concat(parts)


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


def classes_left_out(runs: pd.DataFrame) -> list[str]:
    """Return of each dataset how many classes its means of metrics by class leave out."""
    notes = []
    for dataset, group in runs.groupby("dataset"):
        lists = [each for metrics in group["metrics"] for each in metrics.values()]
        by_class = [each for each in lists if isinstance(each, list)]
        if most := max((each.count(None) for each in by_class), default=0):
            notes.append(
                f"{dataset}: {most} of {len(by_class[0])} classes are in none or in all of the "
                "test clips and are left out of the means over classes"
            )
    return notes


def _with_matrix(runs: pd.DataFrame) -> pd.DataFrame:
    """Return the runs that have a confusion matrix and the names of its classes."""
    matrices = runs["confusion_matrix"]
    has_counts = matrices.map(lambda each: each is not None and bytes(each) != b"[]")
    return runs[has_counts & (runs["class_names"].map(len) > 0)]


def summed_confusion(runs: pd.DataFrame) -> np.ndarray:
    """Return the sum of confusion matrices: clips by class (rows) and answer (columns)."""
    matrices = [msgspec.json.decode(matrix) for matrix in runs["confusion_matrix"]]
    return np.sum(matrices, axis=0)


def answers(runs: pd.DataFrame) -> pd.DataFrame:
    """Return the columns dataset, model, frontend, class, answer, clips, share."""
    rows = []
    for row, group in _with_matrix(runs).groupby(ROW):
        matrix, classes = summed_confusion(group), group["class_names"].iloc[0]
        for label, counts in zip(classes, matrix, strict=True):
            total = counts.sum()
            for answer, clips in zip(classes, counts, strict=True):
                rows.append((*row, label, answer, clips, clips / total if total else np.nan))
    return pd.DataFrame(rows, columns=[*ROW, "class", "answer", "clips", "share"])
