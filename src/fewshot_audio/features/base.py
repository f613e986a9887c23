"""Contract of features: what a cache holds of each clip."""

from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from fewshot_audio.types import Mel

Level = Annotated[float, Field(ge=-100, le=100)] | Literal["none", "peak", "loudness"]
PCM_STEP = np.float32(2.0**-15)  # between two samples of 16 bits


class Transform(ABC):
    """Features of a clip that no frontend learns; a frozen dataclass of its settings.

    The class's name and its settings that are not defaults are part of a cache's key.

    Attributes:
        sample_rate: Rate of the samples that it takes, in Hz.
        level: What each clip is brought to, see `Features`.
    """

    sample_rate: int
    level: Level = "none"

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

    def levelled(self, samples: np.ndarray) -> np.ndarray:
        """Return samples (samples,) at the level that is set."""
        if self.level == "none" or len(samples) == 0:
            return samples
        import torch  # takes a second; few commands compute features

        from fewshot_audio.frontends.loudness import at_level

        return at_level(torch.from_numpy(samples.astype(np.float32))[None], self.level)[0].numpy()


@dataclass(frozen=True)
class BaseMel(Mel, Transform):
    """Power mel spectrogram on Slaney's scale; a subclass computes it."""

    level: Level = "none"

    @property
    def n_columns(self) -> int:
        """Bands."""
        return self.n_bands


@dataclass(frozen=True)
class BaseWaveform(Transform):
    """The waveform itself, for frontends that learn from it; a subclass resamples."""

    sample_rate: int
    level: Level = "none"

    @property
    def n_columns(self) -> int:
        """One."""
        return 1

    def __call__(self, samples: np.ndarray) -> np.ndarray:
        """Return the samples as float32 (samples, 1)."""
        return self.levelled(samples).astype(np.float32)[:, None]

    def packed(self, features: np.ndarray) -> np.ndarray:
        """Return samples in 16 bits where that loses nothing: half the size."""
        steps = features / PCM_STEP
        within = len(steps) and np.min(steps) >= -(2**15) and np.max(steps) < 2**15
        return steps.astype(np.int16) if within and (steps == np.rint(steps)).all() else features


class Features(ABC):
    """A way to compute features; a choice of conf/features.

    Args:
        level: What each clip is brought to before: "none" is its own level, "peak" a largest
            magnitude of 1, "loudness" that of `frontends.loudness.loud`; a number is a gain in dB.

    Attributes:
        mel_class: Computes power mel spectrograms (frames, bands).
        waveform_class: Computes waveforms (samples, 1).
    """

    mel_class: type[BaseMel]
    waveform_class: type[BaseWaveform]

    def __init__(self, level: Level = "none"):
        self.level = level if isinstance(level, str) else float(level) or "none"

    def mel(self, settings: Mel) -> Transform:
        """Return the mel transform with these settings."""
        return self.mel_class(**asdict(settings), level=self.level)

    def waveform(self, sample_rate: int) -> Transform:
        """Return the waveform transform at a rate in Hz."""
        return self.waveform_class(sample_rate, self.level)
