"""From a file to mono samples at the study's rate."""

import struct
from functools import cache, lru_cache, reduce
from pathlib import Path

import numpy as np
import soundfile
from numpy.lib.stride_tricks import sliding_window_view

from fewshot_audio.types import DataError

ZERO_CROSSINGS, ROLL_OFF, BETA, TABLE = (
    64,
    0.9475937167399596,
    14.769656459379492,
    512,
)  # kaiser_best of 2018
LEAST_STEP = 64  # samples between blocks, at least: a matrix product of some size is fast
LARGEST_KERNEL = 1 << 22  # weights of all phases; rates with a small common divisor would need more


def load(path: Path, sample_rate: int) -> np.ndarray:
    """An audio file to float32 samples (samples,): mean of its channels, resampled to the rate, level untouched.

    DataError, with the reason, for a file that is empty, truncated, corrupt, without samples or holds NaN or infinity.
    """
    try:
        _check_complete(path)
        with soundfile.SoundFile(path) as file:
            dtype, scale = (
                ("int16", 2.0**-15) if file.subtype == "PCM_16" else ("float32", 1.0)
            )  # read in a third of the time
            samples, rate = file.read(dtype=dtype, always_2d=True), file.samplerate
    except FileNotFoundError as error:
        raise DataError("missing") from error
    except (
        OSError,
        MemoryError,
        soundfile.LibsndfileError,
        struct.error,
    ) as error:  # a damaged length may ask for all memory
        raise DataError(f"cannot be read ({error})") from error
    if len(samples) == 0:
        raise DataError("has no samples")
    if not np.isfinite(samples).all():
        raise DataError("holds NaN or infinite samples")
    channels = [np.multiply(channel, scale, dtype=np.float32) for channel in samples.T]
    return resample(
        reduce(np.add, channels) / np.float32(len(channels)), rate, sample_rate
    )  # .mean(1) takes longer


