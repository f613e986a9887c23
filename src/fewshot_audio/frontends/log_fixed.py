"""Logarithmic compression that learns nothing: log-EPS, and any other fixed floor."""

from math import nan
from typing import Literal

import torch
from pydantic import NonNegativeFloat, PositiveFloat
from torch import Tensor

from fewshot_audio.frontends.base import Frontend

LOGARITHMS = {10: torch.log10, "e": torch.log}
Base = Literal[10, "e"]


class LogFixed(Frontend):
    """Power mel X to log(alpha X + beta), to base 10 or e.

    log-EPS is alpha 1, beta the float64 machine epsilon, base 10. Source: Pons, Serrà & Serra, arXiv 1810.10274, A.3.
    """

    def __init__(self, alpha: PositiveFloat, beta: NonNegativeFloat, base: Base):
        super().__init__()
        self.alpha, self.beta, self.logarithm = alpha, beta, LOGARITHMS[base]

    def forward(self, maps: Tensor) -> Tensor:
        return self.logarithm(self.alpha * maps + self.beta)

    def patch_statistics(self, patches: Tensor) -> dict[str, float]:
        return below_floor(patches, self.beta / self.alpha)


def below_floor(patches: Tensor, floor: float | Tensor) -> dict[str, float]:
    """The share of patches' power mel values below beta / alpha, (bands,) or one, which is flattened; NaN where that is."""
    finite = torch.as_tensor(floor).isfinite().all()
    return {"below beta/alpha": (patches < floor).double().mean().item() if finite else nan}
