"""log-learn with an alpha and a beta for each band."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from fewshot_audio.frontends.base import Frontend
from fewshot_audio.frontends.diagnostics import before_and_after
from fewshot_audio.frontends.log_fixed import LOGARITHMS, Base, below_floor


class LogPerBand(Frontend):
    """Power mel X to log(alpha X + beta) with alpha = exp(a) and beta = softplus(b), both learned for each band.

    All bands start alike. After Pons, Serrà & Serra, arXiv 1810.10274, A.3, who learn one a and one b.
    """

    def __init__(self, a: float, b: float, base: Base):
        super().__init__()
        even = torch.ones(self.bands)
        self.a, self.b = nn.Parameter(a * even), nn.Parameter(b * even)
        self.logarithm = LOGARITHMS[base]
        self.before = self.physical_parameters()

    def forward(self, maps: Tensor) -> Tensor:
        return self.logarithm(self.a.exp() * maps + softplus(self.b))

    @torch.no_grad()
    def physical_parameters(self) -> dict[str, Tensor]:
        """Alpha, beta and beta / alpha of each band (128,), in double precision on the CPU."""
        alpha, beta = self.a.exp().double().cpu(), softplus(self.b).double().cpu()
        return {"alpha": alpha, "beta": beta, "beta/alpha": beta / alpha}

    def learned_scalars(self) -> dict[str, float]:
        return {
            f"median {name}": value.median().item()
            for name, value in self.physical_parameters().items()
        }

    def patch_statistics(self, patches: Tensor) -> dict[str, float]:
        return below_floor(patches, self.physical_parameters()["beta/alpha"].to(patches.device))

    def report(self) -> dict[str, Any]:
        return before_and_after(self.before, self.physical_parameters())
