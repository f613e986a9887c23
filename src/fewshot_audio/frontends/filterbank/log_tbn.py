"""EfficientLEAF's compression: a learned logarithm, less each band's median, in batch norm over time."""

import torch
from torch import Tensor, nn

from fewshot_audio.frontends.log1p_learn import Log1p
from fewshot_audio.frontends.norm import MaskedNorm


class LogTBN(nn.Module):
    """Energies (clips, frames, bands) to log(1 + 10^a x), less its median over a clip's frames, normalised for each band.

    Mean and variance are over all frames of all clips, what lies beyond a clip's own left out; `a` starts at one value and is
    learned per band, as are scale and shift. Source: Schlüter & Gutenbrunner, arXiv 2207.05508, there without their copy of
    the map that keeps its median.
    """

    needs_frames = True

    def __init__(self, a: Tensor):
        super().__init__()
        self.log1p, self.norm = Log1p(a), MaskedNorm(len(a))

    @torch.no_grad()
    def physical_parameters(self) -> dict[str, Tensor]:
        """The a, scale and shift of each band (bands,) on the CPU."""
        found = {"a": self.log1p.a, "scale": self.norm.weight, "shift": self.norm.bias}
        return {name: value.cpu().clone() for name, value in found.items()}

    def forward(self, energies: Tensor, frames: Tensor) -> Tensor:
        inside = torch.arange(energies.shape[1], device=energies.device) < frames[:, None]
        maps = self.log1p(energies)
        maps = (
            maps - maps.masked_fill(~inside[..., None], torch.nan).nanmedian(1, keepdim=True).values
        )
        maps = (maps * inside[..., None]).transpose(1, 2)
        scale, shift = self.norm([maps], [inside[:, None].to(maps.dtype)])
        return (maps * scale + shift).transpose(1, 2)
