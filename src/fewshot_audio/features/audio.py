"""Decoding of audio files."""

import struct
from collections.abc import Callable
from functools import reduce
from pathlib import Path

import numpy as np
import soundfile

from fewshot_audio.features.ffmpeg import BY_FFMPEG, converted
from fewshot_audio.features.resample import resample
from fewshot_audio.types import DataError

BY_SOUNDFILE = {".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".au", ".caf"}
SUFFIXES = BY_SOUNDFILE | BY_FFMPEG  # of files that are audio, in small letters
RATES = (1_000, 1_000_000)  # Hz; what a recording can have
TOLERANCE = 0.05  # s that a segment may reach beyond the file's end: tables are rounded
SHORTEST = 0.05  # s, rounded as tables are
MEND = "mend start or end in its row"
BLOCK = 2**20  # frames read at once, so that an hour needs no memory for all its channels
UNKNOWN_LENGTH = 0xFFFFFFFF  # in the header of a WAV file that was written as a stream
UNKNOWN_FRAMES = 2**62  # libsndfile has no idea of the length
Resampler = Callable[[np.ndarray, int, int], np.ndarray]  # samples, rate, target rate (Hz)


def load(path: Path, sample_rate: int, resampler: Resampler = resample) -> np.ndarray:
    """Return an audio file as float32 samples (samples,) at a rate in Hz, its level untouched.

    Raises:
        DataError: As `decode`.
    """
    samples, rate = decode(path)
    return resampler(samples, rate, sample_rate)


def decode(path: Path, start: float = 0.0, end: float | None = None) -> tuple[np.ndarray, int]:
    """Decode an audio file, or a part of it, of which no more than the part is read.

    libsndfile decodes WAV, FLAC, Ogg, Opus, MP3 and others, the program ffmpeg M4A, AAC and others.

    Args:
        path: The file.
        start: Where the part begins, in seconds.
        end: Where it ends, in seconds; None: where the file ends.

    Returns:
        The mean of its channels as float32 samples (samples,), and its rate in Hz.

    Raises:
        DataError: The file is missing, empty, truncated, corrupt, of an impossible rate, too short,
            does not hold the part, or holds no, infinite or NaN samples.
    """
    try:
        _check_complete(path)
        if path.suffix.lower() in BY_FFMPEG:
            with converted(path, start, end) as (part, first, length):
                samples, rate = _read(part, first, None if length is None else first + length)
        else:
            samples, rate = _read(path, start, end)
    except FileNotFoundError as error:
        raise DataError("missing") from error
    except soundfile.LibsndfileError as error:
        why = error.error_string  # of a wrong suffix it may say that there is no such file
        reason = "" if "does not exist" in why else f" ({why})"
        raise DataError(f"cannot be read as sound{reason}") from error
    except (OSError, ValueError, MemoryError, struct.error) as error:
        # ValueError: of the name; MemoryError: a damaged header may claim any length
        raise DataError(f"cannot be read ({error})") from error
    if len(samples) == 0:
        raise DataError("has no samples")
    if not np.isfinite(samples).all():
        raise DataError("holds NaN or infinite samples")
    if round(len(samples) / rate, 2) < SHORTEST:
        raise DataError(f"lasts {len(samples) / rate:.3f} s; expected {SHORTEST} s or more")
    return samples, rate


def _read(path: Path, start: float, end: float | None) -> tuple[np.ndarray, int]:
    """Return the mean of the channels from `start` to `end` (s), and the rate in Hz."""
    with soundfile.SoundFile(path) as file:
        rate: int = file.samplerate
        if not RATES[0] <= rate <= RATES[1]:
            raise DataError(f"has a rate of {rate:,} Hz; expected {RATES[0]:,} to {RATES[1]:,} Hz")
        first, last = _frames(file, start, end)
        if first:
            file.seek(first)
        kind, scale = "float32", 1.0
        if file.subtype == "PCM_16":  # takes a third of the time as integers
            kind, scale = "int16", 2.0**-15
        blocks, count = [np.empty(0, np.float32)], 0
        while count < last - first:
            block = file.read(min(last - first - count, BLOCK), dtype=kind, always_2d=True)
            if len(block) == 0:
                break
            blocks.append(_mean(block, scale))
            count += len(block)
    if last < UNKNOWN_FRAMES and count < 0.99 * (last - first):
        raise DataError(f"is truncated ({count / rate:.2f} of {(last - first) / rate:.2f} s)")
    return blocks[1] if len(blocks) == 2 else np.concatenate(blocks), rate


def _frames(file: soundfile.SoundFile, start: float, end: float | None) -> tuple[int, int]:
    """Return the first frame of a part, and the one behind its last.

    Raises:
        DataError: The file ends before.
    """
    first = round(start * file.samplerate)
    last = file.frames if end is None else round(end * file.samplerate)
    if first > 0 and first >= file.frames:
        raise DataError(f"ends before its segment begins; {MEND}")
    if last - file.frames > TOLERANCE * file.samplerate:
        missing = (last - file.frames) / file.samplerate
        raise DataError(f"ends {missing:.2f} s before its segment does; {MEND}")
    return first, min(last, file.frames)


def _mean(block: np.ndarray, scale: float) -> np.ndarray:
    """Return the mean over channels of a block (frames, channels), times a scale, as float32."""
    channels = [np.multiply(channel, scale, dtype=np.float32) for channel in block.T]
    return reduce(np.add, channels) / np.float32(len(channels))  # faster than .mean(1)


def _check_complete(path: Path) -> None:
    """Raise DataError where a WAV file is shorter than its header says.

    libsndfile reads such files without a word.
    """
    size = path.stat().st_size
    if size == 0:
        raise DataError("is empty (0 bytes)")
    with path.open("rb") as file:
        head = file.read(12)
        if head[:4] != b"RIFF" or head[8:] != b"WAVE":
            return
        while len(head := file.read(8)) == 8:
            name, length = struct.unpack("<4sI", head)
            if name == b"data":
                present = size - file.tell()
                if length != UNKNOWN_LENGTH and length > present:
                    raise DataError(f"is truncated ({present} of {length} bytes of samples)")
                return
            file.seek(length + length % 2, 1)
