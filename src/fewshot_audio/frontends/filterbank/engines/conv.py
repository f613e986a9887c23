"""The plain engine: one convolution per filter and sample."""

import torch
from torch import Tensor
from torch.nn.functional import conv1d, pad

from fewshot_audio.frontends.filterbank.engines.base import Engine


class Conv(Engine):
    """Convolve; the reference for the other engines.

    It is meant for comparisons. Training keeps about five numbers per filter and sample: 20 GB for
    50 clips of 4 s. On a GPU cuDNN convolves in TF32 unless that is switched off.
    """

    def prepare(self, waveforms: Tensor, lengths: Tensor) -> tuple[Tensor, ...]:
        samples = torch.arange(waveforms.shape[1], device=waveforms.device)
        return waveforms * (samples < lengths[:, None]), lengths

    def energies(self, filters: Tensor, windows: Tensor, *prepared: Tensor) -> Tensor:
        waveforms, lengths = prepared
        count, taps = filters.shape
        before = (taps - 1) // 2
        kernels = torch.cat([filters.real, filters.imag])[:, None]
        parts = conv1d(pad(waveforms[:, None], (before, taps - 1 - before)), kernels)
        inside = torch.arange(waveforms.shape[1], device=waveforms.device) < lengths[:, None, None]
        squares = (parts[:, :count].square() + parts[:, count:].square()) * inside
        framed = self._from_first_window(squares, lengths, taps)
        pooled = conv1d(framed, windows[:, None], stride=self.placement.hop, groups=count)
        return pooled.transpose(1, 2)

    def _from_first_window(self, squares: Tensor, lengths: Tensor, taps: int) -> Tensor:
        """Shift clips (clips, filters, samples) to begin with their first window, zeros around."""
        samples = squares.shape[2]
        size = (self.placement.frames(samples) - 1) * self.placement.hop + taps
        padded = pad(squares, (taps // 2, max(0, size - samples)))
        if self.placement.align == "centre":  # all clips begin alike
            return padded[..., taps // 2 - (taps - 1) // 2 :][..., :size]
        shift = self.placement.first(lengths) + taps // 2
        places = shift[:, None] + torch.arange(size, device=shift.device)
        return padded.gather(2, places[:, None].expand(-1, squares.shape[1], -1))
