"""Audio that libsndfile cannot decode, by the program ffmpeg where the system has it."""

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fewshot_audio.types import DataError

BY_FFMPEG = {".m4a", ".m4b", ".mp4", ".aac", ".wma", ".webm", ".mka", ".amr", ".3gp", ".ac3"}
MATROSKA, SEGMENT = b"\x1a\x45\xdf\xa3", b"\x18\x53\x80\x67"
LEAD = 1.0  # s decoded before a part: what follows a jump needs the packets before it


@contextmanager
def converted(
    path: Path, start: float, end: float | None
) -> Iterator[tuple[Path, float, float | None]]:
    """Convert a file, or no more than a part of it, to float32 samples in a temporary file.

    Args:
        path: The file.
        start: Where the part begins, in seconds.
        end: Where it ends, in seconds; None: where the file ends.

    Yields:
        The temporary file, where the part begins in it, and how long it is, in seconds.

    Raises:
        DataError: There is no ffmpeg, it cannot decode the file, or the file is truncated.
    """
    if shutil.which("ffmpeg") is None:
        raise DataError(
            f"is a {path.suffix} file, for which the program ffmpeg is needed and not found: "
            "install it (apt install ffmpeg, brew install ffmpeg), or convert the file to FLAC"
        )
    _check_matroska(path)
    lead, length = min(start, LEAD), None if end is None else end - start
    seek = [] if start == 0 else ["-ss", str(start - lead)]
    stop = [] if length is None else ["-t", str(lead + length + 0.1)]
    with tempfile.TemporaryDirectory(prefix="fewshot-audio-") as folder:
        part = Path(folder) / "part.wav"
        source = [*seek, *stop, "-i", f"file:{path}"]
        how = ["-map", "0:a:0", "-c:a", "pcm_f32le", "-rf64", "auto", str(part)]
        command = ["ffmpeg", "-nostdin", "-v", "error", "-xerror", *source, *how]
        done = subprocess.run(command, capture_output=True, text=True, errors="replace")
        if done.returncode != 0:
            reason = " ".join(done.stderr.replace(f"file:{path}", path.name).split())
            raise DataError(f"cannot be decoded by ffmpeg ({reason[:200] or 'no reason given'})")
        yield part, lead, length


def _check_matroska(path: Path) -> None:
    """Raise DataError where a file is empty, or Matroska (WebM) and shorter than it says.

    ffmpeg decodes such files without a word.
    """
    with path.open("rb") as file:
        head = file.read(4096)
    if not head:
        raise DataError("is empty (0 bytes)")
    if not head.startswith(MATROSKA):
        return
    length, first = _size(head, len(MATROSKA))
    segment = first + length
    if head[segment : segment + 4] == SEGMENT:
        length, first = _size(head, segment + 4)
        present = path.stat().st_size - first
        if present < length and length + 1 & length:  # all ones: written as a stream
            raise DataError(f"is truncated ({present} of {length} bytes)")


def _size(data: bytes, place: int) -> tuple[int, int]:
    """Return a number of Matroska, whose first bit that is set says how long it is, and its end."""
    length = 9 - int.from_bytes(data[place : place + 1]).bit_length()
    end = place + length
    return int.from_bytes(data[place:end]) & (1 << 7 * length) - 1, end
