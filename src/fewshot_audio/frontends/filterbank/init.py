"""Where filters start: their centres and widths before training."""

import math
from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor

Scale = Literal["mel", "bark", "linear", "constant", "random"]


def htk_mel(hz: Tensor) -> Tensor:
    """Hz to mel. Source: O'Shaughnessy, as in HTK."""
    return 2595 * torch.log10(1 + hz / 700)


def bark(hz: Tensor) -> Tensor:
    """Hz to Bark. Source: Traunmüller, J. Acoust. Soc. Am. 88 (1990)."""
    return 26.81 * hz / (1960 + hz) - 0.53


SCALES: dict[str, tuple[Callable[[Tensor], Tensor], Callable[[Tensor], Tensor]]] = {
    "mel": (htk_mel, lambda mel: 700 * (10 ** (mel / 2595) - 1)),
    "bark": (bark, lambda z: 1960 * (z + 0.53) / (26.28 - z)),
    "linear": (lambda hz: hz, lambda hz: hz),
}


def initial(
    scale: Scale, filters: int, low: float, high: float, sample_rate: int
) -> tuple[Tensor, Tensor]:
    """Centres (rad/sample) and widths (standard deviations in samples) of filters (filters,) over low ... high Hz, in float64.

    Equally spaced on the scale, each at half of its amplitude as wide as the square root of the triangle between its neighbours
    is there: the analytic form of LEAF's start from mel triangles. "constant" puts all in the middle of the band, as wide as
    "linear" ones. "random" starts as "mel" and is drawn by `drawn`.
    """
    to, back = SCALES[
        scale if scale in ("mel", "bark") else "mel" if scale == "random" else "linear"
    ]
    ends = to(torch.tensor([low, high], dtype=torch.float64))
    hz = back(torch.linspace(ends[0].item(), ends[1].item(), filters + 2, dtype=torch.float64))
    centres = (
        hz[1:-1]
        if scale != "constant"
        else torch.full((filters,), (low + high) / 2, dtype=torch.float64)
    )
    return 2 * math.pi * centres / sample_rate, sample_rate / 2 / (hz[2:] - hz[:-2])


def edges(scale: Scale, filters: int, low: float, high: float) -> tuple[Tensor, Tensor]:
    """Lower edges and bands (filters,) in Hz of neighbouring band-passes, equally wide on the scale, as SincNet begins.

    They go from `low` to 100 Hz below `high`, since a sinc filter adds 50 Hz to its lower edge and to its band.
    Source: Ravanelli & Bengio, arXiv 1808.00158.
    """
    to, back = SCALES[scale if scale in ("mel", "bark") else "linear"]
    ends = to(torch.tensor([low, high - 100], dtype=torch.float64))
    hz = back(torch.linspace(ends[0].item(), ends[1].item(), filters + 1, dtype=torch.float64))
    return hz[:-1], hz[1:] - hz[:-1]


def drawn(
    widths: Tensor, low: float, high: float, sample_rate: int, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Random centres and widths (filters,): centres even in Hz, sorted; widths even in their logarithm over those given."""
    spread = torch.rand(2, len(widths), generator=generator, dtype=torch.float64)
    centres = (low + (high - low) * spread[0]).sort().values
    narrow, wide = widths.max().log(), widths.min().log()
    return 2 * math.pi * centres / sample_rate, (narrow + (wide - narrow) * spread[1]).exp()
