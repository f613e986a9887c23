"""Overlap-save blocks: every filter at the full rate, by the FFT, recomputed in the backward pass."""

import torch
from torch import Tensor

from fewshot_audio.frontends.filterbank.engines.base import Engine
from fewshot_audio.frontends.filterbank.engines.overlap_save import energies_of_blocks, spectra
from fewshot_audio.frontends.filterbank.framing import Placement


class Blocks(Engine):
    """As the plain engine but for rounding, several times faster, and without memory of filtered waveforms.

    Its shapes do not depend on data or parameters. `symmetric` tells that filters read backwards are their own conjugates, as
    Gabor filters with a middle tap are: their responses are real.
    """

    def __init__(self, placement: Placement, symmetric: bool = False):
        super().__init__(placement)
        self.turn = placement.taps // 2 if symmetric else 0
        self.size, self.frames = sizes(placement)

    def prepare(self, waveforms: Tensor, lengths: Tensor) -> tuple[Tensor, ...]:
        placement, step = self.placement, self.frames * self.placement.hop
        count = -(-placement.frames(waveforms.shape[1]) // self.frames)
        first = placement.first(lengths)
        bounds = torch.stack([torch.zeros_like(lengths), lengths], 1)
        half = spectra(
            waveforms, bounds, first - (placement.taps - 1) // 2, self.size, step, count, self.turn
        )
        begin = first[:, None] + torch.arange(count, device=first.device) * step
        return half, torch.stack([-begin, lengths[:, None] - begin], 2)

    def crop(
        self, prepared: tuple[Tensor, ...], starts: Tensor, frames: int
    ) -> tuple[tuple[Tensor, ...], Tensor]:
        total = prepared[0].shape[1]
        count = min(total, (self.frames - 1 + frames - 1) // self.frames + 1)  # however they lie
        first = (starts // self.frames).clamp(max=total - count)
        blocks = first[:, None] + torch.arange(count, device=first.device)
        clips = torch.arange(len(first), device=first.device)[:, None]
        return tuple(each[clips, blocks] for each in prepared), starts - first * self.frames

    def energies(self, filters: Tensor, windows: Tensor, *prepared: Tensor) -> Tensor:
        half, valid = prepared
        blocks = half.flatten(0, 1), valid.flatten(0, 1)
        found = energies_of_blocks(
            *blocks, filters, windows, self.placement.hop, self.frames, self.turn > 0
        )
        return found.unflatten(0, half.shape[:2]).flatten(1, 2)


def sizes(placement: Placement) -> tuple[int, int]:
    """Samples of a block, a power of two, and the whole frames that come from it."""
    least = max(
        3 * (2 * placement.taps - 1),
        2 * placement.taps - 1 + placement.over_an_edge * placement.hop,
    )
    size = 1 << (least - 1).bit_length()
    return size, (size - 2 * placement.taps + 1) // placement.hop + 1
