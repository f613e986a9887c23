"""The contract of a frontend: what a bank holds in, time-frequency maps out."""

from abc import ABC, abstractmethod
from typing import Any, Literal

import torch
from torch import Tensor, nn


class Frontend(nn.Module, ABC):
    """Rows of a bank, clip by clip, to maps (clips, frames, 128), float32.

    A frontend that `reads` "mel" gets power mel maps (clips, frames, 128) at the rate of the job. One that reads "waveform"
    gets samples in [-1, 1] (clips, samples, 1) at `sample_rate` Hz. Where it is `pointwise` each value becomes one value by
    itself; then `forward` also takes patches.
    """

    reads: Literal["mel", "waveform"] = "mel"
    sample_rate: int | None = None
    pointwise: bool = True
    learning_rate_factor: float = 1.0
    bands: int = 128
    notes: tuple[str, ...] = ()
    """What a user must know of its settings."""

    @abstractmethod
    def forward(self, *inputs: Tensor) -> Tensor:
        """What `prepare` gave to maps (clips, frames, 128), with anything in frames beyond a clip's own."""

    def prepare(self, rows: Tensor, lengths: Tensor) -> tuple[Tensor, ...]:
        """Padded rows (clips, rows, columns) and the rows of each clip (clips,) to what no parameter changes, clip by clip."""
        return (rows,)

    def crop(
        self, inputs: tuple[Tensor, ...], starts: Tensor, frames: int
    ) -> tuple[tuple[Tensor, ...], Tensor]:
        """What of `inputs` suffices for `frames` frames of each clip's map from `starts` (clips,) on, and where they begin then.

        All of them where a frame depends on others.
        """
        return inputs, starts

    def frames(self, rows: Any) -> Any:
        """Rows of a clip, an int or a tensor of them, to its frames."""
        return rows

    def spectrogram(self, rows: Tensor) -> Tensor:
        """Rows of clips of one length (clips, rows, columns) to their maps (clips, frames, 128)."""
        lengths = torch.full((len(rows),), rows.shape[1], device=rows.device)
        return self(*self.prepare(rows, lengths))[:, : self.frames(rows.shape[1])]

    def initialise(self, generator: torch.Generator) -> None:
        """Sampling what starts at random, if anything does; called once per run."""

    def project(self) -> None:
        """Bring parameters that have left their bounds back to them; called after every update."""

    def calibrate(self, *inputs: Tensor) -> None:
        """See what `prepare` gave of a run's training clips: before the first update, every few epochs, after the last one."""

    def check(self, *inputs: Tensor) -> None:
        """See what `prepare` gave of some test clips, once training is over; for its report."""

    def learned_scalars(self) -> dict[str, float]:
        """The scalars that training has set, by name, for the record of a run's course."""
        return {}

    def patch_statistics(self, patches: Tensor) -> dict[str, float]:
        """What is worth knowing of patches (patches, 128, 128), by name, means over patches; asked of pointwise ones only."""
        return {}

    def report(self) -> dict[str, Any]:
        """What is worth keeping of a trained frontend, as JSON takes it."""
        return {}
