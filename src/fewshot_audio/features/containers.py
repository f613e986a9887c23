"""What a file of sound says of its own length, held against the file.

libsndfile reads truncated files without a word, and some that a program wrote into a pipe not at
all. Here the first are named, and the others get the header that they lack.
"""

import io
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

from fewshot_audio.features import compressed
from fewshot_audio.features.compressed import Patch, at
from fewshot_audio.features.headers import CURE, check_aiff, check_alac, check_frames
from fewshot_audio.types import DataError

STREAM_SIZES = (  # of a chunk of samples, by programs that could not know: sox, arecord, ffmpeg ...
    range(-1, 1),
    range(0x7EFF0000, 0x7F000010),
    range(0x7FFE0000, 0x80000001),
    range(0xFFFE0000, 0x100000000),
    range(0x7FFFFFFFFFFE0000, 0x8000000000000000),
)
LONGEST = 2**20  # bytes of another chunk that are looked at
MOST = 1000  # chunks before the samples


@dataclass(frozen=True)
class Layout:
    """A container of chunks: each has a name and a size, then so many bytes.

    Args:
        order: Of the bytes of numbers, as struct writes it.
        first: Where the first chunk begins.
        samples: Name of the chunk that holds the samples.
        name: Bytes of a name.
        size: Type of a size, as struct writes it.
        multiple: Chunks begin at multiples of so many bytes.
        own: Bytes of name and size that the size counts.
    """

    order: str
    first: int
    samples: bytes = b"data"
    name: int = 4
    size: str = "I"
    multiple: int = 2
    own: int = 0

    def chunks(self, file: BinaryIO) -> Iterator[tuple[bytes, int, int]]:
        """Yield the name of each chunk, where its content begins, and how long it says it is."""
        head, place = struct.Struct(f"{self.order}{self.name}s{self.size}"), self.first
        for _ in range(MOST):
            if len(found := at(file, place, head.size)) < head.size:
                return
            name, length = head.unpack(found)
            start, length = place + head.size, length - self.own
            yield name[:4], start, length
            place = start + max(length, 0)
            place += -place % self.multiple


LAYOUTS = {
    b"RIFF": Layout("<", 12),
    b"RF64": Layout("<", 12),
    b"RIFX": Layout(">", 12),
    b"FORM": Layout(">", 12, b"SSND"),
    b"caff": Layout(">", 8, size="q", multiple=1),
    b"riff": Layout("<", 40, name=16, size="q", multiple=8, own=24),  # Wave64
}


class Copy(io.BytesIO):
    """A file in memory, in which a seek to before its begin leads to its begin.

    An error would be lost in libsndfile, which asks for such places in damaged files.
    """

    def seek(self, place: int, whence: int = 0) -> int:
        """Go to a place in bytes; return it."""
        start = (0, self.tell(), self.getbuffer().nbytes)[whence]
        return super().seek(max(start + place, 0))


def source(path: Path) -> Path | Copy:
    """Return what libsndfile shall read: a file, or a copy whose header tells its length.

    Raises:
        DataError: The file is empty, truncated, damaged, or contradicts itself.
        OSError: It cannot be read.
    """
    status = path.stat()
    if status.st_size == 0:
        raise DataError("is empty (0 bytes)")
    patch = _patch(path, status.st_size, status.st_mtime_ns)
    if patch is None:
        return path
    data = path.read_bytes()
    behind = patch.place + (0 if patch.inserted else len(patch.content))
    return Copy(data[: patch.place] + patch.content + data[behind:])


@lru_cache(maxsize=64)  # parts of a file come one after the other
def _patch(path: Path, size: int, modified: int) -> Patch | None:
    """Return what a file lacks so that libsndfile reads it; None: nothing."""
    with path.open("rb") as file:
        magic = file.read(4)
        if magic in LAYOUTS:
            return _of_chunks(file, size, magic)
        if magic in (b".snd", b"dns."):
            return _of_au(file, size, ">" if magic == b".snd" else "<")
        if magic == b"NIST":
            _check_nist(at(file, 0, 1024), size)
            return None
        return compressed.patch(file, size)


