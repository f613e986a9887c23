"""UrbanSound8K in its official layout and folds."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

from fewshot_audio.datasets.base import Dataset, Fold
from fewshot_audio.datasets.listed import Listed, from_list
from fewshot_audio.datasets.listing import Tolerable
from fewshot_audio.datasets.official import Row, check_counts, damaged_row, read_table
from fewshot_audio.datasets.verify import Report, compare, complaint, shipped_table
from fewshot_audio.files import find_root
from fewshot_audio.types import ConfigError, DataError

CSV = "metadata/UrbanSound8K.csv"
COLUMNS = ("slice_file_name", "fsID", "fold", "classID", "class")
FILE_NAME = re.compile(r"\d+-\d+-\d+-\d+\.\w+")
OFFICIAL_FOLDS = {1: 873, 2: 888, 3: 925, 4: 990, 5: 936, 6: 823, 7: 838, 8: 806, 9: 816, 10: 837}
OFFICIAL_CLASSES = {
    "air_conditioner": 1000,
    "car_horn": 429,
    "children_playing": 1000,
    "dog_bark": 1000,
    "drilling": 1000,
    "engine_idling": 1000,
    "gun_shot": 374,
    "jackhammer": 1000,
    "siren": 929,
    "street_music": 1000,
}
Validation = Literal["next", "none"]


def urbansound8k(
    name: str,
    root: Path,
    folds: tuple[int, ...] | None = None,
    validation: Validation = "next",
    tolerate: tuple[Tolerable, ...] = (),
) -> Dataset:
    """Read UrbanSound8K: 8,732 clips of 10 classes in 10 folds (Salamon, Jacoby & Bello, 2014).

    Args:
        name: Name of the dataset in results.
        root: The folder UrbanSound8K, or the one that holds it.
        folds: A part of the ten folds; None: all.
        validation: "next": fold k tests, the fold after it (cyclic) validates and the others
            train, as in the study. "none": all but fold k train.
        tolerate: "missing" leaves out clips without a file, "silent" accepts clips of zeros.

    Raises:
        ConfigError: `folds` names folds that do not exist, or none is left to train on.
        DataError: Labels, folds or files are not as published.
    """
    root = find_root(root, "UrbanSound8K", CSV)
    return from_rows(name, root, read_official(root), folds, validation, tolerate)


def verify(root: Path, full: bool, workers: int) -> Report:
    """Compare a download with path, size and, in full, SHA-256 of all published files."""
    root = find_root(root, "UrbanSound8K", CSV)
    manifest = {
        f"audio/{path}": (int(size), digest) for path, size, digest in shipped_table("us8k.tsv")
    }
    folders = [f"audio/fold{fold}" for fold in OFFICIAL_FOLDS]
    differences = compare(root, manifest, folders, full, workers)
    labels = complaint(read_official, root)
    return Report("us8k", str(root), full, len(manifest), *differences, labels)


def read_official(root: Path) -> list[Row]:
    """Return the rows of the metadata. DataError where labels or counts are not as published."""
    rows = read_rows(root / CSV)
    check_counts(
        "clips per fold", Counter(int(row["fold"]) for row in rows), OFFICIAL_FOLDS, root / CSV
    )
    check_counts(
        "clips per class", Counter(row["class"] for row in rows), OFFICIAL_CLASSES, root / CSV
    )
    _check_labels(rows, root / CSV)
    return rows


def read_rows(path: Path) -> list[Row]:
    """Return the rows of a metadata CSV. DataError where a column is missing or a row damaged."""
    rows = read_table(path, COLUMNS)
    for number, row in enumerate(rows, 2):
        if not _is_whole(row):
            raise damaged_row(path, number, row, COLUMNS)
    return rows


def _is_whole(row: Row) -> bool:
    numbers = row["fold"].isdecimal() and row["classID"].isdecimal()
    return numbers and FILE_NAME.fullmatch(row["slice_file_name"]) is not None


def from_rows(
    name: str,
    root: Path,
    rows: Sequence[Row],
    folds: tuple[int, ...] | None,
    validation: Validation,
    tolerate: tuple[Tolerable, ...],
) -> Dataset:
    """Return the dataset that rows of the metadata describe; arguments as for `urbansound8k`."""
    names = {int(row["classID"]): row["class"] for row in rows}
    known, notes = sorted({int(row["fold"]) for row in rows}), []
    if folds is not None:
        if not folds or not set(folds) <= set(known):
            raise ConfigError(f"dataset.folds={list(folds)}: expected some of {known}")
        rows = [row for row in rows if int(row["fold"]) in folds]
        notes.append(f"only folds {', '.join(map(str, sorted(folds)))} of {len(known)}")
    if validation == "none":
        notes.append("no validation fold is left out")
    if len({row["fold"] for row in rows}) == 1:
        raise _nothing_trains([int(rows[0]["fold"])])
    classes, clips = [names[label] for label in range(len(names))], [_listed(row) for row in rows]
    dataset = from_list(name, root, clips, classes, tolerate=tolerate, notes=notes)
    return dataset if validation == "none" else _with_validation(dataset)


def _listed(row: Row) -> Listed:
    path = f"audio/fold{row['fold']}/{row['slice_file_name']}"
    return Listed(path, (row["class"],), str(int(row["fold"])), row["fsID"])


def _with_validation(dataset: Dataset) -> Dataset:
    """Let the fold after each one (cyclic) validate for it instead of train."""
    folds = []
    for fold, following in zip(dataset.folds, dataset.folds[1:] + dataset.folds[:1], strict=True):
        train = tuple(clip for clip in fold.train if clip.fold != following.number)
        folds.append(Fold(fold.number, train, fold.test, following.test))
    if not folds[0].train:
        raise _nothing_trains([fold.number for fold in folds])
    return replace(dataset, folds=tuple(folds))


def _nothing_trains(folds: list[int]) -> ConfigError:
    return ConfigError(
        f"folds {folds}: with one to test and the next to validate none is left to train on; add "
        "folds, or set dataset.validation=none"
    )


def _check_labels(rows: Iterable[Row], path: Path) -> None:
    """Raise DataError unless each file name agrees with its label."""
    names = list(OFFICIAL_CLASSES)
    for row in rows:
        label = row["slice_file_name"].split("-")[1]
        if row["classID"] != label or names[int(label)] != row["class"]:
            raise DataError(
                f"{path}: {row['slice_file_name']} is labelled {row['classID']} {row['class']}"
            )
