"""Datasets of a user's own recordings: what those from a folder and from a table share."""

import difflib
import os
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from fewshot_audio.datasets.base import Dataset
from fewshot_audio.datasets.listed import Listed, from_list
from fewshot_audio.datasets.listing import Problems, Tolerable, shorten
from fewshot_audio.datasets.partition import Partition, divide, with_valid
from fewshot_audio.datasets.row_checks import (
    DROP,
    find_duplicates,
    find_impossible_classes,
    find_variants,
)
from fewshot_audio.files import list_files
from fewshot_audio.progress import counted
from fewshot_audio.types import ConfigError, DataError

FORMS: tuple[Literal["NFC", "NFD"], ...] = ("NFC", "NFD")  # of Unicode
Label = str | int  # 3 on the command line is a number


@dataclass(frozen=True)
class Choice:
    """Which clips of a list make up the dataset, how they are grouped and divided.

    Args:
        group_by: A regular expression that finds a clip's group in its path, as its first group in
            parentheses; None: as listed.
        classes: Classes that are kept; None: all.
        labels: New name of a class by its old one; None: its clips are dropped.
        min_clips: Clips that a class needs so as not to be dropped.
        split: How clips are divided.
        tolerate: "missing" leaves out clips without a file, "silent" accepts clips of zeros.
    """

    group_by: str | None = None
    classes: Sequence[Label] | None = None
    labels: Mapping[Label, Label | None] = field(default_factory=dict)
    min_clips: int = 1
    split: Partition = field(default_factory=Partition)
    tolerate: Sequence[Tolerable] = ()


def own_dataset(
    name: str,
    root: Path,
    rows: Sequence[Listed],
    choice: Choice,
    problems: Problems,
    notes: Sequence[str] = (),
    multi_label: bool = False,
) -> Dataset:
    """Return the dataset of a user's list of clips.

    Args:
        name: Name of the dataset in results.
        root: Folder that paths are relative to.
        rows: The clips.
        choice: Which of them, grouped and divided how.
        problems: What is wrong with rows that are not among `rows`.
        notes: What a reader of the results must know.
        multi_label: Whether a clip may have several labels, or none.

    Raises:
        ConfigError: A setting is impossible.
        DataError: Rows have problems; all of them are named.
    """
    if not rows:
        problems.raise_any()
        raise DataError(f"{problems.where}: no clips in it")
    rows, left_out = _checked_rows(root, rows, choice, problems)
    unit = "group" if any(row.group for row in rows) else "recording"
    rows, made, said = divide(rows, choice.split)
    notes = (*notes, *left_out, *said)
    silent: list[Tolerable] = ["silent"] if "silent" in choice.tolerate else []
    dataset = from_list(name, root, rows, None, unit, multi_label, silent, notes)
    return _checked(with_valid(replace(dataset, made=made), choice.split))


def _checked_rows(
    root: Path, rows: Sequence[Listed], choice: Choice, problems: Problems
) -> tuple[list[Listed], tuple[str, ...]]:
    """Return the chosen rows, and what to say about the others. DataError names all problems."""
    whole = not problems.found  # else classes may seem to lack what bad rows have
    rows, dropped = choose(rows, choice)
    rows = _grouped(rows, choice.group_by, problems)
    rows, absent = _on_disk(root, rows, choice.tolerate, problems)
    find_duplicates(rows, problems)
    find_variants(rows, problems)
    if whole:
        find_impossible_classes(rows, choice.split, problems)
    problems.raise_any()
    rows = [_with_labels(row, (label.strip() for label in row.labels)) for row in rows]
    return rows, (*dropped, *absent)


def choose(rows: Sequence[Listed], choice: Choice) -> tuple[list[Listed], tuple[str, ...]]:
    """Rename and drop classes; return the rows that are left, and what to say about the others.

    Raises:
        ConfigError: A class of the settings does not exist, or none is left.
    """
    renamed = {str(old): new for old, new in choice.labels.items()}
    _check_known("labels", renamed, _names(rows))
    unlabelled = {row.id for row in rows if not row.labels}
    rows = [_with_labels(row, _renamed(row.labels, renamed)) for row in rows]
    kept = _names(rows)
    if choice.classes is not None:
        wanted = {str(name) for name in choice.classes}
        _check_known("classes", wanted, kept)
        kept &= wanted
    counts = Counter(label.strip() for row in rows for label in row.labels)
    small = sorted(name for name in kept if counts[name] < choice.min_clips)
    notes = []
    if small:
        few = f"dropped for fewer than {choice.min_clips} clips: {', '.join(small[:10])}"
        notes.append(f"{counted(len(small), 'class', 'classes')} {few}")
        kept -= set(small)
    chosen = []
    for row in rows:
        labels = tuple(label for label in row.labels if label.strip() in kept)
        if labels or row.id in unlabelled:
            chosen.append(_with_labels(row, labels))
    if not kept or not chosen:
        raise ConfigError("dataset.classes, dataset.labels, dataset.min_clips: no class is left")
    if left_out := len(rows) - len(chosen):
        notes.append(f"{counted(left_out, 'clip')} of other classes left out")
    return chosen, tuple(notes)