def _of_chunks(file: BinaryIO, size: int, magic: bytes) -> Patch | None:
    """Check a file of chunks."""
    layout = LAYOUTS[magic]
    held: dict[bytes, bytes] = {}
    for name, start, length in layout.chunks(file):
        if name == layout.samples:
            break
        held.setdefault(name, at(file, start, min(max(length, 0), LONGEST)))
    else:
        return None  # libsndfile says so
    check_frames(held, layout.order)
    place = start - struct.calcsize(layout.size)
    code, counted = layout.order + layout.size, layout.own
    if magic == b"RF64" and length == 0xFFFFFFFF and b"ds64" in held:
        (length,) = struct.unpack_from("<q", held[b"ds64"].ljust(16, b"\0"), 8)
        place, code = layout.first + 16, "<q"
    present = size - start
    if any(length in sizes for sizes in STREAM_SIZES) and not (
        length == 0 and (present == 0 or _is_chunk(file, layout, start))
    ):
        if length > present and magic != b"RF64":
            return None  # libsndfile reads to the end
        return Patch(place, struct.pack(code, present + counted))
    check_length(present, length)
    if magic == b"FORM" and b"COMM" in held:
        offset = int.from_bytes(at(file, start, 4))
        check_aiff(held[b"COMM"], length - 8 - offset)
    end = start + length
    if present > length:
        places = (end, end + -end % layout.multiple)
        # libsndfile takes what follows in Wave64 for samples
        is_chunk = magic != b"riff" and any(_is_chunk(file, layout, place) for place in places)
        check_behind(at(file, end, layout.multiple + 1), present - length, is_chunk)
    if held.get(b"desc", b"")[8:12] == b"alac":
        behind = replace(layout, first=end).chunks(file)
        check_alac(held | {name: at(file, *where) for name, *where in behind}, length - 4)
    return None


def _is_chunk(file: BinaryIO, layout: Layout, place: int) -> bool:
    """Return whether a chunk begins at a place and does not reach beyond the file by much."""
    for name, start, length in replace(layout, first=place).chunks(file):
        return (
            name.isascii()
            and name.decode().isprintable()
            and length >= 0
            and (length < 2 or len(at(file, start + length - 2, 1)) == 1)
        )
    return False


def check_length(present: int, length: int) -> None:
    """Raise DataError where a file holds fewer bytes of samples than it says."""
    if length > present:
        raise DataError(f"is truncated ({present} of {length} bytes of samples)")


def check_behind(behind: bytes, length: int, named: bool = False) -> None:
    """Raise DataError where neither a chunk nor padding follows the samples: their size is wrong.

    Args:
        behind: The first bytes.
        length: How many there are.
        named: Whether they are a chunk.
    """
    if behind.strip(b"\0") and not named:
        raise DataError(f"holds {length} bytes behind the samples that its header tells of; {CURE}")


def _of_au(file: BinaryIO, size: int, order: str) -> Patch | None:
    """Check an AU file."""
    if size < 24:
        return None  # libsndfile says so
    start, length = struct.unpack(f"{order}II", at(file, 4, 8))
    present = size - start
    if any(length in sizes for sizes in STREAM_SIZES) and present > 0:
        return Patch(8, struct.pack(f"{order}I", min(present, 0xFFFFFFFF)))
    check_length(present, length)
    check_behind(at(file, start + length, 24), present - length)
    return None


def _check_nist(header: bytes, size: int) -> None:
    """Check a NIST Sphere file."""
    named = dict(re.findall(rb"(sample_count|channel_count|sample_n_bytes) -i (\d+)", header))
    frame = int(named.get(b"channel_count", 1)) * int(named.get(b"sample_n_bytes", 1))
    length, first = int(named.get(b"sample_count", 0)) * frame, header[8:16].strip()
    present = size - int(first) if first.isdigit() else 0
    check_length(present, length)
    check_behind(b"?" if present > length else b"", present - length)
