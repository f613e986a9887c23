"""Decoding of audio files."""

import struct
from collections.abc import Callable
from functools import reduce
from pathlib import Path

import numpy as np
import soundfile

from fewshot_audio.features.resample import resample
from fewshot_audio.types import DataError

UNKNOWN_LENGTH = 0xFFFFFFFF  # in the header of a WAV file that was written as a stream
Resampler = Callable[[np.ndarray, int, int], np.ndarray]  # samples, rate, target rate (Hz)


def load(path: Path, sample_rate: int, resampler: Resampler = resample) -> np.ndarray:
    """Return an audio file as float32 samples (samples,) at a rate in Hz, its level untouched.

    Raises:
        DataError: As `decode`.
    """
    samples, rate = decode(path)
    return resampler(samples, rate, sample_rate)


def decode(path: Path) -> tuple[np.ndarray, int]:
    """Decode an audio file.

    Returns:
        The mean of its channels as float32 samples (samples,), and its rate in Hz.

    Raises:
        DataError: The file is missing, empty, truncated, corrupt, or holds no, infinite or NaN
            samples.
    """
    try:
        _check_complete(path)
        samples, scale, rate = _read(path)
    except FileNotFoundError as error:
        raise DataError("missing") from error
    except (OSError, MemoryError, soundfile.LibsndfileError, struct.error) as error:
        # MemoryError: a damaged header may claim any length
        raise DataError(f"cannot be read ({error})") from error
    if len(samples) == 0:
        raise DataError("has no samples")
    if not np.isfinite(samples).all():
        raise DataError("holds NaN or infinite samples")
    channels = [np.multiply(channel, scale, dtype=np.float32) for channel in samples.T]
    mean = reduce(np.add, channels) / np.float32(len(channels))  # faster than .mean(1)
    return mean, rate


def _read(path: Path) -> tuple[np.ndarray, float, int]:
    """Return samples (samples, channels), the factor that brings them to [-1, 1), and the rate."""
    with soundfile.SoundFile(path) as file:
        if file.subtype == "PCM_16":  # takes a third of the time as integers
            return file.read(dtype="int16", always_2d=True), 2.0**-15, file.samplerate
        return file.read(dtype="float32", always_2d=True), 1.0, file.samplerate


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
