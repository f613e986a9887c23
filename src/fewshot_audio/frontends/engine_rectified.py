"""Real filters with a leaky rectifier behind them: blocks at the full rate, recomputed in the backward pass."""

import torch
from torch import Tensor
from torch.nn.functional import leaky_relu, max_pool1d
from torch.utils.checkpoint import checkpoint

from fewshot_audio.frontends.blocks import TILE, at_once
from fewshot_audio.frontends.engine import Engine
from fewshot_audio.frontends.engine_blocks import Blocks
from fewshot_audio.frontends.placement import Placement

SLOPE = 0.2  # of the rectifier below zero


class Rectified(Engine):
    """Filters by the FFT, rectifies, and takes the sum under the window of each frame, or its `largest` sample.

    The rectified signal has no band, so nothing is decimated. Source: the SincNet of Zeghidour et al., arXiv 2101.08596.
    """

    def __init__(self, placement: Placement, largest: bool):
        super().__init__(placement)
        self.blocks, self.largest = Blocks(placement), largest

    def prepare(self, waveforms: Tensor, lengths: Tensor) -> tuple[Tensor, ...]:
        return self.blocks.prepare(waveforms, lengths)

    def energies(self, filters: Tensor, windows: Tensor, *prepared: Tensor) -> Tensor:
        half, valid = prepared
        tiles = zip(*(each.flatten(0, 1).split(at_once(half, TILE)) for each in (half, valid)), strict=True)
        found = [checkpoint(self._tile, *tile, filters, windows, use_reentrant=False) for tile in tiles]
        return torch.cat(found).unflatten(0, half.shape[:2]).flatten(1, 2)

    def _tile(self, half: Tensor, valid: Tensor, filters: Tensor, windows: Tensor) -> Tensor:
        """Spectra (blocks, bins) and the samples of each that count (blocks, 2) to (blocks, frames, filters)."""
        size, taps = self.blocks.size, windows.shape[1]
        filtered = torch.fft.irfft(half[:, None] * torch.fft.rfft(filters, size).conj(), size)
        place = torch.arange(size, device=half.device)
        inside = ((place >= valid[:, :1]) & (place < valid[:, 1:]))[:, None]
        rectified = leaky_relu(filtered, SLOPE).masked_fill(~inside, -torch.inf if self.largest else 0.0)
        if self.largest:
            found = max_pool1d(rectified, taps, self.placement.hop)[:, :, : self.blocks.frames]
            return found.masked_fill(found == -torch.inf, 0.0).transpose(1, 2)  # frames beyond a clip's end
        under = rectified.unfold(2, taps, self.placement.hop)[:, :, : self.blocks.frames]
        return torch.einsum("bfnk,fk->bnf", under, windows)
