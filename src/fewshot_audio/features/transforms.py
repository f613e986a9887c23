"""Features of the study: resampling and mel spectrograms as librosa computed them in 2018."""

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from fewshot_audio.features.base import BaseMel, BaseWaveform, Features
from fewshot_audio.features.resample import resample

if TYPE_CHECKING:
    from scipy.sparse import csr_array

FRAMES_AT_ONCE = 32  # what stays in a processor's cache
LINEAR_STEP = 200 / 3  # Hz per mel below the knee
KNEE = 1000.0  # Hz
LOG_STEP = np.log(6.4) / 27  # of frequency, per mel above the knee


@dataclass(frozen=True)
class MelTransform(BaseMel):
    """Power mel spectrogram, computed in float64. Source: librosa (McFee et al.).

    Periodic Hann window, centred frames, Slaney scale and area norm from 0 Hz to half the rate.
    librosa padded with "reflect" in 2018, and pads with "constant" since 0.9.
    """

    resample = staticmethod(resample)

    def __call__(self, samples: np.ndarray) -> np.ndarray:
        """Return the spectrogram, float32 (1 + samples // hop, bands)."""
        padded = np.pad(self.levelled(samples), self.n_fft // 2, mode=self.pad_mode)
        frames = np.lib.stride_tricks.sliding_window_view(padded, self.n_fft)[:: self.hop]
        window = _hann(self.n_fft)
        filters = _sparse_filters(self.sample_rate, self.n_fft, self.n_bands)
        mel = np.empty((len(frames), self.n_bands), np.float32)
        for start in range(0, len(frames), FRAMES_AT_ONCE):
            block = slice(start, start + FRAMES_AT_ONCE)
            spectrum = np.fft.rfft(frames[block] * window)
            mel[block] = (filters @ (spectrum.real**2 + spectrum.imag**2).T).T
        return mel


class Waveform(BaseWaveform):
    """The waveform, resampled as in 2018."""

    resample = staticmethod(resample)


class Librosa2018(Features):
    """The study's numerics."""

    mel_class, waveform_class = MelTransform, Waveform


@cache
def _hann(size: int) -> np.ndarray:
    return 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(size) / size)


@cache
def _sparse_filters(sample_rate: int, n_fft: int, n_bands: int) -> "csr_array":
    """Return Slaney's filters (bands, bins): a bin lies in two of them at most."""
    from scipy.sparse import csr_array  # takes 0.3 s; few commands compute features

    return csr_array(slaney_filters(sample_rate, n_fft, n_bands).T)


@cache
def slaney_filters(sample_rate: int, n_fft: int, n_bands: int) -> np.ndarray:
    """Return triangular filters from 0 Hz to half the rate, each of unit area in Hz.

    Source: Slaney's Auditory Toolbox, as in librosa.

    Returns:
        Filters (n_fft // 2 + 1 bins, bands).
    """
    edges = mel_to_hz(np.linspace(0, hz_to_mel(sample_rate / 2), n_bands + 2))
    bins = np.arange(n_fft // 2 + 1)[:, None] * sample_rate / n_fft
    rising = (bins - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - bins) / (edges[2:] - edges[1:-1])
    return np.maximum(0, np.minimum(rising, falling)) * 2 / (edges[2:] - edges[:-2])


def hz_to_mel(hz: float) -> float:
    """Return a frequency in mel on Slaney's scale: linear to 1 kHz, logarithmic above."""
    return hz / LINEAR_STEP if hz < KNEE else KNEE / LINEAR_STEP + np.log(hz / KNEE) / LOG_STEP


def mel_to_hz(mel: np.ndarray) -> np.ndarray:
    """Return frequencies in Hz, the inverse of `hz_to_mel`."""
    above = np.maximum(mel - KNEE / LINEAR_STEP, 0)
    return np.where(mel < KNEE / LINEAR_STEP, mel * LINEAR_STEP, KNEE * np.exp(above * LOG_STEP))
