"""What follows the pooled energies, other than PCEN: logarithms and norms."""

import torch
from torch import Tensor, nn

FLOOR = 1e-5  # of energies, before they are compressed
KERAS_EPSILON = 1e-3


class LogOffset(nn.Module):
    """Energies to log(x + 1e-5), LEAF's alternative to PCEN."""

    def forward(self, energies: Tensor) -> Tensor:
        return torch.log(energies + FLOOR)


class FrameNorm(nn.Module):
    """Frames (clips, frames, bands) of mean 0 and variance 1 over bands, times gamma plus beta (bands,), both learned.

    Source: Ba et al., arXiv 1607.06450, with the epsilon of Keras, as in the code of Zeghidour et al., arXiv 2101.08596.
    """

    def __init__(self, bands: int):
        super().__init__()
        self.gamma, self.beta = nn.Parameter(torch.ones(bands)), nn.Parameter(torch.zeros(bands))

    @torch.no_grad()
    def physical_parameters(self) -> dict[str, Tensor]:
        """Gamma and beta (bands,) on the CPU."""
        return {"gamma": self.gamma.cpu().clone(), "beta": self.beta.cpu().clone()}

    def forward(self, energies: Tensor) -> Tensor:
        return nn.functional.layer_norm(
            energies, energies.shape[-1:], self.gamma, self.beta, KERAS_EPSILON
        )
