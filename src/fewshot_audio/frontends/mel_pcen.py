"""PCEN, learned, on the fixed mel spectrogram."""

from typing import Any

import torch
from torch import Tensor

from fewshot_audio.frontends.base import Frontend
from fewshot_audio.frontends.diagnostics import before_and_after
from fewshot_audio.frontends.pcen import PCEN


class MelPCEN(Frontend):
    """Power mel maps of whole clips through PCEN, whose four are learned per band; smoothing begins with a clip's first frame.

    `smooth` is the weight of a new frame, `floor` what is added to the smoothed energies. In float32 also under autocast.
    Source: Wang et al., arXiv 1607.05666; the mel + PCEN baseline of Zeghidour et al., arXiv 2101.08596.
    """

    pointwise = False

    def __init__(self, alpha: float, delta: float, root: float, smooth: float, floor: float):
        super().__init__()
        even = torch.ones(self.bands)
        self.compression = PCEN(alpha * even, delta * even, root * even, smooth * even, floor)
        self.before = self.compression.physical_parameters()

    def forward(self, *inputs: Tensor) -> Tensor:
        with torch.autocast(inputs[0].device.type, enabled=False):
            return self.compression(inputs[0])

    def learned_scalars(self) -> dict[str, float]:
        return {
            f"median {name}": value.median().item()
            for name, value in self.compression.physical_parameters().items()
        }

    def report(self) -> dict[str, Any]:
        return before_and_after(self.before, self.compression.physical_parameters())
