"""Files and folders: written whole, hashed, listed, locked."""

import contextlib
import errno
import hashlib
import logging
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from itertools import chain
from pathlib import Path
from typing import TypeVar

from filelock import BaseFileLock, Timeout
from tqdm import tqdm

from fewshot_audio.types import DataError

Result = TypeVar("Result")
AT_ONCE = 1000  # files that threads are given: each takes a kilobyte then
log = logging.getLogger(__name__)


@contextlib.contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Yield a draft beside a file; rename it onto the file unless the block fails."""
    _make_folder(path.parent)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    os.close(handle)
    draft = Path(name)
    try:
        yield draft
        sync(draft)
        os.chmod(draft, 0o644)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


@contextlib.contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Yield a draft beside a folder; put it in the folder's place unless the block fails.

    Drafts that killed processes have left there are removed first.
    """
    _make_folder(path.parent)
    for left in path.parent.glob(f".{path.name}.*"):
        shutil.rmtree(left)
    draft = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    try:
        yield draft
        for each in draft.rglob("*"):
            sync(each)
        os.chmod(draft, 0o755)
        if path.exists():
            path.rename(path.with_name(f".{path.name}.old"))
        draft.rename(path)
    finally:
        for left in path.parent.glob(f".{path.name}.*"):
            shutil.rmtree(left)


def sync(path: Path) -> None:
    """Wait until the disk has what is in a file, or which entries a folder has."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _make_folder(path: Path) -> None:
    """Make a folder and those above it; NotADirectoryError where a file has its name."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(path)) from None


def acquire(lock: BaseFileLock, message: str) -> AbstractContextManager:
    """Acquire a file lock; log a message first where another process holds it.

    Returns:
        A context manager that releases the lock at its end.
    """
    try:
        return lock.acquire(timeout=0)
    except Timeout:
        log.info(message)
        return lock.acquire()


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file's bytes as hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def in_threads(
    work: Callable[[Path], Result], root: Path, paths: Sequence[str], workers: int, title: str
) -> Iterator[tuple[str, Result]]:
    """Do some work with each of the files below a root, under a bar with a title.

    Yields:
        A path, in their order, and what the work gave.
    """
    parts = (paths[start : start + AT_ONCE] for start in range(0, len(paths), AT_ONCE))
    with ThreadPoolExecutor(workers) as pool:
        results = chain.from_iterable(
            pool.map(lambda path: work(root / path), part) for part in parts
        )
        progress = tqdm(results, title, len(paths), unit="file", leave=False)
        yield from zip(paths, progress, strict=True)


def list_files(root: Path, folders: Iterable[str], links_to_nothing: bool = True) -> set[str]:
    """Return what lies in some folders below a root, as paths relative to it.

    One listing per folder is much faster than a look at every file on a network drive.

    Args:
        root: The root.
        folders: The folders.
        links_to_nothing: Whether links whose target is gone are among them.
    """
    paths = set()
    for folder in folders:
        prefix = f"{folder}/" if folder else ""
        if (root / folder).is_dir():
            with os.scandir(root / folder) as entries:
                paths |= {
                    prefix + entry.name
                    for entry in entries
                    if links_to_nothing or not entry.is_symlink() or os.path.exists(entry.path)
                }
    return paths


def walk(
    root: Path, onerror: Callable[[OSError], None] | None = None
) -> Iterator[tuple[str, list[str]]]:
    """Yield the folders at and below one, in order and once each, with the names of their files.

    Links to folders are followed.
    """
    seen = set()
    for folder, below, files in os.walk(root, onerror=onerror, followlinks=True):
        real = os.path.realpath(folder)
        if real in seen:  # a link to a folder above
            below.clear()
            continue
        seen.add(real)
        below.sort()
        yield folder, sorted(files)


def find_root(root: Path, name: str, marker: str) -> Path:
    """Return the folder that holds `marker`: the given one, or the folder `name` in it.

    Raises:
        DataError: Neither holds it.
    """
    if not root.is_dir():
        raise DataError(
            f"dataset.root={root}: no such folder; give the folder {name} or the one that holds it"
        )
    for folder in (root, root / name):
        if (folder / marker).exists():
            return folder
    entries = ", ".join(sorted(entry.name for entry in root.iterdir())[:5]) or "nothing"
    raise DataError(
        f"dataset.root={root}: expected {marker} in it or in its folder {name}, found {entries}"
    )
