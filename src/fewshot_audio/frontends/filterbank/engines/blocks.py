"""Overlap-save blocks: every filter at the full rate, by the FFT."""

from abc import abstractmethod

import torch
from torch import Tensor

from fewshot_audio.frontends.base import Cropped
from fewshot_audio.frontends.filterbank.engines.base import Engine
from fewshot_audio.frontends.filterbank.engines.overlap_save import BlockEnergies, Blocking, spectra
from fewshot_audio.frontends.filterbank.framing import Placement


class BlockEngine(Engine):
    """Cut waveforms into blocks, whose shapes do not depend on data or parameters."""

    def __init__(self, placement: Placement, symmetric: bool = False):
        super().__init__(placement, symmetric)
        filtered = 2 * placement.taps - 1  # reach of a filter and a window
        least = max(3 * filtered, filtered + placement.over_an_edge * placement.hop)
        samples = 1 << (least - 1).bit_length()
        frames = (samples - filtered) // placement.hop + 1  # clear of what filtering wraps round
        self.blocking = Blocking(samples, frames, placement.hop, symmetric)
        self.turn = placement.taps // 2 if symmetric else 0

    def prepare(self, waveforms: Tensor, lengths: Tensor) -> tuple[Tensor, ...]:
        """Return spectra (clips, blocks, bins) and the samples within the clip, from and to."""
        samples, frames, hop, _ = self.blocking
        step = frames * hop
        count = -(-self.placement.frames(waveforms.shape[1]) // frames)
        first = self.placement.first(lengths)
        bounds = torch.stack([torch.zeros_like(lengths), lengths], 1)
        begin = first - (self.placement.taps - 1) // 2
        half = spectra(waveforms, bounds, begin, samples, step, count, self.turn)
        of_block = first[:, None] + torch.arange(count, device=first.device) * step
        return half, torch.stack([-of_block, lengths[:, None] - of_block], 2)

    def crop(self, prepared: tuple[Tensor, ...], starts: Tensor, frames: int) -> Cropped:
        per_block, total = self.blocking.frames, prepared[0].shape[1]
        count = min(total, (per_block - 1 + frames - 1) // per_block + 1)  # wherever they begin
        first = (starts // per_block).clamp(max=total - count)
        blocks = first[:, None] + torch.arange(count, device=first.device)
        clips = torch.arange(len(first), device=first.device)[:, None]
        return tuple(each[clips, blocks] for each in prepared), starts - first * per_block

    def energies(self, filters: Tensor, windows: Tensor, *prepared: Tensor) -> Tensor:
        half, valid = prepared
        energies = self.of_blocks(half.flatten(0, 1), valid.flatten(0, 1), filters, windows)
        return energies.unflatten(0, half.shape[:2]).flatten(1, 2)

    @abstractmethod
    def of_blocks(self, half: Tensor, valid: Tensor, filters: Tensor, windows: Tensor) -> Tensor:
        """Return the energies (blocks, frames, filters) of blocks."""


class Blocks(BlockEngine):
    """Filter blocks of the waveform by the FFT, and filter them anew in the backward pass.

    It differs from `Conv` by rounding alone, is several times faster, and keeps no filtered
    waveforms in memory.
    """

    def of_blocks(self, half: Tensor, valid: Tensor, filters: Tensor, windows: Tensor) -> Tensor:
        return BlockEnergies.apply(
            half[:, None], valid[:, None], filters, windows, None, self.blocking
        )
