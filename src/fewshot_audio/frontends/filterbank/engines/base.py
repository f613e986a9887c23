"""The contract of an engine: from waveforms to the energies of filters, pooled into frames; and the plain engine."""

from abc import ABC, abstractmethod

import torch
from torch import Tensor
from torch.nn.functional import conv1d, pad

from fewshot_audio.frontends.filterbank.framing import Placement


class Engine(ABC):
    """Filters a waveform (zeros around each clip), squares, and sums under the window of each frame.

    All engines compute one function; they differ in time, memory and rounding. What no parameter changes is prepared once.
    """

    def __init__(self, placement: Placement):
        self.placement = placement

    @abstractmethod
    def prepare(self, waveforms: Tensor, lengths: Tensor) -> tuple[Tensor, ...]:
        """Waveforms (clips, samples) and the samples of each (clips,) to what `energies` takes, clip by clip."""

    @abstractmethod
    def energies(self, filters: Tensor, windows: Tensor, *prepared: Tensor) -> Tensor:
        """Filters (filters, taps), complex, and windows (filters, taps) to energies (clips, frames or more, filters).

        What lies beyond a clip's own frames means nothing.
        """

    def crop(
        self, prepared: tuple[Tensor, ...], starts: Tensor, frames: int
    ) -> tuple[tuple[Tensor, ...], Tensor]:
        """What of it suffices for some frames of each clip from `starts` (clips,) on, and where they begin then; or all."""
        return prepared, starts

    def calibrate(self, filters: Tensor, windows: Tensor, floor: float, *prepared: Tensor) -> None:  # noqa: B027
        """Fit an approximate engine to some clips, whose energies matter from `floor` on; others need none."""

    def check(self, filters: Tensor, windows: Tensor, floor: float, *prepared: Tensor) -> None:  # noqa: B027
        """Measure an approximate engine on clips that it was not fitted to; for its report."""

    def report(self) -> dict[str, float]:
        """What is worth recording of the engine, by name."""
        return {}


class Conv(Engine):
    """One convolution per filter and sample: the reference for the others.

    For comparisons rather than jobs: training keeps about five numbers per filter and sample, 20 GB for 50 clips of 4 s.
    On a GPU cuDNN convolves in TF32 unless `process.set_up` has been called.
    """

    def prepare(self, waveforms: Tensor, lengths: Tensor) -> tuple[Tensor, ...]:
        inside = torch.arange(waveforms.shape[1], device=waveforms.device) < lengths[:, None]
        return waveforms * inside, lengths

    def energies(self, filters: Tensor, windows: Tensor, *prepared: Tensor) -> Tensor:
        waveforms, lengths = prepared
        count, taps = filters.shape
        before = (taps - 1) // 2
        kernels = torch.cat([filters.real, filters.imag])[:, None]
        parts = conv1d(pad(waveforms[:, None], (before, taps - 1 - before)), kernels)
        inside = torch.arange(waveforms.shape[1], device=waveforms.device) < lengths[:, None, None]
        energies = (parts[:, :count].square() + parts[:, count:].square()) * inside
        frames = self.placement.frames(waveforms.shape[1])
        size = (frames - 1) * self.placement.hop + taps
        energies = pad(
            energies, (taps // 2, max(0, size - waveforms.shape[1]))
        )  # a first window begins half of it early at most
        shift = self.placement.first(lengths) + taps // 2
        if self.placement.align == "centre":  # the same for all clips
            energies = energies[..., taps // 2 - (taps - 1) // 2 :][..., :size]
        else:
            placed = shift[:, None] + torch.arange(size, device=shift.device)
            energies = energies.gather(2, placed[:, None].expand(-1, count, -1))
        return conv1d(
            energies, windows[:, None], stride=self.placement.hop, groups=count
        ).transpose(1, 2)
