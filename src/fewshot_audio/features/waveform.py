"""The waveform itself, as what a bank holds for frontends that learn from it."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Waveform:
    """Samples (samples,) at `sample_rate` Hz to themselves as float32 rows (samples, 1)."""

    sample_rate: int

    columns = 1

    def __call__(self, samples: np.ndarray) -> np.ndarray:
        return samples.astype(np.float32)[:, None]
