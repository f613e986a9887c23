"""LEAF: learned filters, learned pooling, learned compression of the waveform."""

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import conv1d, pad

from fewshot_audio.frontends.gabor import Gabor
from fewshot_audio.frontends.gaussian_lowpass import GaussianLowpass

Align = Literal["centre", "tf"]
FLOOR = 1e-5


class LogOffset(nn.Module):
    """Energies to log(x + 1e-5), LEAF's alternative to PCEN."""

    def forward(self, energies: Tensor) -> Tensor:
        return torch.log(energies + FLOOR)


class Leaf(nn.Module):
    """Waveforms (clips, samples) in [-1, 1] to maps (clips, frames, filters): filter, square, pool, floor at 1e-5, compress.

    `hop` is in samples. With `align` "centre" frame t is centred on sample t * hop, as a mel frame is, and there are
    1 + samples // hop; with "tf" they are placed as in the source: ceil(samples / hop), half a hop later.
    Source: Zeghidour et al., arXiv 2101.08596, and its TensorFlow code.
    """

    def __init__(self, filters: Gabor, pooling: GaussianLowpass, compression: nn.Module, hop: int, align: Align):
        super().__init__()
        self.filters, self.pooling, self.compression = filters, pooling, compression
        self.hop, self.align = hop, align

    def forward(self, waveforms: Tensor) -> Tensor:
        frames, left = placed(waveforms.shape[1], self.pooling.taps, self.hop, self.align)
        energies = pooled_energies(waveforms, *self.filters(), self.pooling(), self.hop, frames, left)
        return self.compression(energies.clamp(min=FLOOR))


def placed(samples: int, taps: int, hop: int, align: Align) -> tuple[int, int]:
    """How many frames a clip gives, and how many samples the first window begins before the clip."""
    if align == "centre":
        return 1 + samples // hop, (taps - 1) // 2
    frames = -(-samples // hop)
    return frames, max((frames - 1) * hop + taps - samples, 0) // 2


def pooled_energies(
    waveforms: Tensor, real: Tensor, imaginary: Tensor, windows: Tensor, hop: int, frames: int, left: int
) -> Tensor:
    """Waveforms (clips, samples), filters and windows (filters, taps each) to pooled energies (clips, frames, filters).

    The plain way: every sample is filtered (zeros around the clip), squared, and summed under the window of each frame.
    """
    filters, taps = real.shape
    before = (taps - 1) // 2
    kernels = torch.cat([real, imaginary])[:, None]
    parts = conv1d(pad(waveforms[:, None], (before, taps - 1 - before)), kernels)
    energies = parts[:, :filters].square() + parts[:, filters:].square()
    right = (frames - 1) * hop + windows.shape[1] - left - waveforms.shape[1]
    return conv1d(pad(energies, (left, right)), windows[:, None], stride=hop, groups=filters).transpose(1, 2)
