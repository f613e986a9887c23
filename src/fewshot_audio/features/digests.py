"""SHA-256 of audio files, remembered while a file's size and time stay the same."""

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from tqdm import tqdm

from fewshot_audio.files import atomic_write, sha256
from fewshot_audio.seeding import seed_for

AT_ONCE = 1000


def digest_files(root: Path, paths: Iterable[str], folder: Path, workers: int) -> dict[str, str]:
    """Return the SHA-256 of files by their paths below a root.

    Only files that are new or changed since the last call are read; hashes are remembered in the
    folder, one file per root.
    """
    memory = folder / f"digests-{seed_for(str(root.resolve())):016x}.json"
    known: dict[str, list] = {}
    with suppress(FileNotFoundError, json.JSONDecodeError):  # nothing is lost but time
        known = json.loads(memory.read_text())
    stamps = {path: _stamp(os.path.join(root, path)) for path in paths}  # twice as fast as Path
    stale = [path for path, stamp in stamps.items() if known.get(path, [None])[:2] != stamp]
    if stale:
        hashes = _hashes(root, stale, workers)
        progress = tqdm(hashes, "hashing", len(stale), unit="file", leave=False)
        for path, digest in zip(stale, progress, strict=True):
            known[path] = [*stamps[path], digest]
        with atomic_write(memory) as draft:
            draft.write_text(json.dumps(known))
    return {path: known[path][2] for path in stamps}


def _hashes(root: Path, paths: Sequence[str], workers: int) -> Iterator[str]:
    """Yield the SHA-256 of files; few are handed out at once, for each takes a kilobyte then."""
    with ThreadPoolExecutor(workers) as pool:  # hashing releases the interpreter's lock
        for start in range(0, len(paths), AT_ONCE):
            yield from pool.map(lambda path: sha256(root / path), paths[start : start + AT_ONCE])


def _stamp(path: str) -> list[int]:
    status = os.stat(path)
    return [status.st_size, status.st_mtime_ns]
