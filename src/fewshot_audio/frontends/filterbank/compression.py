"""What follows the pooled energies of a filterbank, other than PCEN: logarithms and norms."""

import torch
from torch import Tensor, nn

from fewshot_audio.frontends.base import Compression
from fewshot_audio.frontends.checks import check_count
from fewshot_audio.frontends.export import MedianNorm
from fewshot_audio.frontends.layer import fixed
from fewshot_audio.frontends.log import Log1p
from fewshot_audio.frontends.norm import MaskedNorm

FLOOR = 1e-5  # of energies, before they are compressed
KERAS_EPSILON = 1e-3


class NoCompression(Compression):
    """Leave energies as they are."""

    framewise = True

    def compress(self, energies: Tensor, frames: Tensor) -> Tensor:
        return energies


class LogOffset(Compression):
    """Compress energies x to log(x + 1e-5), LEAF's alternative to PCEN."""

    framewise = True

    def compress(self, energies: Tensor, frames: Tensor) -> Tensor:
        return torch.log(energies + FLOOR)


class FrameNorm(Compression):
    """Normalise each frame to mean 0 and variance 1 over bands; then a learned gain and shift.

    Source: Ba et al., arXiv 1607.06450, with the epsilon of Keras, as in the code of Zeghidour et
    al., arXiv 2101.08596.

    Args:
        n_bands: Bands of the energies.
    """

    framewise = True

    def __init__(self, n_bands: int):
        check_count(n_bands=n_bands)
        super().__init__()
        self.n_bands = n_bands
        self.gamma = nn.Parameter(torch.ones(n_bands))
        self.beta = nn.Parameter(torch.zeros(n_bands))

    def compress(self, energies: Tensor, frames: Tensor) -> Tensor:
        return nn.functional.layer_norm(
            energies, energies.shape[-1:], self.gamma, self.beta, KERAS_EPSILON
        )

    @torch.no_grad()
    def physical_parameters(self) -> dict[str, Tensor]:
        return {"gamma": self.gamma.cpu().clone(), "beta": self.beta.cpu().clone()}


class LogTBN(Compression):
    """EfficientLEAF's compression: logarithm, median subtraction, batch norm over time.

    Energies become log(1 + 10^a x), an a learned for each band. The median over a clip's frames is
    subtracted from each band. Batch norm takes mean and variance of each band over all frames of
    all clips, and learns a gain and a shift.

    Source: Schlüter & Gutenbrunner, arXiv 2207.05508, without their second copy of the spectrogram,
    which keeps its median.

    Args:
        n_bands: Bands of the energies.
        a: Start of every a.
    """

    def __init__(self, n_bands: int, a: float = 5.0):
        check_count(n_bands=n_bands)
        super().__init__()
        self.n_bands = n_bands
        self.log1p, self.norm = Log1p(n_bands, a), MaskedNorm(n_bands)

    def compress(self, energies: Tensor, frames: Tensor) -> Tensor:
        inside = torch.arange(energies.shape[1], device=energies.device) < frames[:, None]
        logarithms = self.log1p.compress(energies)
        of_clip = logarithms.masked_fill(~inside[..., None], torch.nan)
        flattened = logarithms - of_clip.nanmedian(1, keepdim=True).values
        flattened = flattened.masked_fill(~inside[..., None], 0.0).transpose(1, 2)
        scale, shift = self.norm([flattened], [inside[:, None].to(flattened.dtype)])
        return (flattened * scale + shift).transpose(1, 2)

    def for_export(self) -> MedianNorm:
        own = fixed(self)
        return MedianNorm(own.log1p, *own.norm.fixed())

    @torch.no_grad()
    def physical_parameters(self) -> dict[str, Tensor]:
        learned = {"a": self.log1p.a, "scale": self.norm.weight, "shift": self.norm.bias}
        return {name: value.cpu().clone() for name, value in learned.items()}
