"""Features by torchaudio: fast, and the default for other datasets than those of the study.

torch is imported when features are computed, because plans and tables do without.
"""

import warnings
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from fewshot_audio.features.base import BaseMel, BaseWaveform, Features
from fewshot_audio.features.resample import BETA, ROLL_OFF, ZERO_CROSSINGS, has_few_phases, resample

if TYPE_CHECKING:
    from torchaudio.transforms import MelSpectrogram, Resample


def torchaudio_resample(samples: np.ndarray, rate: int, target: int) -> np.ndarray:
    """Resample with the filter of kaiser_best, computed without a table.

    Rates with so small a common divisor that the weights would not fit into memory are resampled
    as in 2018. Arguments and length of the result are those of `resample`.
    """
    if rate == target:
        return samples
    if not has_few_phases(rate, target):
        return resample(samples, rate, target)
    import torch

    with torch.inference_mode():
        resampled = _resampler(rate, target)(torch.from_numpy(samples)).numpy()
    length = -(-len(samples) * target // rate)
    if len(resampled) == length:
        return resampled
    return np.pad(resampled[:length], (0, max(0, length - len(resampled))))  # wrong above 2**24


@dataclass(frozen=True)
class TorchaudioMel(BaseMel):
    """Power mel spectrogram, computed in float32."""

    resample = staticmethod(torchaudio_resample)

    def __call__(self, samples: np.ndarray) -> np.ndarray:
        """Return the spectrogram, float32 (1 + samples // hop, bands)."""
        import torch

        # by NumPy: torch cannot reflect a clip that is shorter than half a frame
        padded = np.pad(self.levelled(samples), self.n_fft // 2, mode=self.pad_mode)
        mel = _mel_spectrogram(self.sample_rate, self.n_fft, self.hop, self.n_bands)
        with torch.inference_mode():
            return mel(torch.from_numpy(padded)).T.contiguous().numpy()


class TorchaudioWaveform(BaseWaveform):
    """The waveform, resampled by torchaudio."""

    resample = staticmethod(torchaudio_resample)


class Torchaudio(Features):
    """torchaudio's numerics, in float32."""

    mel_class, waveform_class = TorchaudioMel, TorchaudioWaveform


@lru_cache(maxsize=32)
def _resampler(rate: int, target: int) -> "Resample":
    from torchaudio.transforms import Resample

    return Resample(
        rate,
        target,
        resampling_method="sinc_interp_kaiser",
        lowpass_filter_width=ZERO_CROSSINGS,
        rolloff=ROLL_OFF,
        beta=BETA,
    )


@lru_cache(maxsize=8)
def _mel_spectrogram(sample_rate: int, n_fft: int, hop: int, n_bands: int) -> "MelSpectrogram":
    from torchaudio.transforms import MelSpectrogram

    with warnings.catch_warnings():  # narrow bands without a bin of their own are the study's too
        warnings.filterwarnings("ignore", "At least one mel filterbank has all zero values")
        return MelSpectrogram(
            sample_rate,
            n_fft,
            hop_length=hop,
            n_mels=n_bands,
            center=False,
            norm="slaney",
            mel_scale="slaney",
        )
