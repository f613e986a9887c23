"""The store of results: JSON lines, in a file per dataset, fold, model, frontend and n."""

import errno
import math
import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from filelock import FileLock

from fewshot_audio.files import sync
from fewshot_audio.record_fields import FINISHED, Record
from fewshot_audio.records import encoded, read_records
from fewshot_audio.seeding import digest_of
from fewshot_audio.types import RunSpec, StoreError

PROBE = 2**16  # bytes that a disk must have room for before any run
SYNC_S = 1.0  # between two waits for the disk
BRIEF = dict.fromkeys(  # what plans look at
    ("commit", "dirty", "error", "unscored_clips"), Any
)


class Store:
    """Results below a folder.

    A file is appended to by whoever holds its lock, and read by anyone at any time.
    """

    def __init__(self, folder: Path):
        self.folder = folder / "runs"
        self.synced = -math.inf  # when the disk was last waited for

    def prepare(self) -> None:
        """Make the folder. StoreError where it cannot be written."""
        try:
            (self.folder / ".locks").mkdir(parents=True, exist_ok=True)
            sync(self.folder.parent)
            with TemporaryFile(dir=self.folder / ".locks") as probe:
                probe.write(bytes(PROBE))
        except OSError as error:
            step = "give another: results=..."
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                step = "free space and run the same command again"
            raise StoreError(
                f"results={self.folder.parent} cannot be written ({error}); {step}"
            ) from error

    def file_of(self, spec: RunSpec) -> Path:
        """Return the file that holds a run's record, the same whatever command asks for the run."""
        settings = {key: value for key, value in spec.identity.items() if key != "repeat"}
        return self.folder / f"{_name(spec)}-{digest_of(settings)[:8]}.jsonl"

    def checkpoint_of(self, spec: RunSpec) -> Path:
        """Return the folder of a run's checkpoint."""
        name = f"{_name(spec)}-r{spec.repeat}-{spec.key}"
        return self.folder.parent / "checkpoints" / name

    def lock(self, file: Path) -> FileLock:
        """Return the lock that a process holds while it computes a file's runs."""
        return FileLock(self.folder / ".locks" / f"{file.stem}.lock")

    def append(self, file: Path, records: Sequence[Record]) -> None:
        """Add records to a file, all or none of them; the caller holds the file's lock.

        Waits until the disk has them, so that they outlive a power cut, unless it did so less than
        a second ago: records that come faster are left to the system for some seconds. A process
        killed meanwhile leaves those that were whole.

        Raises:
            StoreError: The disk refuses.
        """
        data = encoded(records)
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            size = os.fstat(descriptor).st_size
            end = _whole_size(descriptor, size)
            if end < size:
                os.ftruncate(descriptor, end)  # what a killed process left of a line
            try:
                _write_all(descriptor, data, end)
                if time.monotonic() - self.synced >= SYNC_S:
                    os.fsync(descriptor)
                    if size == 0:  # new: its name, too
                        sync(file.parent)
                    self.synced = time.monotonic()
            except OSError as error:
                os.ftruncate(descriptor, end)
                raise StoreError(
                    f"{file}: the result could not be written ({error}); "
                    "free space and run it again"
                ) from error
        finally:
            os.close(descriptor)

    def records(self, fields: Mapping[str, Any] | None = None) -> Iterator[Record]:
        """Read the records of all files, in order of file name; of each some fields or all."""
        return read_records(sorted(self.folder.glob("*.jsonl")), fields)

    def brief(self) -> Iterator[Record]:
        """Read of all records what plans look at."""
        return self.records(BRIEF)

    def brief_of(self, file: Path) -> Iterator[Record]:
        """Read the same of one file's records, none where it is not there yet."""
        return read_records([file] if file.exists() else [], BRIEF)


def by_outcome(records: Iterable[Record]) -> tuple[dict[str, Record], dict[str, Record]]:
    """Return the last record of each key that is finished, and of each that only failed."""
    finished: dict[str, Record] = {}
    failed: dict[str, Record] = {}
    for each in records:
        (finished if each["status"] == FINISHED else failed)[each["key"]] = each
    return finished, {key: each for key, each in failed.items() if key not in finished}


def _name(spec: RunSpec) -> str:
    names = [spec.identity[part]["name"] for part in ("dataset", "model", "frontend")]
    names.insert(1, f"fold{spec.identity['fold']}")
    n = "all" if spec.n_per_class is None else f"{spec.n_per_class:03d}"
    return f"{'-'.join(names)}-n{n}"


def _whole_size(descriptor: int, size: int) -> int:
    """Return the bytes of a file of that size up to and including the last line end."""
    if size == 0 or os.pread(descriptor, 1, size - 1) == b"\n":
        return size
    return os.pread(descriptor, size, 0).rfind(b"\n") + 1


def _write_all(descriptor: int, data: bytes, offset: int) -> None:
    while data:
        written = os.pwrite(descriptor, data, offset)
        data, offset = data[written:], offset + written
