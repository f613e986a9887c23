"""CSV files of few-shot splits: one row per training clip."""

import csv
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from fewshot_audio.datasets.base import Clip, Dataset, FewShotSplit, Fold
from fewshot_audio.files import atomic_write
from fewshot_audio.types import DataError

COLUMNS = ("dataset", "fold", "n_per_class", "repeat", "path")


def write_splits(
    dataset: Dataset, splits: Mapping[Fold, Iterable[FewShotSplit]], path: Path
) -> None:
    """Write the splits of some folds."""
    with atomic_write(path) as draft, draft.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for fold, of_fold in splits.items():
            for split in of_fold:
                for clip in split.train:
                    writer.writerow(
                        (dataset.name, fold.number, split.n_per_class, split.repeat, clip.id)
                    )


def read_splits(dataset: Dataset, fold: Fold, path: Path) -> dict[tuple[int, int], FewShotSplit]:
    """Read the splits of one dataset and fold.

    Returns:
        The splits by n per class and repeat, their clips in the order of the file.

    Raises:
        DataError: A column is missing, a clip is not one that trains, or a split does not hold n
            different clips per class.
    """
    known = {clip.id: clip for clip in fold.train}
    clips: dict[tuple[int, int], list[Clip]] = defaultdict(list)
    for number, row in enumerate(_rows(path), 2):
        if (row["dataset"], row["fold"]) != (dataset.name, str(fold.number)):
            continue
        if row["path"] not in known:
            raise DataError(
                f"{path}:{number}: {row['path']} is not a training clip of {dataset.name}, "
                f"fold {fold.number}"
            )
        if not (row["n_per_class"].isdecimal() and row["repeat"].isdecimal()):
            raise DataError(
                f"{path}:{number}: n_per_class {row['n_per_class']}, repeat {row['repeat']}; "
                "expected whole numbers"
            )
        clips[int(row["n_per_class"]), int(row["repeat"])].append(known[row["path"]])
    if not clips:
        raise DataError(f"{path} has no splits of {dataset.name}, fold {fold.number}")
    splits = {}
    for (n, repeat), train in clips.items():
        _check(dataset, train, n, f"{path}: fold {fold.number}, n {n}, repeat {repeat}")
        splits[n, repeat] = FewShotSplit(n, repeat, tuple(train), fold.test)
    return splits


def _rows(path: Path) -> list[dict[str, str]]:
    if not path.is_file():
        raise DataError(f"splits={path}: no such file; scripts/splits.py writes one")
    with path.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.DictReader(file, restval="")
        try:
            absent = sorted(set(COLUMNS) - set(reader.fieldnames or ()))
            if absent:
                raise DataError(
                    f"{path}: column {', '.join(absent)} is missing; expected {', '.join(COLUMNS)}"
                )
            return list(reader)
        except UnicodeDecodeError as error:
            raise DataError(f"{path} is no text in UTF-8 ({error})") from error


def _check(dataset: Dataset, clips: Sequence[Clip], n: int, where: str) -> None:
    """Raise DataError unless each class has n different clips; at least n with several labels."""
    for label, name in enumerate(dataset.classes):
        ids = [clip.id for clip in clips if label in clip.labels]
        different = len(set(ids))
        enough = different >= n if dataset.multi_label else different == n
        if not enough or different != len(ids):
            raise DataError(
                f"{where}: expected {n} different clips of {name}, found {different} "
                f"in {len(ids)} rows"
            )
