"""FSD50K: sound events, several labels per clip."""

import csv
from collections import Counter
from pathlib import Path

from fewshot_audio.datasets.base import Dataset
from fewshot_audio.datasets.listed import Listed, from_list
from fewshot_audio.datasets.listing import Tolerable
from fewshot_audio.datasets.official import check_counts, read_table, read_text, verify_list
from fewshot_audio.datasets.verify import Report, complaint
from fewshot_audio.files import find_root
from fewshot_audio.types import DataError

TABLES = "FSD50K.ground_truth"
SPLITS = {"train": "train", "val": "valid"}  # names in dev.csv to ours
OFFICIAL_SPLITS = {"train": 36796, "valid": 4170, "test": 10231}
N_CLASSES = 200


def fsd50k(name: str, root: Path, tolerate: tuple[Tolerable, ...] = ()) -> Dataset:
    """Read FSD50K: 51,197 clips of 200 classes, several each (Fonseca et al., 2022).

    The development set trains and validates as dev.csv says; the evaluation set tests.

    Args:
        name: Name of the dataset in results.
        root: The folder that holds FSD50K.ground_truth, FSD50K.dev_audio and FSD50K.eval_audio.
        tolerate: "missing" leaves out clips without a file, "silent" accepts clips of zeros.

    Raises:
        DataError: A table or files are missing, or a clip has an unknown class or split.
    """
    root = find_root(root, "FSD50K", TABLES)
    rows, classes = read(root), read_classes(root)
    return from_list(name, root, rows, classes, multi_label=True, tolerate=tolerate)


def verify(root: Path, full: bool, workers: int) -> Report:
    """Compare a download with its tables, and the tables with the official counts."""
    root = find_root(root, "FSD50K", TABLES)
    rows = read(root)
    labels = complaint(lambda folder: _check(rows, folder), root)
    return verify_list("fsd50k", root, rows, 44100, labels, full, workers)


def read(root: Path) -> list[Listed]:
    """Return the clips of dev.csv and eval.csv."""
    rows = []
    for part, columns in (("dev", ("fname", "labels", "split")), ("eval", ("fname", "labels"))):
        path = root / TABLES / f"{part}.csv"
        for row in read_table(path, columns):
            split = SPLITS.get(row["split"]) if part == "dev" else "test"
            if split is None:
                raise DataError(
                    f"{path}: {row['fname']} has split {row['split']}, not train or val"
                )
            file = f"FSD50K.{part}_audio/{row['fname']}.wav"
            rows.append(Listed(file, tuple(row["labels"].split(",")), split))
    return rows


def read_classes(root: Path) -> list[str]:
    """Return the names of the classes in the order of vocabulary.csv, which has no header."""
    lines = read_text(root / TABLES / "vocabulary.csv").splitlines()
    return [row[1] for row in csv.reader(lines) if len(row) > 1]


def _check(rows: list[Listed], root: Path) -> None:
    check_counts("clips per split", Counter(row.split for row in rows), OFFICIAL_SPLITS, root)
    classes = read_classes(root)
    unknown = {label for row in rows for label in row.labels} - set(classes)
    found = {"classes": len(set(classes)), "unknown labels": len(unknown)}
    check_counts("numbers", found, {"classes": N_CLASSES, "unknown labels": 0}, root)
