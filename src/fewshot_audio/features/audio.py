"""Decoding of audio files."""

import struct
from collections.abc import Callable
from functools import reduce
from pathlib import Path

import numpy as np
import soundfile

from fewshot_audio.features.containers import source
from fewshot_audio.features.ffmpeg import BY_FFMPEG, converted
from fewshot_audio.features.resample import resample
from fewshot_audio.types import DataError

BY_SOUNDFILE = {".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".au", ".caf"}
SUFFIXES = BY_SOUNDFILE | BY_FFMPEG  # of files that are audio, in small letters
READ = {"WAV", "WAVEX", "RF64", "W64", "AIFF", "AU", "CAF", "FLAC", "OGG", "MP3", "NIST"}
EXPECTED = "expected WAV, FLAC, Ogg, Opus, MP3, AIFF, AU, CAF, Wave64 or NIST: convert it"
RATES = (1_000, 1_000_000)  # Hz; what a recording can have: from seismometers to ultrasound
LEVELS = (2.0**-32, 2.0**15)  # of the loudest sample: from half a step of 32 bits to
# integers of 16 bits that were written as floats; squares of squares fit into float32
TOLERANCE = 0.05  # s that a segment may reach beyond the file's end: tables are rounded
SHORTEST = 0.05  # s, rounded as tables are
MEND = "mend start or end in its row"
BLOCK = 2**20  # frames read at once, so that an hour needs no memory for all its channels
GUESSED = 0.01  # share by which the length of an MP3 file may be guessed wrongly
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
        DataError: The file is missing, empty, truncated, corrupt, of an impossible rate or level,
            too short, contradicts itself, does not hold the part, or holds no, infinite or NaN
            samples.
    """
    try:
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
    except (OSError, ValueError, TypeError, MemoryError, struct.error) as error:
        # ValueError: of the name; TypeError: it ends in .raw; MemoryError: of a damaged header
        raise DataError(f"cannot be read ({error})") from error
    _check(samples, rate)
    return samples, rate


def _check(samples: np.ndarray, rate: int) -> None:
    """Raise DataError where samples (samples,) at a rate in Hz are not those of a recording."""
    if len(samples) == 0:
        raise DataError("has no samples")
    loudest = max(samples.max(), -samples.min())
    if not np.isfinite(loudest):
        raise DataError("holds NaN or infinite samples")
    if loudest and not LEVELS[0] <= loudest <= LEVELS[1]:
        raise DataError(
            f"has a peak of {loudest:.3g}; expected 0, or {LEVELS[0]:.3g} to {LEVELS[1]:,.0f}, "
            "where 1 is full scale: scale its samples"
        )
    if round(len(samples) / rate, 2) < SHORTEST:
        raise DataError(f"lasts {len(samples) / rate:.3f} s; expected {SHORTEST} s or more")


def _read(path: Path, start: float, end: float | None) -> tuple[np.ndarray, int]:
    """Return the mean of the channels from `start` to `end` (s), and the rate in Hz."""
    with soundfile.SoundFile(source(path)) as file:
        if file.format not in READ:
            raise DataError(f"is of the format {file.format}; {EXPECTED}")
        rate: int = file.samplerate
        if not RATES[0] <= rate <= RATES[1]:
            raise DataError(f"has a rate of {rate:,} Hz; expected {RATES[0]:,} to {RATES[1]:,} Hz")
        first, last = _frames(file, start, end)
        if first:  # to seek changes the start of MP3
            _skip(file, first)
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
    slack = GUESSED * (last - first) if file.format == "MP3" else 0
    if count < last - first - slack:
        raise DataError(f"is truncated ({count / rate:.2f} of {(last - first) / rate:.2f} s)")
    return blocks[1] if len(blocks) == 2 else np.concatenate(blocks), rate


def _skip(file: soundfile.SoundFile, frames: int) -> None:
    """Go on to a frame; what cannot be sought, as GSM, is read."""
    if file.seekable():
        file.seek(frames)
        return
    while frames > 0:
        frames -= len(file.read(min(frames, BLOCK))) or frames


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
    with np.errstate(over="ignore", invalid="ignore"):  # what is not finite is named
        channels = [np.multiply(channel, scale, dtype=np.float32) for channel in block.T]
        return reduce(np.add, channels) / np.float32(len(channels))  # faster than .mean(1)
