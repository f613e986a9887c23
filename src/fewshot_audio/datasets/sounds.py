"""Five classes of synthetic sounds, each with random pitch, tempo, length, level and noise."""

from collections.abc import Callable

import numpy as np
from scipy.signal import butter, sosfilt


def chirp(random: np.random.Generator, t: np.ndarray) -> np.ndarray:
    """Return sweeps over two octaves, up or down, repeated every 0.3 to 0.8 s."""
    period, low = random.uniform(0.3, 0.8), 300 * 4 ** random.uniform()
    phase = (t / period) % 1 if random.uniform() < 0.5 else 1 - (t / period) % 1
    return np.sin(2 * np.pi * np.cumsum(low * 4**phase) * (t[1] - t[0]))


def clicks(random: np.random.Generator, t: np.ndarray) -> np.ndarray:
    """Return short decaying clicks, 3 to 12 a second, at irregular times."""
    rate = 1 / (t[1] - t[0])
    clicked = random.uniform(size=len(t)) < random.uniform(3, 12) / rate
    impulses = clicked * random.uniform(0.5, 1, len(t))
    impulses[0] = 1
    size = int(0.01 * rate)
    decay = np.exp(-np.arange(size) / (0.002 * rate)) * random.standard_normal(size)
    return np.convolve(impulses, decay)[: len(t)]


def noise_band(random: np.random.Generator, t: np.ndarray) -> np.ndarray:
    """Return noise, an octave wide, centred between 500 and 4000 Hz."""
    centre, rate = 500 * 8 ** random.uniform(), 1 / (t[1] - t[0])
    edges = [centre / 1.4, min(centre * 1.4, 0.45 * rate)]
    band = butter(2, edges, "bandpass", fs=rate, output="sos")
    return sosfilt(band, random.standard_normal(len(t)))


def tone(random: np.random.Generator, t: np.ndarray) -> np.ndarray:
    """Return a steady tone between 300 and 3000 Hz with three harmonics."""
    f = 300 * 10 ** random.uniform()
    harmonics = [np.sin(2 * np.pi * k * f * t + random.uniform(0, 6)) / k for k in (1, 2, 3)]
    return harmonics[0] + harmonics[1] + harmonics[2]


def warble(random: np.random.Generator, t: np.ndarray) -> np.ndarray:
    """Return a tone of 300 to 3000 Hz whose frequency swings by a fifth 4 to 9 times a second."""
    f, swing = 300 * 10 ** random.uniform(), random.uniform(4, 9)
    frequency = f * (1 + 0.2 * np.sin(2 * np.pi * swing * t))
    return np.sin(2 * np.pi * np.cumsum(frequency) * (t[1] - t[0]))


CLASSES: dict[str, Callable[[np.random.Generator, np.ndarray], np.ndarray]] = {
    "chirp": chirp,
    "clicks": clicks,
    "noise_band": noise_band,
    "tone": tone,
    "warble": warble,
}


def recording(name: str, random: np.random.Generator, rate: int, n_channels: int) -> np.ndarray:
    """Return a clip of a class: 0.4 to 4 s long, at -30 to 0 dB, with background noise.

    Returns:
        Samples (samples, channels) at `rate` Hz, below 0.5 in magnitude.
    """
    t = np.arange(int(random.uniform(0.4, 4.0) * rate)) / rate
    signal = CLASSES[name](random, t)
    signal = signal / np.abs(signal).max()
    signal = signal + 10 ** random.uniform(-2.5, -1) * random.standard_normal(len(t))
    signal = 0.5 * 10 ** random.uniform(-1.5, 0) * signal / np.abs(signal).max()
    return signal[:, None] * random.uniform(0.5, 1, n_channels)
