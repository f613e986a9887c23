"""Where frames lie on a waveform."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

Align = Literal["centre", "tf", "valid"]


@dataclass(frozen=True)
class Placement:
    """Windows of `taps` samples every `hop` samples.

    With `align` "centre" frame t is centred on sample t * hop (half a sample beside it if `taps` is even), as a mel
    frame is, and a clip has 1 + samples // hop; with
    "tf" they lie as TensorFlow's SAME padding puts them: ceil(samples / hop), about half a hop later; with "valid" the first
    begins with the clip and the last ends within it: 1 + (samples - taps) // hop.
    """

    taps: int
    hop: int
    align: Align

    def frames(self, samples):
        """Samples of a clip, an int or a tensor of them, to its frames."""
        if self.align == "valid":
            return 1 + (samples - self.taps) // self.hop
        return 1 + samples // self.hop if self.align == "centre" else -(-samples // self.hop)

    def first(self, samples: Tensor) -> Tensor:
        """Samples of clips (clips,) to the sample, 0 or before it, with which each clip's first window begins."""
        if self.align == "centre":
            return torch.full_like(samples, -((self.taps - 1) // 2))
        if self.align == "valid":
            return torch.zeros_like(samples)
        lacking = (self.frames(samples) - 1) * self.hop + self.taps - samples
        return -(lacking.clamp(min=0) // 2)

    @property
    def over_an_edge(self) -> int:
        """How many frames at most reach over one end of a clip."""
        return -(-(self.taps // 2 + 1) // self.hop)
