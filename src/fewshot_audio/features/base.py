"""Contract of features: what a cache holds of each clip."""

from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass

import numpy as np

from fewshot_audio.types import Mel

PCM_STEP = np.float32(2.0**-15)  # between two samples of 16 bits


class Transform(ABC):
    """Features of a clip that no frontend learns; a frozen dataclass of its settings.

    The class's name and its settings that are not defaults are part of a cache's key.

    Attributes:
        sample_rate: Rate of the samples that it takes, in Hz.
    """

    sample_rate: int

    @property
    @abstractmethod
    def n_columns(self) -> int:
        """Columns of the features."""

    @abstractmethod
    def resample(self, samples: np.ndarray, rate: int, target: int) -> np.ndarray:
        """Return samples (samples,) at `rate` Hz as float32 samples at `target` Hz."""

    @abstractmethod
    def __call__(self, samples: np.ndarray) -> np.ndarray:
        """Return the features, float32 (frames, columns), of samples (samples,)."""

    def packed(self, features: np.ndarray) -> np.ndarray:
        """Return features as they are stored, float32 or 16-bit samples."""
        return features


@dataclass(frozen=True)
class BaseMel(Mel, Transform):
    """Power mel spectrogram on Slaney's scale; a subclass computes it."""

    @property
    def n_columns(self) -> int:
        """Bands."""
        return self.n_bands


@dataclass(frozen=True)
class BaseWaveform(Transform):
    """The waveform itself, for frontends that learn from it; a subclass resamples."""

    sample_rate: int

    @property
    def n_columns(self) -> int:
        """One."""
        return 1

    def __call__(self, samples: np.ndarray) -> np.ndarray:
        """Return the samples as float32 (samples, 1)."""
        return samples.astype(np.float32)[:, None]

    def packed(self, features: np.ndarray) -> np.ndarray:
        """Return samples in 16 bits where that loses nothing: half the size."""
        steps = features / PCM_STEP
        within = len(steps) and steps.min() >= -(2**15) and steps.max() < 2**15
        return steps.astype(np.int16) if within and (steps == np.rint(steps)).all() else features


class Features(ABC):
    """A way to compute features; a choice of conf/features.

    Attributes:
        mel_class: Computes power mel spectrograms (frames, bands).
        waveform_class: Computes waveforms (samples, 1).
    """

    mel_class: type[BaseMel]
    waveform_class: type[BaseWaveform]

    def mel(self, settings: Mel) -> Transform:
        """Return the mel transform with these settings."""
        return self.mel_class(**asdict(settings))

    def waveform(self, sample_rate: int) -> Transform:
        """Return the waveform transform at a rate in Hz."""
        return self.waveform_class(sample_rate)
