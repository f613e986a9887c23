"""Which classes are recognised, and which are taken for which."""

import msgspec
import numpy as np
import pandas as pd

from fewshot_audio.report.selection import Selection
from fewshot_audio.report.table import Table, pivot
from fewshot_audio.report.tables import BY, with_runs
from fewshot_audio.report.text import points

ROW = ["dataset", "model", "frontend"]


def per_class(selection: Selection, name: str, title: str) -> Table:
    """Show the recall of each class: the share of its clips in all runs that were recognised."""
    runs = selection.runs[selection.runs["confusion_matrix"].notna()]
    chosen = with_runs(selection, runs, name, partial=True)
    cells = recalls(chosen.runs)
    text = [f"{points(cell.recall, False)} ({cell.clips:,})" for cell in cells.itertuples()]
    caption = (
        "Recall of each class in %: clips of the class that were recognised, of all its scored "
        "test clips, summed over folds and runs (number of clips)."
    )
    cells = cells.assign(text=text, bold=False)
    rows = ["dataset", "model", "frontend", "class"]
    return pivot(selection, name, title, caption, cells, rows, ["n_per_class"])


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
    known = runs[runs["confusion_matrix"].notna() & (runs["class_names"].map(len) > 0)]
    for row, group in known.groupby(ROW):
        matrix, classes = summed_confusion(group), group["class_names"].iloc[0]
        for label, counts in zip(classes, matrix, strict=True):
            total = counts.sum()
            for answer, clips in zip(classes, counts, strict=True):
                rows.append((*row, label, answer, clips, clips / total if total else np.nan))
    return pd.DataFrame(rows, columns=[*ROW, "class", "answer", "clips", "share"])
