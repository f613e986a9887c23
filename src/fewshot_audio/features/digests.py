"""SHA-256 of audio files, remembered while a file's size and time stay the same."""

import json
import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from fewshot_audio.datasets.listing import bad_files
from fewshot_audio.files import atomic_write, in_threads, sha256
from fewshot_audio.seeding import seed_for
from fewshot_audio.types import DataError

EMPTY = "is empty (0 bytes)"


def digest_files(root: Path, paths: Iterable[str], folder: Path, workers: int) -> dict[str, str]:
    """Return the SHA-256 of files by their paths below a root.

    Only files that are new or changed since the last call are read; hashes are remembered in the
    folder, one file per root.

    Raises:
        DataError: Files cannot be read or are empty; all of them are named.
    """
    memory, known = _remembered(root, folder)
    bad: dict[str, str] = {}
    stamps: dict[str, list[int]] = {}
    for path in paths:
        try:
            stamps[path] = _stamp(os.path.join(root, path))  # twice as fast as Path
        except OSError as error:
            linked = os.path.islink(os.path.join(root, path))
            bad[path] = "is a link to nothing" if linked else f"cannot be read ({error.strerror})"
    bad |= {path: EMPTY for path, (size, _) in stamps.items() if size == 0}
    stale = [path for path, stamp in stamps.items() if known.get(path, [None])[:2] != stamp]
    if stale:
        for path, digest in in_threads(_hash, root, stale, workers, "hashing"):
            if isinstance(digest, OSError):
                bad[path] = f"cannot be read ({digest.strerror})"
            else:
                known[path] = [*stamps[path], digest]
        with atomic_write(memory) as draft:
            draft.write_text(json.dumps(known))
    if bad:
        raise bad_files(root, bad)
    return {path: known[path][2] for path in stamps}


def differing(root: Path, folder: Path, workers: int) -> list[str]:
    """Return the files below a root that are not what the caches in a folder were built from.

    Every file is read, also one whose size and time are as they were. Files that are gone are left
    out.

    Raises:
        DataError: No cache in the folder is of files below the root.
    """
    _, known = _remembered(root, folder)
    if not known:
        raise DataError(
            f"{folder}: no feature cache of files in {root}; expected what cache= named"
        )
    found = []
    for path, now in in_threads(_hash, root, list(known), workers, "hashing"):
        *stamp, digest = known[path]
        if isinstance(now, FileNotFoundError):
            continue
        if isinstance(now, OSError):
            found.append(f"{path}: cannot be read ({now.strerror})")
        elif now != digest:
            same = " of the same size and time" if _stamp(os.path.join(root, path)) == stamp else ""
            found.append(f"{path}: other content{same} than the cache was built from")
    return found


def _remembered(root: Path, folder: Path) -> tuple[Path, dict[str, list]]:
    """Return the file that remembers the hashes of a root, and size, time and hash by path."""
    memory = folder / f"digests-{seed_for(str(root.resolve())):016x}.json"
    with suppress(FileNotFoundError, json.JSONDecodeError):  # nothing is lost but time
        return memory, json.loads(memory.read_text())
    return memory, {}


def _hash(path: Path) -> str | OSError:
    """Return the SHA-256 of a file, or why it cannot be read."""
    try:
        return sha256(path)
    except OSError as error:
        return error


def _stamp(path: str) -> list[int]:
    status = os.stat(path)
    return [status.st_size, status.st_mtime_ns]
