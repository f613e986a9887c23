"""Contract of datasets: clips, in folds that say which of them train, validate and test."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from fewshot_audio.types import ConfigError, DataError

TASK = "/"  # between a task and what belongs to it: "digits/zero"


@dataclass(frozen=True, slots=True)  # there may be many
class Clip:
    """One audio file, or a part of one, with its labels.

    Args:
        path: Path relative to the dataset's root.
        labels: Indices of its classes; one in most datasets.
        fold: Number of the dataset's own fold that the clip is in, 0 where there are none.
        group: Recording, speaker or location: clips of one group are alike.
        start: Where the clip begins in the file, in seconds.
        end: Where it ends, in seconds; None: where the file ends.
    """

    path: str
    labels: tuple[int, ...]
    fold: int
    group: str
    start: float = 0.0
    end: float | None = None

    @property
    def id(self) -> str:
        """What identifies the clip: its path, with its part of the file as "a.wav#1.5-3.0"."""
        return clip_id(self.path, self.start, self.end)

    @property
    def label(self) -> int:
        """The only label.

        Raises:
            DataError: The clip has none or several.
        """
        if len(self.labels) != 1:
            raise DataError(
                f"{self.path} has {len(self.labels)} labels, expected one; choose a method and "
                "metrics for several labels per clip"
            )
        return self.labels[0]


def clip_id(path: str, start: float, end: float | None) -> str:
    """Return what identifies a part of a file (seconds); the path where it is the whole file."""
    if start == 0 and end is None:
        return path
    return f"{path}#{float(start)}-{'' if end is None else float(end)}"


@dataclass(frozen=True)
class Fold:
    """Which clips train, which test and which validate; each sorted by id."""

    number: int
    train: tuple[Clip, ...]
    test: tuple[Clip, ...]
    valid: tuple[Clip, ...] = ()

    @cached_property
    def digest(self) -> str:
        """Digest of the clips that train and that test: 16 hexadecimal digits."""
        return _digest_of_clips(self.train, (), self.test)

    @cached_property
    def digest_with_valid(self) -> str:
        """The same with the clips that validate, for results that depend on them."""
        return _digest_of_clips(self.train, self.valid, self.test)


def _digest_of_clips(*splits: tuple[Clip, ...]) -> str:
    """Return the start of the SHA-256 over ids, labels and groups."""
    return _digest([[[clip.id, _plain(clip.labels), clip.group] for clip in x] for x in splits])


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()[:16]


def _plain(labels: tuple[int, ...]) -> int | list[int]:
    return labels[0] if len(labels) == 1 else list(labels)


@dataclass(frozen=True)
class Dataset:
    """All clips of a dataset in its folds.

    Args:
        name: Name in tables, file names and seeds.
        root: Folder that the clips' paths are relative to.
        classes: Names of the classes; a label is an index into them.
        folds: The dataset's splits into clips that train, validate and test.
        notes: What a reader of the results must know, as "only folds 1, 2 of 10".
        leak_unit: What a group is: "recording", "speaker", "location".
        multi_label: Whether a clip may have several labels, or none.
        allow_silent: Whether clips whose samples are all zero are accepted.
        made: How its splits were made, as "5-folds-seed-0"; empty: they are the data's own.
        tasks: The datasets that it joins, by task, of which paths and groups, and names of classes,
            begin with the task and a slash; empty: none.

    Raises:
        DataError: There is no fold, or a clip has labels that the dataset does not allow.
    """

    name: str
    root: Path
    classes: tuple[str, ...]
    folds: tuple[Fold, ...]
    notes: tuple[str, ...] = ()
    leak_unit: str = "recording"
    multi_label: bool = False
    allow_silent: bool = False
    made: str = ""
    tasks: Mapping[str, "Dataset"] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.folds:
            raise DataError(f"{self.name}: a dataset needs at least one fold, found none")
        known = set(range(len(self.classes)))
        for clip in self.clips:
            if not known.issuperset(clip.labels):
                raise DataError(
                    f"{self.name}: {clip.path} has the labels {clip.labels}, expected indices of "
                    f"the {len(self.classes)} classes"
                )
            if len(clip.labels) != 1 and not self.multi_label:
                raise DataError(
                    f"{self.name}: {clip.path} has {len(clip.labels)} labels, expected one; "
                    "a dataset with several labels per clip sets multi_label=True"
                )

    @cached_property
    def clips(self) -> tuple[Clip, ...]:
        """Every clip of every fold once, sorted by id."""
        clips = {clip for fold in self.folds for clip in fold.train + fold.valid + fold.test}
        return tuple(sorted(clips, key=lambda clip: clip.id))

    @cached_property
    def partition(self) -> str:
        """Digest of the clips that each fold tests: 16 hexadecimal digits."""
        return _digest({fold.number: [clip.id for clip in fold.test] for fold in self.folds})

    @property
    def parts(self) -> Mapping[str, "Dataset"]:
        """The datasets that it joins, by task; itself by its name if it joins none."""
        return self.tasks or {self.name: self}

    def file(self, path: str) -> Path:
        """Return where the file of a clip lies."""
        if not self.tasks:
            return self.root / path
        task, _, rest = path.partition(TASK)
        return self.tasks[task].file(rest)

    def fold(self, number: int) -> Fold:
        """Return the fold with a number.

        Raises:
            ConfigError: There is no such fold.
        """
        for fold in self.folds:
            if fold.number == number:
                return fold
        numbers = ", ".join(str(fold.number) for fold in self.folds)
        raise ConfigError(f"fold={number}: {self.name} has the folds {numbers}")


@dataclass(frozen=True)
class FewShotSplit:
    """Which clips train and test in one repeat; the same for every model and frontend.

    Args:
        n_per_class: Training clips per class; None: all.
        repeat: 1 ... m.
        train: Clips that train, in the order in which they were drawn.
        test: Clips that test.
        valid: Clips that validate; none in a few-shot split.
    """

    n_per_class: int | None
    repeat: int
    train: tuple[Clip, ...]
    test: tuple[Clip, ...]
    valid: tuple[Clip, ...] = ()