def _names(rows: Iterable[Listed]) -> set[str]:
    return {label.strip() for row in rows for label in row.labels}


def _renamed(labels: Iterable[str], names: Mapping[str, Label | None]) -> Iterable[str]:
    new = {label: names.get(label.strip(), label) for label in labels}
    return dict.fromkeys(str(name) for name in new.values() if name is not None)


def _with_labels(row: Listed, labels: Iterable[str]) -> Listed:
    new = tuple(labels)
    return row if new == row.labels else replace(row, labels=new)


def _check_known(setting: str, names: Iterable[str], known: set[str]) -> None:
    for name in names:
        if name not in known:
            close = difflib.get_close_matches(name, known) or sorted(known)[:10]
            raise ConfigError(
                f"dataset.{setting}: there is no class {name}; did you mean {' or '.join(close)}?"
            )


def _grouped(rows: list[Listed], pattern: str | None, problems: Problems) -> list[Listed]:
    """Give each row the group that a regular expression finds in its path."""
    if pattern is None:
        return rows
    try:
        found = re.compile(pattern)
    except re.error as error:
        raise ConfigError(f"dataset.group_by={pattern}: no regular expression ({error})") from error
    if found.groups < 1:
        raise ConfigError(f"dataset.group_by={pattern}: put what names the group in parentheses")
    grouped = []
    for row in rows:
        match = found.search(row.path)
        if match is None or not match[1]:
            problems.add(f"dataset.group_by={pattern} finds no group in the path", row.where)
        else:
            row = replace(row, group=match[1])
        grouped.append(row)
    return grouped


def _on_disk(
    root: Path, rows: list[Listed], tolerate: Sequence[Tolerable], problems: Problems
) -> tuple[list[Listed], tuple[str, ...]]:
    """Find missing files: a problem, or left out with a note where that is tolerated."""
    present = list_files(root, {os.path.dirname(row.path) for row in rows}, False)
    missing = [row for row in rows if row.path not in present]
    if "missing" in tolerate and len(missing) < len(rows):
        note = f"{len(missing)} of {len(rows)} listed clips are missing and left out"
        return [row for row in rows if row.path in present], (note,) if missing else ()
    for row in missing:
        kind = f"files not in {root} (dataset.root); dataset.tolerate=[missing] leaves them out"
        if any((root / unicodedata.normalize(form, row.path)).exists() for form in FORMS):
            kind = (
                f"files that {root} (dataset.root) has with letters composed otherwise (Unicode "
                "NFC, NFD); write the table, or name the files, in the same form"
            )
        problems.add(kind, row.where)
    return rows, ()


def _checked(dataset: Dataset) -> Dataset:
    """Return a dataset, with a note on classes that some fold does not test.

    Raises:
        DataError: A class tests or validates in a fold in which it does not train.
    """
    lacking, untested = [], set()
    for fold in dataset.folds:
        train, test, valid = (
            {label for clip in clips for label in clip.labels}
            for clips in (fold.train, fold.test, fold.valid)
        )
        untested |= train - test
        where = f"fold {fold.number}: " if len(dataset.folds) > 1 else ""
        lacking += [where + dataset.classes[label] for label in sorted((test | valid) - train)]
    if lacking:
        raise DataError(
            f"{dataset.name}: classes that test and do not train, for want of groups; {DROP}, or "
            f"choose another dataset.split.seed\n{shorten(lacking)}"
        )
    if not untested:
        return dataset
    named = ", ".join(dataset.classes[label] for label in sorted(untested)[:10])
    verb = "is not tested" if len(untested) == 1 else "are not tested"
    where = " in every fold" if len(dataset.folds) > 1 else ""
    note = f"{counted(len(untested), 'class', 'classes')} {verb}{where}: {named}"
    return replace(dataset, notes=(*dataset.notes, note))
