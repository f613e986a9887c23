"""Resampling as librosa 0.6 did in 2018, with resampy 0.2's kaiser_best, to the last bit.

resampy reads a windowed sinc from a table in steps that are whole numbers, which costs up to 0.1 %
of the level between 44.1 and 48 kHz, and adds up its times, with rounding. Both are kept here.
"""

from functools import cache, lru_cache

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

ZERO_CROSSINGS = 64
ROLL_OFF = 0.9475937167399596
BETA = 14.769656459379492
TABLE = 512  # entries of the table per zero crossing
LEAST_STEP = 64  # samples between blocks, at least: a matrix product of some size is fast
LARGEST_KERNEL = 1 << 22  # weights of all phases; rates with a small common divisor would need more


def resample(samples: np.ndarray, rate: int, target: int) -> np.ndarray:
    """Resample with a windowed sinc. Source: resampy 0.2 (McFee), librosa 0.6.

    Args:
        samples: Samples (samples,).
        rate: Their rate in Hz.
        target: The rate wanted, in Hz.

    Returns:
        float32 samples, as many as librosa gives: the length is rounded up.
    """
    if rate == target:
        return samples
    length = len(samples) * target // rate
    if has_few_phases(rate, target):
        resampled = _by_phases(samples, rate, target, length)
    else:
        resampled = _at(samples, rate, target, np.arange(length) * rate / target)
    late = _late(rate, target, length)
    resampled[late] = _at(samples, rate, target, _times(rate, target, length)[late])
    rounded_up = -(-len(samples) * target // rate)
    return np.pad(resampled, (0, rounded_up - length))


def has_few_phases(rate: int, target: int) -> bool:
    """Return whether the weights of all phases fit into memory: not for rates like 11,024 Hz."""
    divisor = np.gcd(rate, target)
    length = rate // divisor + 2 * _reach(rate, target)
    return bool(length * (target // divisor) <= LARGEST_KERNEL)


def _times(rate: int, target: int, length: int) -> np.ndarray:
    """Return where output samples lie between input samples: resampy's running sum."""
    steps = np.full(max(length - 1, 0), 1 / (target / rate))
    return np.cumsum(np.append(0.0, steps))[:length]


@lru_cache(maxsize=256)  # clips of a dataset have few lengths
def _late(rate: int, target: int, length: int) -> np.ndarray:
    """Return the output samples whose running sum fell just short of an input sample.

    There the steps through the table begin from the other side: up to 2e-3 of full scale.
    """
    times = _times(rate, target, length)
    return np.flatnonzero(times.astype(int) < np.arange(length) * rate // target)


def _reach(rate: int, target: int) -> int:
    """Return how many input samples on each side an output sample is made of, at most."""
    return ZERO_CROSSINGS * TABLE // _step(rate, target) + 1


def _step(rate: int, target: int) -> int:
    """Return the entries of the table between neighbouring input samples."""
    return int(min(1.0, target / rate) * TABLE)


@cache
def _table() -> np.ndarray:
    """Return the right half of the filter."""
    place = np.arange(ZERO_CROSSINGS * TABLE + 1) / TABLE
    window = np.i0(BETA * np.sqrt(1 - (place / ZERO_CROSSINGS) ** 2)) / np.i0(BETA)
    return window * ROLL_OFF * np.sinc(ROLL_OFF * place)


def _taps(fractions: np.ndarray, rate: int, target: int) -> np.ndarray:
    """Return the weights of the input samples around output samples.

    Args:
        fractions: Where output samples lie after an input sample, in [0, 1).
        rate: Rate of the input in Hz.
        target: Rate of the output in Hz.

    Returns:
        Weights (output samples, 2 reach) of the input samples before and after.
    """
    scale, step, reach = min(1.0, target / rate), _step(rate, target), _reach(rate, target)
    table = np.append(_table(), 0.0) * scale

    def wing(distances: np.ndarray) -> np.ndarray:
        offsets = np.floor(distances * TABLE).astype(int)
        entries = offsets[:, None] + step * np.arange(reach)
        within = np.arange(reach) < ((len(table) - 1 - offsets) // step)[:, None]
        entries = np.where(within, entries, len(table) - 1)
        part = (distances * TABLE - offsets)[:, None]
        after = table[np.minimum(entries + 1, len(table) - 2)]
        return np.where(within, table[entries] + part * (after - table[entries]), 0.0)

    left = wing(scale * fractions)[:, ::-1]
    right = wing(scale - scale * fractions)
    return np.concatenate([left, right], 1)


def _at(samples: np.ndarray, rate: int, target: int, times: np.ndarray) -> np.ndarray:
    """Return the resampled signal at some times, in input samples, with weights of their own."""
    reach = _reach(rate, target)
    padded = np.pad(samples.astype(np.float64), (reach - 1, reach))
    result = np.empty(len(times), np.float32)
    for start in range(0, len(times), 4096):
        block = times[start : start + 4096]
        first = np.floor(block).astype(int)
        neighbours = padded[first[:, None] + np.arange(2 * reach)]
        weights = _taps(block - first, rate, target)
        result[start : start + 4096] = (neighbours * weights).sum(1)
    return result


def _by_phases(samples: np.ndarray, rate: int, target: int, length: int) -> np.ndarray:
    """Return the product of overlapping blocks of samples with weights that all of them share."""
    weights, step = _weights(rate, target)
    reach = _reach(rate, target)
    blocks = -(-length // weights.shape[1])
    padded = np.zeros(max(len(samples) + reach, (blocks - 1) * step + len(weights)))
    padded[reach - 1 : reach - 1 + len(samples)] = samples
    windows = sliding_window_view(padded, len(weights))[::step][:blocks]
    return (windows @ weights).astype(np.float32).ravel()[:length]


@cache
def _weights(rate: int, target: int) -> tuple[np.ndarray, int]:
    """Return weights (samples of a block, its output samples), and the samples between blocks.

    Weights repeat every rate / gcd samples; a block holds several such periods if they are short.
    """
    divisor, reach = np.gcd(rate, target), _reach(rate, target)
    periods = -(-LEAST_STEP // (rate // divisor))
    times = np.arange(periods * target // divisor) * rate / target
    first = np.floor(times).astype(int)
    weights = np.zeros((len(times), first[-1] + 2 * reach))
    columns = first[:, None] + np.arange(2 * reach)
    np.put_along_axis(weights, columns, _taps(times - first, rate, target), 1)
    return np.ascontiguousarray(weights.T), int(periods * rate // divisor)
