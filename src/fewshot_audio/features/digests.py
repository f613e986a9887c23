"""SHA-256 of audio files, remembered while a file's size and time stay the same."""

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from tqdm import tqdm

from fewshot_audio.datasets.listing import bad_files
from fewshot_audio.files import atomic_write, sha256
from fewshot_audio.seeding import seed_for

AT_ONCE = 1000


def digest_files(root: Path, paths: Iterable[str], folder: Path, workers: int) -> dict[str, str]:
    """Return the SHA-256 of files by their paths below a root.

    Only files that are new or changed since the last call are read; hashes are remembered in the
    folder, one file per root.

    Raises:
        DataError: Files cannot be read; all of them are named.
    """
    memory = folder / f"digests-{seed_for(str(root.resolve())):016x}.json"
    known: dict[str, list] = {}
    with suppress(FileNotFoundError, json.JSONDecodeError):  # nothing is lost but time
        known = json.loads(memory.read_text())
    bad: dict[str, str] = {}
    stamps: dict[str, list[int]] = {}
    for path in paths:
        try:
            stamps[path] = _stamp(os.path.join(root, path))  # twice as fast as Path
        except OSError as error:
            linked = os.path.islink(os.path.join(root, path))
            bad[path] = "is a link to nothing" if linked else f"cannot be read ({error.strerror})"
    stale = [path for path, stamp in stamps.items() if known.get(path, [None])[:2] != stamp]
    if stale:
        hashes = _hashes(root, stale, workers)
        progress = tqdm(hashes, "hashing", len(stale), unit="file", leave=False)
        for path, digest in zip(stale, progress, strict=True):
            if isinstance(digest, OSError):
                bad[path] = f"cannot be read ({digest.strerror})"
            else:
                known[path] = [*stamps[path], digest]
        with atomic_write(memory) as draft:
            draft.write_text(json.dumps(known))
    if bad:
        raise bad_files(root, bad)
    return {path: known[path][2] for path in stamps}


def _hashes(root: Path, paths: Sequence[str], workers: int) -> Iterator[str | OSError]:
    """Yield the SHA-256 of files, or why one cannot be read.

    Few are handed out at once, for each takes a kilobyte then.
    """
    with ThreadPoolExecutor(workers) as pool:  # hashing releases the interpreter's lock
        for start in range(0, len(paths), AT_ONCE):
            yield from pool.map(lambda path: _hash(root / path), paths[start : start + AT_ONCE])


def _hash(path: Path) -> str | OSError:
    try:
        return sha256(path)
    except OSError as error:
        return error


def _stamp(path: str) -> list[int]:
    status = os.stat(path)
    return [status.st_size, status.st_mtime_ns]