def resample(samples: np.ndarray, rate: int, target: int) -> np.ndarray:
    """Samples (samples,) at one rate to another in Hz, as librosa 0.6 did with resampy's kaiser_best of 2018.

    A windowed sinc, read from its table as resampy reads it: steps through the table are whole numbers, which costs
    up to 0.1 % of the level between 44.1 and 48 kHz. Source: resampy 0.2 (McFee), librosa 0.6.
    """
    if rate == target:
        return samples
    length = len(samples) * target // rate
    by_rate = _by_phases if _few_phases(rate, target) else _by_samples
    resampled = by_rate(samples, rate, target, length)
    late = _late(rate, target, length)
    resampled[late] = _at(samples, rate, target, _times(rate, target, length)[late])
    return np.pad(
        resampled, (0, -(-len(samples) * target // rate) - length)
    )  # librosa's length, rounded up


def _times(rate: int, target: int, length: int) -> np.ndarray:
    """Where output samples lie between input samples: a running sum, as in resampy 0.2, its rounding included."""
    return np.cumsum(np.append(0.0, np.full(max(length - 1, 0), 1 / (target / rate))))[:length]


@lru_cache(maxsize=256)  # clips of a dataset have few lengths
def _late(rate: int, target: int, length: int) -> np.ndarray:
    """Output samples that should lie on an input sample, but whose running sum fell just short of it.

    There the whole steps through the table begin from the other side, which is up to 2e-3 of full scale.
    """
    return np.flatnonzero(
        _times(rate, target, length).astype(int) < np.arange(length) * rate // target
    )


def _few_phases(rate: int, target: int) -> bool:
    divisor = np.gcd(rate, target)
    return (rate // divisor + 2 * _reach(rate, target)) * (target // divisor) <= LARGEST_KERNEL


def _reach(rate: int, target: int) -> int:
    """Input samples on each side that one output sample is made of, at most."""
    return ZERO_CROSSINGS * TABLE // _step(rate, target) + 1


def _step(rate: int, target: int) -> int:
    """Entries of the table between neighbouring input samples."""
    return int(min(1.0, target / rate) * TABLE)


@cache
def _table() -> np.ndarray:
    """The filter's right half, `TABLE` entries per zero crossing of the sinc."""
    place = np.arange(ZERO_CROSSINGS * TABLE + 1) / TABLE
    window = np.i0(BETA * np.sqrt(1 - (place / ZERO_CROSSINGS) ** 2)) / np.i0(BETA)
    return window * ROLL_OFF * np.sinc(ROLL_OFF * place)


def _taps(fractions: np.ndarray, rate: int, target: int) -> np.ndarray:
    """Places between two input samples, in [0, 1), to the weights (places, 2 reach) of the samples before and after."""
    scale, step, reach = min(1.0, target / rate), _step(rate, target), _reach(rate, target)
    table = np.append(_table(), 0.0) * scale

    def wing(distances: np.ndarray) -> np.ndarray:
        offsets = np.floor(distances * TABLE).astype(int)
        places = offsets[:, None] + step * np.arange(reach)
        there = np.arange(reach) < ((len(table) - 1 - offsets) // step)[:, None]
        places = np.where(there, places, len(table) - 1)
        part = (distances * TABLE - offsets)[:, None]
        after = table[np.minimum(places + 1, len(table) - 2)]
        return np.where(there, table[places] + part * (after - table[places]), 0.0)

    return np.concatenate([wing(scale * fractions)[:, ::-1], wing(scale - scale * fractions)], 1)


def _by_samples(samples: np.ndarray, rate: int, target: int, length: int) -> np.ndarray:
    """The weights of each output sample anew: for rates like 11,024 Hz, whose table by phase would take gigabytes."""
    return _at(samples, rate, target, np.arange(length) * rate / target)


def _at(samples: np.ndarray, rate: int, target: int, times: np.ndarray) -> np.ndarray:
    """The resampled signal at some times, in input samples."""
    reach = _reach(rate, target)
    padded = np.pad(samples.astype(np.float64), (reach - 1, reach))
    result = np.empty(len(times), np.float32)
    for start in range(0, len(times), 4096):
        some = times[start : start + 4096]
        first = np.floor(some).astype(int)
        taken = padded[first[:, None] + np.arange(2 * reach)]
        result[start : start + 4096] = (taken * _taps(some - first, rate, target)).sum(1)
    return result


def _by_phases(samples: np.ndarray, rate: int, target: int, length: int) -> np.ndarray:
    """A matrix product of overlapping blocks of samples with the weights of all output samples that they make."""
    weights, step = _weights(rate, target)
    reach = _reach(rate, target)
    blocks = -(-length // weights.shape[1])
    padded = np.zeros(max(len(samples) + reach, (blocks - 1) * step + len(weights)))
    padded[reach - 1 : reach - 1 + len(samples)] = samples
    return (
        (sliding_window_view(padded, len(weights))[::step][:blocks] @ weights)
        .astype(np.float32)
        .ravel()[:length]
    )


@cache
def _weights(rate: int, target: int) -> tuple[np.ndarray, int]:
    """Weights (samples of a block, output samples that it makes), and the samples from one block to the next.

    Weights repeat every rate / gcd samples; a block holds several such periods where they are short.
    """
    divisor, reach = np.gcd(rate, target), _reach(rate, target)
    periods = -(-LEAST_STEP // (rate // divisor))
    times = np.arange(periods * target // divisor) * rate / target
    first = np.floor(times).astype(int)
    weights = np.zeros((len(times), first[-1] + 2 * reach))
    np.put_along_axis(
        weights, first[:, None] + np.arange(2 * reach), _taps(times - first, rate, target), 1
    )
    return np.ascontiguousarray(weights.T), int(periods * rate // divisor)


def _check_complete(path: Path) -> None:
    """DataError when a WAV file is shorter than its header says: libsndfile reads such files without a word."""
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
                if (
                    length != 0xFFFFFFFF and file.tell() + length > size
                ):  # all ones: length unknown, a stream
                    raise DataError(
                        f"is truncated ({size - file.tell()} of {length} bytes of samples)"
                    )
                return
            file.seek(length + length % 2, 1)
