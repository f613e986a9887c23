"""Datasets from a list of clips, each in a split or a fold: what most readers come down to."""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fewshot_audio.datasets.base import Clip, Dataset, Fold, clip_id
from fewshot_audio.datasets.listing import Tolerable, clips_on_disk
from fewshot_audio.types import DataError

SPLITS = ("train", "valid", "test")
WORDS = {  # for a split, in small letters
    "train": ("train", "training"),
    "valid": ("valid", "validation", "validate", "val", "dev"),
    "test": ("test", "testing", "eval", "evaluation"),
}
NUMBER = re.compile(r"(?:fold[ _-]?)?(\d+)(?:\.0+)?")  # 1, 1.0, fold1, fold_01


@dataclass(frozen=True, slots=True)  # there may be many
class Listed:
    """A clip of a list.

    Args:
        path: Path relative to the dataset's root.
        labels: Names of its classes.
        split: "train", "valid" or "test", or the number of its fold, which tests once while the
            others train; of one kind in a whole list.
        group: Recording, speaker or location; empty: the file is alike to no other.
        start: Where the clip begins in the file, in seconds.
        end: Where it ends, in seconds; None: where the file ends.
        number: Its row in a table, for messages; 0: there is none.
    """

    path: str
    labels: tuple[str, ...]
    split: str = ""
    group: str = ""
    start: float = 0.0
    end: float | None = None
    number: int = 0

    @property
    def id(self) -> str:
        """What identifies the clip, as `Clip.id`."""
        return clip_id(self.path, self.start, self.end)

    @property
    def unit(self) -> str:
        """Its group, or the file where it has none: what must not be divided."""
        return self.group or self.path

    @property
    def where(self) -> str:
        """The row and the clip, for messages."""
        return f"row {self.number}: {self.id}" if self.number else self.id


def split_named(text: str) -> str | None:
    """Return the split or the fold that a word means: "train" for "Training", "1" for "fold_1".

    None for a word that means none.
    """
    word = text.strip().casefold()
    if number := NUMBER.fullmatch(word):
        return str(int(number[1]))
    return next((split for split, words in WORDS.items() if word in words), None)


def from_list(
    name: str,
    root: Path,
    rows: Sequence[Listed],
    classes: Sequence[str] | None = None,
    leak_unit: str = "recording",
    multi_label: bool = False,
    tolerate: Sequence[Tolerable] = (),
    notes: Sequence[str] = (),
) -> Dataset:
    """Return the dataset of a list of clips.

    Args:
        name: Name of the dataset in results.
        root: Folder that paths are relative to.
        rows: The clips.
        classes: Names of the classes in their order; None: those of the clips, sorted.
        leak_unit: What a group is.
        multi_label: Whether a clip may have several labels, or none.
        tolerate: "missing" leaves out clips without a file, "silent" accepts clips of zeros.
        notes: What a reader of the results must know.

    Raises:
        DataError: Files are missing, no clip trains or tests, or a class is not among `classes`.
    """
    used = {label for row in rows for label in row.labels}
    names = sorted(used) if classes is None else classes
    if unknown := sorted(used.difference(names)):
        raise DataError(f"{name}: no such class: {', '.join(unknown[:5])}; there are {len(names)}")
    index = {label: number for number, label in enumerate(names)}
    clips = {_clip(row, index): row.split for row in rows}
    present, absent = clips_on_disk(root, list(clips), tolerate)
    parts = tuple(names), folds_of(name, _by_split(present, clips)), (*notes, *absent)
    silent = "silent" in tolerate
    return Dataset(name, root, *parts, leak_unit, multi_label, allow_silent=silent)


def _by_split(present: Sequence[Clip], splits: Mapping[Clip, str]) -> dict[str, list[Clip]]:
    by_split = defaultdict(list)
    for clip in sorted(present, key=lambda clip: clip.id):
        by_split[splits[clip]].append(clip)
    return by_split


def _clip(row: Listed, index: Mapping[str, int]) -> Clip:
    labels = tuple(sorted({index[label] for label in row.labels}))
    fold = int(row.split) if row.split.isdecimal() else 0
    return Clip(row.path, labels, fold, row.unit, row.start, row.end)


def folds_of(name: str, by_split: dict[str, list[Clip]]) -> tuple[Fold, ...]:
    """Return one fold of train, valid and test, or the folds that numbers name.

    Raises:
        DataError: Splits are of both kinds or of neither, or none trains or tests.
    """
    if by_split.keys() <= set(SPLITS):
        train, valid, test = (tuple(by_split.get(split, ())) for split in SPLITS)
        if not (train and test):
            found = f"{len(train)} clips that train and {len(test)} that test"
            raise DataError(f"{name}: found {found}; expected at least one of each")
        return (Fold(1, train, test, valid),)
    if other := sorted(split for split in by_split if not split.isdecimal()):
        raise DataError(
            f"{name}: found the splits {', '.join(other[:5])} beside {len(by_split)} in all; "
            "expected train, valid and test, or whole numbers of folds"
        )
    if len(by_split) < 2:
        raise DataError(f"{name}: found one fold; expected at least two, one of which tests")
    folds = []
    for number in sorted(by_split, key=int):
        others = [clip for split, clips in by_split.items() if split != number for clip in clips]
        train = tuple(sorted(others, key=lambda clip: clip.id))
        folds.append(Fold(int(number), train, tuple(by_split[number])))
    return tuple(folds)
