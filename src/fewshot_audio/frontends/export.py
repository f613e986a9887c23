"""Frontends as plain real operations with fixed weights, for torch.export and ONNX.

Their inputs are waveforms (batch, time) of any length, their outputs (batch, bands, frames).
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, log, log2, pi
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn.functional import conv1d, leaky_relu, max_pool2d, pad

from fewshot_audio.frontends.loudness import at_level

if TYPE_CHECKING:
    from fewshot_audio.frontends.filterbank.framing import Placement
    from fewshot_audio.frontends.pcen import PCEN
    from fewshot_audio.frontends.wavegram import Wavegram

NEGLIGIBLE = 1e-9  # what is left of a frame where smoothing forgets it
MOST_DOUBLINGS = 18  # 2^18 frames of 10 ms are 44 minutes


class Energies(nn.Module):
    """Filter by convolution, square or rectify, and pool.

    Args:
        filters: Impulse responses (filters, taps), complex ones to square, real ones to rectify.
        windows: Pooling windows (filters, taps); None: the largest sample of a frame.
        bias: Added to the frames of each filter (filters,), None for nothing.
        placement: Where frames lie.
        slope: Of the rectifier below zero.
        floor: The least energy.
    """

    kernels: Tensor
    windows: Tensor | None
    bias: Tensor | None

    def __init__(
        self,
        filters: Tensor,
        windows: Tensor | None,
        bias: Tensor | None,
        placement: Placement,
        slope: float,
        floor: float,
    ):
        super().__init__()
        self.squares = filters.is_complex()
        kernels = torch.cat([filters.real, filters.imag]) if self.squares else filters
        self.register_buffer("kernels", kernels.detach()[:, None].clone())
        self.register_buffer("windows", None if windows is None else windows.detach()[:, None])
        self.register_buffer("bias", None if bias is None else bias.detach().clone())
        self.placement, self.slope, self.floor, self.filters = placement, slope, floor, len(filters)

    def forward(self, waveform: Tensor) -> Tensor:
        taps = self.kernels.shape[2]
        before = (taps - 1) // 2
        filtered = conv1d(pad(waveform[:, None], (before, taps - 1 - before)), self.kernels)
        if self.squares:
            squares = filtered.square()
            filtered = squares[:, : self.filters] + squares[:, self.filters :]
        else:
            filtered = leaky_relu(filtered, self.slope)
        padded = self._placed(filtered, -torch.inf if self.windows is None else 0.0)
        if self.windows is None:
            pooled = _largest(padded, taps, self.placement.hop)
        else:
            pooled = conv1d(
                padded, self.windows, self.bias, self.placement.hop, groups=self.filters
            )
        return pooled.clamp(min=self.floor)

    def _placed(self, filtered: Tensor, value: float) -> Tensor:
        """Return samples from the first window to the last one."""
        taps, hop, time = self.kernels.shape[2], self.placement.hop, filtered.shape[2]
        if self.placement.align == "valid":
            return filtered
        before, last = (taps - 1) // 2, (time - 1) // hop
        if self.placement.align == "centre":
            last = time // hop
        around = last * hop + taps - time
        if self.placement.align == "tf":
            around = torch.sym_max(around, 0) if hop > taps else around  # else never below 0
            before = around // 2
        after = around - before
        if self.placement.align != "tf" and hop > taps - before:
            after = torch.sym_max(after, 0)
        return pad(filtered, (before, after), value=value)


class Loudness(nn.Module):
    """Make each clip (batch, time) equally loud, as `loudness.loud` does."""

    def forward(self, waveform: Tensor) -> Tensor:
        return at_level(waveform, "loudness")


class MelPower(nn.Module):
    """Power mel spectrograms by convolution with windowed cosines and sines, as `PowerMel`'s.

    The mel filters are (bins, bands).
    """

    kernels: Tensor
    filters: Tensor

    def __init__(self, filters: Tensor, hop: int, size: int, pad_mode: str, dtype: torch.dtype):
        super().__init__()
        window = torch.hann_window(size, dtype=torch.float64)
        turns = torch.arange(len(filters))[:, None] * torch.arange(size) % size
        angles = turns.double() * (2 * pi / size)
        kernels = torch.cat([window * angles.cos(), window * angles.sin()])
        self.register_buffer("kernels", kernels[:, None].to(dtype))
        self.register_buffer("filters", filters.T.to(dtype).contiguous())
        self.hop, self.pad_mode = hop, pad_mode

    def forward(self, waveform: Tensor) -> Tensor:
        half = self.kernels.shape[2] // 2
        padded = pad(waveform[:, None], (half, half), self.pad_mode)
        parts = conv1d(padded, self.kernels, stride=self.hop)
        squares, bins = parts.square(), self.filters.shape[1]
        return self.filters @ (squares[:, :bins] + squares[:, bins:])


class Framewise(nn.Module):
    """A frontend's `compute` or a compression's `compress`, where each frame stands alone."""

    def __init__(self, part: nn.Module, method: str):
        super().__init__()
        self.part, self.method = part, method

    def forward(self, energies: Tensor) -> Tensor:
        by_frame = energies.mT.contiguous()
        lengths = by_frame.new_zeros(0)  # which no such part looks at
        return getattr(self.part, self.method)(by_frame, lengths).mT.contiguous()


class Smoothing(nn.Module):
    """Compress as `PCEN` does; smoothing by doubling takes few operations.

    Args:
        pcen: One that does not learn.
    """

    fading: Tensor

    def __init__(self, pcen: PCEN):
        super().__init__()
        self.pcen = pcen
        keep = 1 - pcen.bounded()["smooth"].double()
        slowest = keep[keep < 1].clamp(min=1e-3).max().item() if (keep < 1).any() else 0.5
        doublings = min(MOST_DOUBLINGS, max(1, ceil(log2(log(NEGLIGIBLE) / log(slowest)))))
        fading = torch.stack([keep ** (2**step) for step in range(doublings)])
        self.register_buffer("fading", fading.to(pcen.smooth.dtype))

    def forward(self, energies: Tensor) -> Tensor:
        by_frame = energies.mT.contiguous()
        frames, first = by_frame.shape[1], by_frame[:, :1]
        beyond = self.pcen.bounded()["smooth"] * (by_frame - first)
        for step, fading in enumerate(self.fading):
            beyond = beyond + fading * pad(beyond, (0, 0, 2**step, 0))[:, :frames]
        return self.pcen.gained(by_frame, first + beyond).mT.contiguous()


class MedianNorm(nn.Module):
    """Compress, subtract each band's median over time, scale and shift, as `LogTBN` does.

    Args:
        log1p: The compression.
        scale: Of the batch norm in evaluation mode (bands, 1), as the next one.
        shift: See above.
    """

    def __init__(self, log1p: nn.Module, scale: Tensor, shift: Tensor):
        super().__init__()
        self.log1p = Framewise(log1p, "compress")
        self.register_buffer("scale", scale.detach().clone())
        self.register_buffer("shift", shift.detach().clone())

    def forward(self, energies: Tensor) -> Tensor:
        compressed = self.log1p(energies)
        middle = (compressed.shape[2] - 1) // 2
        place = torch.arange(middle, middle + 1, device=compressed.device)
        median = compressed.sort(2).values.index_select(2, place)
        return (compressed - median) * self.scale + self.shift


class Convolutions(nn.Module):
    """Layers of convolution, scale and shift, maximum and ReLU, as `Wavegram` has them.

    Args:
        wavegram: One that does not learn.
        pools: Positions that each maximum is taken over.
    """

    def __init__(self, wavegram: Wavegram, pools: Sequence[int]):
        super().__init__()
        self.convs, self.norms, self.pools = wavegram.convs, wavegram.norms, pools
        self.hop, self.lead = wavegram.hop, wavegram.lead

    def forward(self, waveform: Tensor) -> Tensor:
        time = waveform.shape[1]
        after = self.hop * (1 + (time + self.lead - 1) // self.hop) - self.lead - time
        x = pad(waveform[:, None], (self.lead, after))
        for conv, norm, pool in zip(self.convs, self.norms, self.pools, strict=True):
            scale, shift = norm.fixed()  # type: ignore[operator]
            x = conv(x) * scale + shift
            x = (x if pool == 1 else _largest(x, pool, pool)).relu()
        frames = torch.arange(1 + time // self.hop, device=x.device)
        return x.index_select(2, frames)  # a slice would need to know that they are there


def _largest(samples: Tensor, taps: int, hop: int) -> Tensor:
    """Return what max_pool1d does, which takes the length at export for a constant."""
    return max_pool2d(samples[:, :, None], (1, taps), (1, hop))[:, :, 0]
