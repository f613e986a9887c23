"""UrbanSound8K in its official layout and folds."""

import csv
import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from fewshot_audio.datasets.listing import Tolerable, present
from fewshot_audio.files import find_root
from fewshot_audio.types import Clip, ConfigError, DataError, Dataset, Fold

CSV = "metadata/UrbanSound8K.csv"
COLUMNS = ("slice_file_name", "fsID", "fold", "classID", "class")
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


def urbansound8k(
    name: str,
    root: Path,
    folds: tuple[int, ...] | None,
    validation: Literal["next", "none"],
    tolerate: tuple[Tolerable, ...],
) -> Dataset:
    """The official dataset below `root`; ConfigError or DataError where labels, folds or files are not as published.

    `folds` keeps a part of the ten. Fold k tests; with `validation="next"` the fold after it (cyclic) is left out, as the
    study did. `tolerate=["missing"]` leaves out clips whose file is absent. Source: Salamon, Jacoby & Bello (2014).
    """
    root = find_root(root, "UrbanSound8K", CSV)
    return from_rows(name, root, read_official(root), folds, validation, tolerate)


def read_official(root: Path) -> list[dict[str, str]]:
    """The metadata below the root to its rows. DataError where labels, folds or counts are not as published."""
    rows = read_rows(root / CSV)
    _check_official(rows, root / CSV)
    return rows


def read_rows(path: Path) -> list[dict[str, str]]:
    """The metadata CSV to its rows. DataError when a column is missing or a row is damaged."""
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        absent = [column for column in COLUMNS if column not in (reader.fieldnames or ())]
        if absent:
            raise DataError(
                f"{path}: column {', '.join(absent)} is missing; found {', '.join(reader.fieldnames or ())}"
            )
        rows = list(reader)
    for number, row in enumerate(rows, 2):
        whole = (
            all(row[column] for column in COLUMNS)
            and row["fold"].isdecimal()
            and row["classID"].isdecimal()
        )
        if not (whole and re.fullmatch(r"\d+-\d+-\d+-\d+\.\w+", row["slice_file_name"])):
            raise DataError(
                f"{path}:{number}: damaged row {','.join(str(row[column]) for column in COLUMNS)}; download it again"
            )
    return rows


def from_rows(
    name: str,
    root: Path,
    rows: Iterable[dict[str, str]],
    folds: tuple[int, ...] | None,
    validation: Literal["next", "none"],
    tolerate: tuple[Tolerable, ...],
) -> Dataset:
    """Metadata rows to a dataset with the split rule of the study."""
    classes = {int(row["classID"]): row["class"] for row in rows}
    clips = [
        Clip(
            f"audio/fold{r['fold']}/{r['slice_file_name']}",
            int(r["classID"]),
            int(r["fold"]),
            r["fsID"],
        )
        for r in rows
    ]
    notes = []
    if folds is not None:
        known = sorted({clip.fold for clip in clips})
        if not folds or not set(folds) <= set(known):
            raise ConfigError(f"dataset.folds={list(folds)}: expected some of {known}")
        clips = [clip for clip in clips if clip.fold in folds]
        notes.append(f"only folds {', '.join(str(fold) for fold in sorted(folds))} of {len(known)}")
    clips, absent = present(root, clips, tolerate)
    split = _split(clips, validation)
    if validation == "none":
        notes.append("no validation fold is left out")
    return Dataset(
        name, root, tuple(classes[i] for i in range(len(classes))), split, (*notes, *absent)
    )


def _split(clips: list[Clip], validation: str) -> tuple[Fold, ...]:
    """Fold k tests, the next (cyclic) is left out where asked, the others train."""
    by_fold = defaultdict(list)
    for clip in sorted(clips, key=lambda clip: clip.path):
        by_fold[clip.fold].append(clip)
    numbers = sorted(by_fold)
    folds = []
    for i, number in enumerate(numbers):
        out = {number, numbers[(i + 1) % len(numbers)]} if validation == "next" else {number}
        train = [clip for other in numbers if other not in out for clip in by_fold[other]]
        folds.append(
            Fold(number, tuple(sorted(train, key=lambda clip: clip.path)), tuple(by_fold[number]))
        )
    if not folds[0].train:
        raise ConfigError(
            f"folds {numbers}: with one to test and the next left out for validation none is left to train on; "
            "add folds, or set dataset.validation=none"
        )
    return tuple(folds)


def _check_official(rows: list[dict[str, str]], path: Path) -> None:
    """DataError unless the counts per fold and class are the published ones and file names agree with their labels."""
    folds = Counter(int(row["fold"]) for row in rows)
    classes = Counter(row["class"] for row in rows)
    for what, found, official in (
        ("fold", folds, OFFICIAL_FOLDS),
        ("class", classes, OFFICIAL_CLASSES),
    ):
        wrong = [
            f"{k}: {found.get(k, 0)}, not {official.get(k, 0)}"
            for k in official | found
            if found.get(k) != official.get(k)
        ]
        if wrong:
            raise DataError(
                f"{path}: clips per {what} differ from the official ones ({'; '.join(map(str, wrong))})"
            )
    order = list(OFFICIAL_CLASSES)
    for row in rows:
        named = row["slice_file_name"].split("-")[1]
        if row["classID"] != named or order[int(named)] != row["class"]:
            raise DataError(
                f"{path}: {row['slice_file_name']} is labelled {row['classID']} {row['class']}"
            )
