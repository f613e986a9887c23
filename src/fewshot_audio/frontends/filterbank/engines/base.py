"""The contract of an engine: from waveforms to the energies of filters in frames."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from fewshot_audio.frontends.base import Cropped
from fewshot_audio.frontends.filterbank.framing import Placement

if TYPE_CHECKING:
    from jaxtyping import Complex, Float, Int

    Filters = Complex[Tensor, "filters taps"] | Float[Tensor, "filters taps"]
    Windows = Float[Tensor, "filters taps"]


class Engine(ABC):
    """Filter waveforms, square, and sum under the window of each frame.

    Around each clip are zeros. All engines of complex filters compute one function; they differ in
    time, memory and rounding. What no parameter changes is prepared once.

    Args:
        placement: Where frames lie.
        symmetric: Whether filters read backwards are their own conjugates, as Gabor filters with a
            middle tap are. Their frequency responses are then real, which some engines use.

    Attributes:
        takes_complex: Whether filters are complex and their outputs squared; else they are real and
            their outputs rectified.
        takes_maximum: Whether frames are maxima.
        takes_tapwise: Whether filters and windows may be learned tap by tap.
    """

    takes_complex = True
    takes_maximum = False
    takes_tapwise = True

    def __init__(self, placement: Placement, symmetric: bool = False):
        self.placement, self.symmetric = placement, symmetric

    @abstractmethod
    def prepare(
        self, waveforms: Float[Tensor, "clips samples"], lengths: Int[Tensor, " clips"]
    ) -> tuple[Tensor, ...]:
        """Return what `energies` takes of clips: tensors whose first dimension is the clip.

        Waveforms are padded to the same length with anything; `lengths` are samples of each clip.
        """

    @abstractmethod
    def energies(
        self, filters: Filters, windows: Windows, *prepared: Tensor
    ) -> Float[Tensor, "clips frames filters"]:
        """Return the energies; frames beyond the end of a clip may hold anything."""

    @classmethod
    def energies_of_runs(
        cls, engines: Sequence[Engine], filters: Filters, windows: Windows, *prepared: Tensor
    ) -> Float[Tensor, "runs clips frames filters"]:
        """Return the energies of runs that train together, each of an engine's own filters.

        Args:
            engines: Each run's, of this class.
            filters: Impulse responses (runs, filters, taps).
            windows: Pooling windows (runs, filters, taps).
            *prepared: What was prepared of each run's clips (runs, clips, ...).
        """
        own = zip(engines, filters, windows, *prepared, strict=True)
        return torch.stack([engine.energies(*of_run) for engine, *of_run in own])

    def crop(self, prepared: tuple[Tensor, ...], starts: Tensor, frames: int) -> Cropped:
        """Return the part of `prepared` that some frames depend on, as `Frontend.crop` does."""
        return prepared, starts

    def exact(self) -> Engine:
        """Return an engine that takes what this one prepared and is exact but for rounding."""
        return self

    def calibrate(  # noqa: B027
        self, filters: Filters, windows: Windows, floor: float, *prepared: Tensor
    ) -> None:
        """Fit an approximate engine to some clips, whose energies matter from `floor` on."""

    def check(  # noqa: B027
        self, filters: Filters, windows: Windows, floor: float, *prepared: Tensor
    ) -> None:
        """Measure an approximate engine on clips that it was not fitted to, for `report`."""

    def state(self) -> dict[str, Tensor]:
        """Return what calibration chose, by name."""
        return {}

    def restore(self, state: dict[str, Tensor]) -> None:  # noqa: B027
        """Take what `state` returned; nothing of it leaves the engine as it was made."""

    def report(self) -> dict[str, float]:
        """Return what is worth recording of the engine, by name."""
        return {}
