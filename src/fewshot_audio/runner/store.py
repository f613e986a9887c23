"""The store of results: JSON lines, one per run, in one file per dataset x fold x model x frontend x n."""

import errno
import hashlib
import json
import math
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import msgspec
from filelock import FileLock

from fewshot_audio.types import RunSpec, StoreError

Line = dict[str, Any]
FINISHED, FAILED = "finished", "failed"
SCHEMA = 1  # version of the records's fields
PROBE = 2**16  # bytes that a disk must have room for before any run
SYNC_S = 1.0  # between two waits for the disk
BRIEF = dict.fromkeys(
    ("status", "metrics", "started", "stopped", "commit", "dirty", "error", "unscored_clips"), Any
)
BRIEF |= {"key": str, "identity": dict, "seconds": dict}


class Store:
    """Results below a folder. Every file is appended to by whoever holds its lock, and read by anyone at any time."""

    def __init__(self, folder: Path):
        self.folder = folder / "runs"
        self.synced = -math.inf  # when the disk was last waited for

    def prepare(self) -> None:
        """Make the folder. StoreError where it cannot be written."""
        try:
            (self.folder / ".locks").mkdir(parents=True, exist_ok=True)
            with TemporaryFile(dir=self.folder / ".locks") as probe:
                probe.write(bytes(PROBE))
        except OSError as error:
            full = error.errno in (errno.ENOSPC, errno.EDQUOT)
            step = (
                "free space and run the same command again" if full else "give another: results=..."
            )
            raise StoreError(
                f"results={self.folder.parent} cannot be written ({error}); {step}"
            ) from error

    def file_of(self, spec: RunSpec) -> Path:
        """The file that holds a run's line, the same whatever command asks for the run."""
        settings = {key: value for key, value in spec.identity.items() if key != "repeat"}
        names = [
            settings["dataset"]["name"],
            f"fold{settings['fold']}",
            settings["model"]["name"],
            settings["frontend"]["name"],
        ]
        digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:8]
        return self.folder / f"{'-'.join(names)}-n{spec.n_per_class:03d}-{digest}.jsonl"

    def lock(self, file: Path) -> FileLock:
        """The lock that a process holds while it computes a file's runs."""
        return FileLock(self.folder / ".locks" / f"{file.stem}.lock")

    def append(self, file: Path, lines: Sequence[Line]) -> None:
        """Add lines, all or none of them; the caller holds the file's lock.

        Waits until the disk has them, so that they outlive a power cut, unless it did so less than a second ago: lines that come
        faster are left to the system for some seconds. StoreError when the disk refuses. A process killed meanwhile leaves
        those that were whole.
        """
        data = encoded(lines)
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
                    self.synced = time.monotonic()
            except OSError as error:
                os.ftruncate(descriptor, end)
                raise StoreError(
                    f"{file}: the result could not be written ({error}); free space and run it again"
                ) from error
        finally:
            os.close(descriptor)

    def lines(self, fields: Mapping[str, Any] | None = None) -> Iterator[Line]:
        """All lines of all files, in order of file name; where `fields` are given, only these, as these types."""
        for file in sorted(self.folder.glob("*.jsonl")):
            yield from read_lines(file, fields)

    def brief(self) -> Iterator[Line]:
        """All lines, of each what plans look at: `BRIEF`."""
        return self.lines(BRIEF)

    def brief_of(self, file: Path) -> Iterator[Line]:
        """The lines of one file in brief, none where it is not there yet."""
        return read_lines(file, BRIEF) if file.exists() else iter(())


def encoded(lines: Sequence[Line]) -> bytes:
    """Lines as they are stored. TypeError where a value is nothing that JSON has, ValueError where a number is not finite."""
    _check_finite(lines)
    try:
        return msgspec.json.Encoder().encode_lines(lines)
    except UnicodeEncodeError:  # bytes of a file name that are no UTF-8, in an error's text
        return msgspec.json.Encoder().encode_lines([_readable(line) for line in lines])


def _readable(value: Any) -> Any:
    """The same with a backslash and digits in strings for what UTF-8 cannot hold."""
    if isinstance(value, dict):
        return {_readable(key): _readable(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_readable(each) for each in value]
    return value.encode(errors="backslashreplace").decode() if isinstance(value, str) else value


def _check_finite(value: Any) -> None:
    """ValueError where a number in lists and dicts is not finite: what writes JSON would write null."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple):
        try:
            found = all(map(math.isfinite, value))
        except TypeError:  # not numbers alone
            for each in value:
                _check_finite(each)
            return
    else:
        found = not isinstance(value, float) or math.isfinite(value)
    if not found:
        raise ValueError("Out of range float values are not JSON compliant")


def read_lines(file: Path, fields: Mapping[str, Any] | None = None) -> Iterator[Line]:
    """The lines of one file, each with its place (`where`); an unfinished last one is left out.

    StoreError names any other that is broken.
    """
    decode = _decoder(fields and tuple(fields.items()))
    for number, text in enumerate(file.read_bytes().split(b"\n")[:-1], 1):
        try:
            line = decode(text)
            for name in (
                "key",
                "status",
                "identity",
                *(("seconds",) if line["status"] == FINISHED else ()),
            ):
                line[name]
            if line["status"] == FINISHED and not 0 <= line["metrics"]["accuracy"] <= 1:
                raise ValueError(f"accuracy {line['metrics']['accuracy']}, expected a share of 1")
        except (msgspec.MsgspecError, ValueError, TypeError, KeyError) as error:
            raise StoreError(
                f"{file}:{number}: not a result ({type(error).__name__}: {error}); remove this line, its run will be done anew"
            ) from error
        line["where"] = f"{file}:{number}"
        yield line


@cache
def _decoder(fields: tuple[tuple[str, Any], ...] | None) -> Callable[[bytes], Line]:
    """What makes a line of its bytes: with all its fields, or those of the given ones that it has, which is much faster."""
    if not fields:
        return msgspec.json.Decoder().decode
    names = [name for name, _ in fields]
    brief = msgspec.json.Decoder(
        msgspec.defstruct("Brief", [(*field, msgspec.UNSET) for field in fields])
    )

    def decode(text: bytes) -> Line:
        found = brief.decode(text)
        return {
            name: value for name in names if (value := getattr(found, name)) is not msgspec.UNSET
        }

    return decode


def _whole_size(descriptor: int, size: int) -> int:
    """Bytes of a file of that size up to and including the last line end."""
    if size == 0 or os.pread(descriptor, 1, size - 1) == b"\n":
        return size
    return os.pread(descriptor, size, 0).rfind(b"\n") + 1


def _write_all(descriptor: int, data: bytes, offset: int) -> None:
    while data:
        written = os.pwrite(descriptor, data, offset)
        data, offset = data[written:], offset + written
