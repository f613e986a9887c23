"""A cap on how many processes of one machine work at the same time, whoever started them."""

import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

POLL = 0.5  # s


@contextmanager
def place(folder: Path, count: int | None) -> Iterator[None]:
    """Hold one of a machine's `count` places, each a lock in the folder; waits while all are taken. None: no cap.

    A killed process gives its place back.
    """
    if count is None:
        yield
        return
    folder.mkdir(parents=True, exist_ok=True)
    lock = _first_free(
        [FileLock(folder / f"{platform.node()}-{number}.lock") for number in range(count)]
    )
    try:
        yield
    finally:
        lock.release()


def _first_free(locks: list[FileLock]) -> FileLock:
    while True:
        for lock in locks:
            try:
                lock.acquire(timeout=0)
            except Timeout:
                continue
            return lock
        time.sleep(POLL)
