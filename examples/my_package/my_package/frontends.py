"""A frontend on the mel spectrogram."""

import torch
from torch import Tensor, nn

from fewshot_audio.frontends.base import Frontend


class Root(Frontend):
    """Raise the mel spectrogram to a learned power.

    Args:
        exponent: Where the power starts; 1/3 is the cube root.
        floor: Added before, so that the gradient at silence is finite.
    """

    def __init__(self, exponent: float = 1 / 3, floor: float = 1e-6) -> None:
        super().__init__()
        if not 0 < exponent <= 1:
            raise ValueError(f"exponent={exponent}: expected a number above 0, up to 1")
        self.exponent = nn.Parameter(torch.tensor(float(exponent)))
        self.floor = floor

    def compute(self, spectrograms: Tensor) -> Tensor:
        """Return the power of a mel spectrogram, value by value."""
        return (spectrograms + self.floor) ** self.exponent

    def learned_scalars(self) -> dict[str, float]:
        """Return what the training history keeps of each epoch."""
        return {"exponent": self.exponent.item()}
