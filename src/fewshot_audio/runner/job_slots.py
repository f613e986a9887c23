"""A cap on how many jobs of one machine work at the same time, whoever started them."""

import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

POLL = 0.5  # s


@contextmanager
def job_slot(folder: Path, count: int | None) -> Iterator[None]:
    """Hold one of a machine's slots, which a killed process gives back; wait while all are taken.

    Args:
        folder: Where the slots' locks are.
        count: Number of slots; None: no cap.
    """
    if count is None:
        yield
        return
    folder.mkdir(parents=True, exist_ok=True)
    names = [f"{platform.node()}-{number}.lock" for number in range(count)]
    lock = _first_free([FileLock(folder / name) for name in names])
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
