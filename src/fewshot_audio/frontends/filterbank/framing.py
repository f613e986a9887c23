"""Where frames lie on a waveform."""

from dataclasses import dataclass
from typing import Any, Literal, get_args

import torch
from torch import Tensor

from fewshot_audio.frontends.checks import MOST, check_choice, check_count, check_positive

Align = Literal["centre", "tf", "symmetric", "valid"]


@dataclass(frozen=True)
class Placement:
    """Windows of `taps` samples every `hop` samples.

    Attributes:
        taps: Samples of a window.
        hop: Samples between windows.
        align: "centre": frame t is centred on sample t * hop, as a mel frame is (half a sample
            beside it if `taps` is even), and a clip has 1 + samples // hop frames. "tf": frames
            lie as TensorFlow's SAME padding puts them, about half a hop later, and a clip has
            ceil(samples / hop). "symmetric": as "centre", with ceil(samples / hop) frames, as other
            PyTorch implementations of LEAF have it. "valid": the first window begins with the clip
            and the last one ends within it, so a clip has 1 + (samples - taps) // hop.
    """

    taps: int
    hop: int
    align: Align

    def __post_init__(self) -> None:
        check_count(hop=self.hop)
        check_choice("align", self.align, get_args(Align))

    def frames(self, samples: Any) -> Any:
        """Return the number of frames of clips with so many samples (an int or a tensor)."""
        if self.align == "valid":
            return 1 + (samples - self.taps) // self.hop
        if self.align in ("tf", "symmetric"):
            return -(-samples // self.hop)
        return 1 + samples // self.hop

    def first(self, samples: Tensor) -> Tensor:
        """Return the sample, 0 or before it, with which the first window of each clip begins.

        Args:
            samples: Samples of each clip (clips,).
        """
        if self.align == "valid":
            return torch.zeros_like(samples)
        if self.align in ("centre", "symmetric"):
            return torch.full_like(samples, -((self.taps - 1) // 2))
        padding = (self.frames(samples) - 1) * self.hop + self.taps - samples
        return -(padding.clamp(min=0) // 2)

    @property
    def over_an_edge(self) -> int:
        """The largest number of frames that reach over one end of a clip."""
        return -(-(self.taps // 2 + 1) // self.hop)


def taps_of(sample_rate: int, window_ms: float) -> int:
    """Return the samples of a window.

    Raises:
        ValueError: For fewer than 5 samples, which leave filters and windows nothing to learn, or
            more than a clip has.
    """
    check_positive(sample_rate=sample_rate, window_ms=window_ms)
    taps = int(sample_rate * window_ms / 1000) + 1
    if not 5 <= taps <= MOST:
        raise ValueError(
            f"window_ms={window_ms}: {taps} samples at sample_rate={sample_rate}, expected 5 to "
            f"{MOST:,}"
        )
    return taps
