"""AudioSet: whatever part of its segments is there as audio files, several labels each."""

import csv
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from fewshot_audio.datasets.base import Dataset
from fewshot_audio.datasets.listed import Listed, from_list
from fewshot_audio.datasets.listing import Tolerable
from fewshot_audio.datasets.official import check_counts, read_table, read_text, verify_list
from fewshot_audio.datasets.verify import Report, complaint
from fewshot_audio.files import find_root, walk
from fewshot_audio.types import DataError

Train = Literal["balanced", "unbalanced", "both"]
TRAIN: dict[Train, tuple[str, ...]] = {
    "balanced": ("balanced_train",),
    "unbalanced": ("unbalanced_train",),
    "both": ("balanced_train", "unbalanced_train"),
}
OFFICIAL_SEGMENTS = {"balanced_train": 22160, "unbalanced_train": 2041789, "eval": 20371}
CLASSES, N_CLASSES = "class_labels_indices.csv", 527
COLUMNS = ("mid", "display_name")
SUFFIXES = (".wav", ".flac", ".ogg", ".mp3")
ID = 11  # characters of a YouTube id
Segments = dict[str, tuple[str, ...]]  # YouTube id to names of classes


def audioset(
    name: str, root: Path, train: Train = "balanced", tolerate: tuple[Tolerable, ...] = ()
) -> Dataset:
    """Read the segments of AudioSet that have a file (Gemmeke et al., 2017); those of eval test.

    A file holds one segment. Its name is the YouTube id, or Y and the id, and may go on after "_":
    ID.wav, YID.wav, ID_30.wav, ID_30_40.wav, ID_30000_40000.flac. It may lie in any folder below
    the root. Of several files of a segment the first by path counts.

    Args:
        name: Name of the dataset in results.
        root: The folder that holds the segment lists, class_labels_indices.csv and the audio.
        train: The segment lists that train.
        tolerate: "silent" accepts clips of zeros; segments without a file are always left out.

    Raises:
        DataError: A list is missing or damaged, or none that trains or none that tests has a file.
    """
    root = find_root(root, "audioset", CLASSES)
    rows, notes = read(root, (*TRAIN[train], "eval"))
    if not rows:
        raise DataError(
            f"dataset.root={root}: no file of a listed segment; expected names as ID.wav, YID.wav "
            f"or ID_30_40.wav, ending in {', '.join(SUFFIXES)}, in any folder below it"
        )
    classes = list(read_classes(root).values())
    return from_list(name, root, rows, classes, multi_label=True, tolerate=tolerate, notes=notes)


def verify(root: Path, full: bool, workers: int) -> Report:
    """Compare the lists that are there with their official counts; count segments with a file."""
    root = find_root(root, "audioset", CLASSES)
    parts = [part for part in OFFICIAL_SEGMENTS if _list(root, part).is_file()]
    rows, notes = read(root, parts)
    labels = complaint(lambda folder: _check(folder, parts), root)
    return verify_list("audioset", root, rows, None, labels, full, workers, tuple(notes))


def read(root: Path, parts: Sequence[str]) -> tuple[list[Listed], list[str]]:
    """Return the segments of some lists that have a file, and a note on each list."""
    files, classes = audio_files(root), read_classes(root)
    rows, notes = [], []
    for part in parts:
        segments = read_segments(_list(root, part), classes)
        present = segments.keys() & files.keys()
        split = "test" if part == "eval" else "train"
        rows += [Listed(files[each], segments[each], split) for each in sorted(present)]
        notes.append(f"{part}: {len(present):,} of {len(segments):,} segments have a file")
    return rows, notes


def read_segments(path: Path, classes: Mapping[str, str]) -> Segments:
    """Return the segments of a list with their classes.

    Args:
        path: The list: YouTube id, start, end (seconds), identifiers of classes; # begins comments.
        classes: Names of the classes by their identifiers.

    Raises:
        DataError: The list is missing, or a row is damaged or names an unknown class.
    """
    segments = {}
    for row in csv.reader(read_text(path).splitlines(), skipinitialspace=True):
        if not row or row[0].startswith("#"):
            continue
        labels = row[-1].split(",")
        if len(row) != 4 or not classes.keys() >= set(labels):
            raise DataError(
                f"{path}: damaged row {','.join(row)}; expected an id, start, end and identifiers "
                f"of {CLASSES} in quotes"
            )
        segments[row[0]] = tuple(classes[label] for label in labels)
    return segments


def read_classes(root: Path) -> dict[str, str]:
    """Return the names of the classes by their identifiers, in their order."""
    return {row["mid"]: row["display_name"] for row in read_table(root / CLASSES, COLUMNS)}


def audio_files(root: Path) -> dict[str, str]:
    """Return the path of each file by every id that its name may begin with."""
    files: dict[str, str] = {}
    for folder, names in walk(root):
        for name in names:
            stem, suffix = os.path.splitext(name)
            for text in (stem, stem[1:] if stem.startswith("Y") else ""):
                if (
                    suffix.lower() in SUFFIXES
                    and len(text) >= ID
                    and text[ID : ID + 1] in ("", "_")
                ):
                    files.setdefault(text[:ID], os.path.relpath(os.path.join(folder, name), root))
    return files


def _check(root: Path, parts: Sequence[str]) -> None:
    classes = read_classes(root)
    check_counts("numbers", {"classes": len(set(classes.values()))}, {"classes": N_CLASSES}, root)
    found = {part: len(read_segments(_list(root, part), classes)) for part in parts}
    check_counts(
        "segments per list", found, {part: OFFICIAL_SEGMENTS[part] for part in parts}, root
    )


def _list(root: Path, part: str) -> Path:
    return root / f"{part}_segments.csv"
