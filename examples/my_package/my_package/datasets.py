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
        root: Folder of the table; paths in it are relative to this folder.
        table: A CSV with the columns path, label (or several: a;b), fold (a whole number) and
            group. Clips of one group (recording, speaker, place) are alike.
    """
    rows = pd.read_csv(root / table, dtype=str, keep_default_na=False).sort_values("path")
    if missing := [column for column in COLUMNS if column not in rows]:
        raise DataError(f"{root / table}: no column {', '.join(missing)}; add it")
    names = [label.split(";") for label in rows["label"]]
    classes = tuple(sorted({name for each in names for name in each}))
    clips = []
    for row, each in zip(rows.itertuples(), names, strict=True):
        labels = tuple(sorted(classes.index(name) for name in each))
        clips.append(Clip(row.path, labels, int(row.fold), row.group))
    folds = []
    for number in sorted({clip.fold for clip in clips}):
        train = tuple(clip for clip in clips if clip.fold != number)
        test = tuple(clip for clip in clips if clip.fold == number)
        folds.append(Fold(number, train, test))
    several = any(len(each) > 1 for each in names)
    return Dataset(name, root, classes, tuple(folds), leak_unit="group", multi_label=several)
