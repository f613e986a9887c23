"""The mel spectrogram of the study: what no frontend learns, computed once."""

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from scipy.sparse import csr_array

BANDS = 128
AT_ONCE = 32  # frames: what stays in a processor's cache


@dataclass(frozen=True)
class MelTransform:
    """Samples (samples,) at `sample_rate` Hz to a float32 power mel spectrogram (1 + samples // hop frames, 128 bands).

    Periodic Hann window, centred frames, Slaney scale and area norm over 0 Hz to half the rate, computed in float64.
    `pad_mode` is NumPy's: "reflect" as librosa did in 2018, "constant" as it does since 0.9. Source: librosa (McFee).
    """

    sample_rate: int
    n_fft: int
    hop: int
    pad_mode: str

    columns = BANDS

    def __call__(self, samples: np.ndarray) -> np.ndarray:
        padded = np.pad(samples, self.n_fft // 2, mode=self.pad_mode)
        frames = np.lib.stride_tricks.sliding_window_view(padded, self.n_fft)[:: self.hop]
        window, filters = _hann(self.n_fft), _sparse_filters(self.sample_rate, self.n_fft)
        rows = np.empty((len(frames), BANDS), np.float32)
        for start in range(0, len(frames), AT_ONCE):
            spectrum = np.fft.rfft(frames[start : start + AT_ONCE] * window)
            rows[start : start + AT_ONCE] = (filters @ (spectrum.real**2 + spectrum.imag**2).T).T
        return rows


@cache
def _hann(size: int) -> np.ndarray:
    """The periodic Hann window."""
    return 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(size) / size)


@cache
def _sparse_filters(sample_rate: int, n_fft: int) -> "csr_array":
    """Slaney's filters (bands, bins): a bin lies in two of them at most."""
    from scipy.sparse import (
        csr_array,
    )  # here: importing it takes every command 0.3 s, and few build a bank

    return csr_array(slaney_filters(sample_rate, n_fft, BANDS).T)


@cache
def slaney_filters(sample_rate: int, n_fft: int, bands: int) -> np.ndarray:
    """Triangular filters (n_fft // 2 + 1 bins, bands) from 0 Hz to half the rate, each of unit area in Hz.

    Source: Slaney's Auditory Toolbox, as in librosa.
    """
    edges = mel_to_hz(np.linspace(0, hz_to_mel(sample_rate / 2), bands + 2))
    bins = np.arange(n_fft // 2 + 1)[:, None] * sample_rate / n_fft
    rising = (bins - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - bins) / (edges[2:] - edges[1:-1])
    return np.maximum(0, np.minimum(rising, falling)) * 2 / (edges[2:] - edges[:-2])


LINEAR_STEP = 200 / 3  # Hz per mel below the knee
KNEE = 1000.0  # Hz
LOG_STEP = np.log(6.4) / 27  # of frequency, per mel above the knee


def hz_to_mel(hz: float) -> float:
    """Frequency in Hz to mel on Slaney's scale: linear to 1 kHz, logarithmic above."""
    return hz / LINEAR_STEP if hz < KNEE else KNEE / LINEAR_STEP + np.log(hz / KNEE) / LOG_STEP


def mel_to_hz(mel: np.ndarray) -> np.ndarray:
    """Mel on Slaney's scale to frequency in Hz, the inverse of `hz_to_mel`."""
    above = np.maximum(mel - KNEE / LINEAR_STEP, 0)
    return np.where(mel < KNEE / LINEAR_STEP, mel * LINEAR_STEP, KNEE * np.exp(above * LOG_STEP))
