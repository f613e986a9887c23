"""A dataset from a CSV table."""

from pathlib import Path

import pandas as pd

from fewshot_audio.datasets.base import Clip, Dataset, Fold
from fewshot_audio.types import DataError

COLUMNS = ("path", "label", "fold", "group")


def from_csv(name: str, root: Path, table: str = "metadata.csv") -> Dataset:
    """Return the clips that a table lists; each fold tests once while the others train.

    Args:
        name: Name of the dataset in records and tables.
        root: Folder of the clips, which paths are relative to.
        table: A CSV in that folder, or an absolute path, with the columns path, label (or several:
            a;b), fold (a whole number) and group. Clips of one group (recording, speaker, place)
            are alike. A column valid, if there is one, says yes for clips that validate instead of
            training, and no or nothing for the others.

    Raises:
        DataError: There is no such table, it lacks a column, or valid says something else.
    """
    if not (root / table).is_file():
        raise DataError(f"{root / table}: no such file; set dataset.root and dataset.table")
    rows = pd.read_csv(root / table, dtype=str, keep_default_na=False).sort_values("path")
    if missing := [column for column in COLUMNS if column not in rows]:
        raise DataError(f"{root / table}: no column {', '.join(missing)}; add it")
    valid = rows.get("valid", pd.Series("", rows.index))
    if not valid.isin(["yes", "no", ""]).all():
        raise DataError(f"{root / table}: the column valid holds other words than yes and no")
    validating = set(rows["path"][valid == "yes"])
    names = [label.split(";") for label in rows["label"]]
    classes = tuple(sorted({name for each in names for name in each}))
    clips = []
    for row, each in zip(rows.itertuples(), names, strict=True):
        labels = tuple(sorted(classes.index(name) for name in each))
        clips.append(Clip(row.path, labels, int(row.fold), row.group))
    folds = []
    for number in sorted({clip.fold for clip in clips}):
        test = tuple(clip for clip in clips if clip.fold == number)
        others = [clip for clip in clips if clip.fold != number]
        train = tuple(clip for clip in others if clip.path not in validating)
        chosen = tuple(clip for clip in others if clip.path in validating)
        folds.append(Fold(number, train, test, chosen))
    several = any(len(each) > 1 for each in names)
    return Dataset(name, root, classes, tuple(folds), leak_unit="group", multi_label=several)
