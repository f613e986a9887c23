"""What a file of sound says of its own length, held against the file.

libsndfile reads truncated files without a word, and some that a program wrote into a pipe not at
all. Here the first are named, and the others get the header that they lack.
"""

import io
import mmap
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

from fewshot_audio.features import compressed
from fewshot_audio.features.compressed import Patch, at
from fewshot_audio.types import DataError

STREAM_SIZES = (  # of a chunk of samples, by programs that could not know: sox, arecord, ffmpeg ...
    range(-1, 1),
    range(0x7EFF0000, 0x7F000010),
    range(0x7FFE0000, 0x80000001),
    range(0xFFFE0000, 0x100000000),
    range(0x7FFFFFFFFFFE0000, 0x8000000000000000),
)
CURE = "write it anew, as by ffmpeg -i OLD NEW.wav"
PLAIN = {1, 3, 6, 7, 0xFFFE}  # formats of WAV whose frames have one size: PCM, float, A-law, u-law
PLAIN_AIFF = "none sowt twos raw  fl32 fl64 in24 in32 42ni 23ni ulaw alaw"


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
        while len(found := at(file, place, head.size)) == head.size:
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


def source(path: Path) -> Path | mmap.mmap | io.BytesIO:
    """Return what libsndfile shall read: a file, or a copy whose header tells its length.

    Raises:
        DataError: The file is truncated, damaged, or contradicts itself.
        OSError: It cannot be read.
    """
    status = path.stat()
    patch = _patch(path, status.st_size, status.st_mtime_ns)
    if patch is None:
        return path
    with path.open("rb") as file:
        if patch.inserted:
            return io.BytesIO(file.read(patch.place) + patch.content + file.read())
        copy = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
    copy[patch.place : patch.place + len(patch.content)] = patch.content
    return copy


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
        held.setdefault(name, at(file, start, min(max(length, 0), 40)))
    else:
        return None  # libsndfile says so
    _check_frames(held, layout)
    place = start - struct.calcsize(layout.size)
    code, counted = layout.order + layout.size, layout.own
    if magic == b"RF64" and length == 0xFFFFFFFF and b"ds64" in held:
        (length,) = struct.unpack_from("<q", held[b"ds64"].ljust(16, b"\0"), 8)
        place, code = layout.first + 16, "<q"
    present = size - start
    if any(length in sizes for sizes in STREAM_SIZES) and not _is_empty(file, start, length):
        if length > present and magic != b"RF64":
            return None  # libsndfile reads to the end
        return Patch(place, struct.pack(code, present + counted))
    check_length(present, length)
    if magic == b"FORM":
        _check_aiff(held.get(b"COMM", b""), length)
    _check_behind(at(file, start + length, 24), present - length)
    return None


def _is_empty(file: BinaryIO, start: int, length: int) -> bool:
    """Return whether a size of zero is meant: another chunk follows, or nothing."""
    behind = at(file, start, 4)
    return length == 0 and (not behind or _is_name(behind))


def _is_name(text: bytes) -> bool:
    return len(text) == 4 and text.isascii() and text.decode().isprintable()


def check_length(present: int, length: int) -> None:
    """Raise DataError where a file holds fewer bytes of samples than it says."""
    if length > present:
        raise DataError(f"is truncated ({present} of {length} bytes of samples)")


def _check_behind(behind: bytes, length: int) -> None:
    """Raise DataError where neither a chunk nor padding follows the samples: their size is wrong.

    Args:
        behind: The first bytes.
        length: How many there are.
    """
    if behind.strip(b"\0") and not any(_is_name(behind[pad : pad + 4]) for pad in range(8)):
        raise DataError(f"holds {length} bytes behind the samples that its header tells of; {CURE}")


def _check_frames(held: dict[bytes, bytes], layout: Layout) -> None:
    """Raise DataError where rate, channels and bits of WAV or CAF do not agree with each other."""
    if len(held.get(b"fmt ", b"")) >= 16:
        values = struct.unpack_from(f"{layout.order}HHIIHH", held[b"fmt "])
        kind, channels, rate, per_second, frame, bits = values
        if kind not in PLAIN:
            return
        if frame != channels * -(-bits // 8) or per_second != rate * frame:
            raise DataError(
                f"contradicts itself: {channels} channels of {bits} bits at {rate} Hz, but frames "
                f"of {frame} bytes and {per_second} bytes a second; {CURE}"
            )
    elif len(held.get(b"desc", b"")) >= 32:
        kind, _, frame, count, channels, bits = struct.unpack_from(">4sIIIII", held[b"desc"], 8)
        if kind == b"lpcm" and (count != 1 or frame != channels * -(-bits // 8)):
            raise DataError(
                f"contradicts itself: {channels} channels of {bits} bits, but frames of {frame} "
                f"bytes; {CURE}"
            )


def _check_aiff(common: bytes, length: int) -> None:
    """Raise DataError where the number of frames and the size (bytes) of AIFF do not agree."""
    if len(common) < 18:
        return
    channels, frames, bits = struct.unpack_from(">HIH", common)
    kind = common[18:22].decode("latin-1").lower() or "none"
    if kind not in PLAIN_AIFF:
        return
    size = frames * channels * (1 if "law" in kind else -(-bits // 8))
    if size != length - 8:
        raise DataError(f"contradicts itself: {size} bytes of samples, and {length - 8}; {CURE}")


def _of_au(file: BinaryIO, size: int, order: str) -> Patch | None:
    """Check an AU file."""
    start, length = struct.unpack(f"{order}II", at(file, 4, 8).ljust(8, b"\0"))
    present = size - start
    if any(length in sizes for sizes in STREAM_SIZES) and present > 0:
        return Patch(8, struct.pack(f"{order}I", min(present, 0xFFFFFFFF)))
    check_length(present, length)
    _check_behind(at(file, start + length, 24), present - length)
    return None


def _check_nist(header: bytes, size: int) -> None:
    """Check a NIST Sphere file."""
    named = dict(re.findall(rb"(sample_count|channel_count|sample_n_bytes) -i (\d+)", header))
    frame = int(named.get(b"channel_count", 1)) * int(named.get(b"sample_n_bytes", 1))
    length, present = int(named.get(b"sample_count", 0)) * frame, size - 1024
    check_length(present, length)
    if present > length:
        raise DataError(f"holds {present} bytes of samples, its header says {length}; {CURE}")
