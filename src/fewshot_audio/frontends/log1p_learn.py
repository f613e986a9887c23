"""The logarithm of one plus a learned multiple, per band."""

from math import log
from typing import Any

import torch
from torch import Tensor, nn

from fewshot_audio.frontends.base import Frontend
from fewshot_audio.frontends.diagnostics import before_and_after


class Log1p(nn.Module):
    """Energies (..., bands) to log(1 + 10^a x); a is learned for each band. Source: Schlüter & Gutenbrunner, arXiv 2207.05508."""

    def __init__(self, a: Tensor):
        super().__init__()
        self.a = nn.Parameter(a)

    def forward(self, energies: Tensor) -> Tensor:
        return torch.log1p(torch.exp(log(10) * self.a) * energies)


class Log1pLearn(Frontend):
    """Power mel X to log(1 + 10^a X), the `a` of each band learned from one start: log-learn with a floor of 1 / 10^a."""

    def __init__(self, a: float):
        super().__init__()
        self.compression = Log1p(torch.full((self.bands,), float(a)))
        self.before = self.physical_parameters()

    def forward(self, maps: Tensor) -> Tensor:
        return self.compression(maps)

    def physical_parameters(self) -> dict[str, Tensor]:
        """The a of each band (128,)."""
        return {"a": self.compression.a.detach().cpu().clone()}

    def learned_scalars(self) -> dict[str, float]:
        return {"median a": self.compression.a.median().item()}

    def report(self) -> dict[str, Any]:
        return before_and_after(self.before, self.physical_parameters())
