"""Logarithmic compression learned with the rest of the network."""

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from fewshot_audio.frontends.base import Frontend
from fewshot_audio.frontends.log_fixed import LOGARITHMS, Base, below_floor


class LogLearn(Frontend):
    """Power mel X to log(alpha X + beta) with alpha = exp(a) and beta = softplus(b); a and b are learned.

    Source: Pons, Serrà & Serra, arXiv 1810.10274, A.3; a starts at 7 and b at 1 there, base e.
    """

    def __init__(self, a: float, b: float, base: Base):
        super().__init__()
        self.a = nn.Parameter(torch.tensor(float(a)))
        self.b = nn.Parameter(torch.tensor(float(b)))
        self.logarithm = LOGARITHMS[base]

    def forward(self, maps: Tensor) -> Tensor:
        return self.logarithm(self.a.exp() * maps + softplus(self.b))

    def learned_scalars(self) -> dict[str, float]:
        alpha, beta = self.a.exp().double(), softplus(self.b).double()
        return {"alpha": alpha.item(), "beta": beta.item(), "beta/alpha": (beta / alpha).item()}

    def patch_statistics(self, patches: Tensor) -> dict[str, float]:
        return below_floor(patches, self.learned_scalars()["beta/alpha"])
