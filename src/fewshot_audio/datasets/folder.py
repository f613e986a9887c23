"""Recordings in folders: one per class, or train, valid and test above them."""

import os
from collections.abc import Mapping
from pathlib import Path

from fewshot_audio.datasets.base import Dataset
from fewshot_audio.datasets.listed import Listed, split_named
from fewshot_audio.datasets.listing import Problems, Tolerable, shorten
from fewshot_audio.datasets.own import Choice, Label, own_dataset
from fewshot_audio.datasets.partition import Partition
from fewshot_audio.datasets.verify import Report, check_files, complaint, decoding_error
from fewshot_audio.features.audio import SUFFIXES
from fewshot_audio.files import walk
from fewshot_audio.progress import counted
from fewshot_audio.types import DataError

NAMED = 5  # files or folders in a note


def from_folder(  # noqa: D417
    name: str,
    root: Path,
    group_by: str | None = None,
    classes: tuple[Label, ...] | None = None,
    labels: Mapping[Label, Label | None] | None = None,
    min_clips: int = 1,
    split: Partition = Partition(),  # noqa: B008  # frozen
    tolerate: tuple[Tolerable, ...] = (),
) -> Dataset:
    """Read recordings whose class is the name of their folder.

    They lie in `root/CLASS/`, at any depth, or in `root/SPLIT/CLASS/`, where SPLIT is train, valid,
    test or another word for one (`split_named`), or fold1, fold2 and so on. Hidden files and files
    that are no audio are left out. The other arguments are those of `Choice`.

    Args:
        name: Name of the dataset in results.
        root: The folder.

    Raises:
        ConfigError: A setting is impossible.
        DataError: There are no clips, or they have problems; all of them are named.
    """
    root = root.expanduser()
    paths, others = list_audio(root)
    problems = Problems(root)
    rows = _rows(paths, problems)
    notes = []
    if others:
        what = f"{counted(len(others), 'file')} left out, hidden or no audio by the name"
        notes.append(f"{what}: {_named(sorted(others, key=_is_hidden))}")
    if empty := _without_audio(root, paths):
        notes.append(f"{counted(len(empty), 'folder')} without audio left out: {_named(empty)}")
    choice = Choice(group_by, classes, labels or {}, min_clips, split, tolerate)
    return own_dataset(name, root, rows, choice, problems, notes)


def verify(root: Path, full: bool, workers: int) -> Report:
    """List the files of a folder of recordings; in full, decode every one."""
    root = root.expanduser()
    paths, others = list_audio(root)
    bad = check_files(root, paths, decoding_error, workers) if full else []
    labels = complaint(lambda folder: from_folder("folder", folder), root)
    files = (len(paths), (), tuple(bad), tuple(others))
    return Report("folder", str(root), full, *files, labels, published=False)


def list_audio(root: Path) -> tuple[list[str], list[str]]:
    """Return the audio files below a folder, and the others; links to folders are followed.

    Raises:
        DataError: There is no such folder, no audio in it, or a folder in it cannot be read.
    """
    if not root.is_dir():
        hint = "; for a table, dataset=csv" if root.is_file() else ""
        raise DataError(f"dataset.root={root}: expected a folder{hint}")
    audio, others, failed = _walk(root)
    unread = [
        f"{error.filename} ({error.strerror})"
        for error in failed
        if not _is_hidden(os.path.relpath(error.filename, root))
    ]
    if unread:
        raise DataError(
            f"dataset.root={root}: folders that cannot be read ({len(unread)}); give yourself "
            f"permission, or move them elsewhere\n{shorten(unread)}"
        )
    if not audio:
        kinds = ", ".join(sorted(suffix[1:] for suffix in SUFFIXES))
        raise DataError(
            f"dataset.root={root}: found no audio in {len(others)} files; expected {kinds}"
        )
    return audio, others


def _walk(root: Path) -> tuple[list[str], list[str], list[OSError]]:
    """Return the audio files below a folder, the others, and why folders cannot be read."""
    audio: list[str] = []
    others: list[str] = []
    failed: list[OSError] = []
    for folder, files in walk(root, failed.append):
        place = os.path.relpath(folder, root)
        hidden = _is_hidden(place)
        for file in files:
            path = file if place == "." else f"{Path(place).as_posix()}/{file}"
            is_audio = os.path.splitext(file)[1].lower() in SUFFIXES
            known = is_audio and not hidden and not file.startswith(".")
            (audio if known else others).append(path)
    return audio, others, failed


def _named(paths: list[str]) -> str:
    more = f" and {len(paths) - NAMED:,} more" if len(paths) > NAMED else ""
    return ", ".join(paths[:NAMED]) + more


def _is_hidden(path: str) -> bool:
    return any(part.startswith(".") for part in Path(path).parts)


def _in_splits(paths: list[str]) -> bool:
    """Return whether the folders below the root are splits, and classes in them."""
    tops = {path.split("/")[0] for path in paths if "/" in path}
    return bool(tops) and all(split_named(top) and not top[0].isdigit() for top in tops)


def _without_audio(root: Path, paths: list[str]) -> list[str]:
    """Return the folders of classes, and of splits, that hold no audio at any depth."""
    depths = (1, 2) if _in_splits(paths) else (1,)
    found = {"/".join(path.split("/")[:depth]) for path in paths for depth in depths}
    folders = (
        each.relative_to(root).as_posix()
        for depth in depths
        for each in root.glob("/".join("*" * depth))
        if each.is_dir()
    )
    return sorted(each for each in folders if each not in found and not _is_hidden(each))


def _rows(paths: list[str], problems: Problems) -> list[Listed]:
    """Return the clips of files, their class and split from the folders that they are in."""
    in_splits = _in_splits(paths)
    above = "SPLIT/CLASS" if in_splits else "CLASS"
    rows = []
    for path in paths:
        parts = path.split("/")
        if len(parts) < 2 + in_splits:
            problems.add(f"files without the folder of a class; expected {above}/FILE", path)
            continue
        split = split_named(parts[0]) if in_splits else None
        rows.append(Listed(path, (parts[int(in_splits)],), split or ""))
    return rows
