"""The contracts of a frontend, and of what compresses energies."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor, nn

from fewshot_audio.frontends.checks import check_positive
from fewshot_audio.frontends.diagnostics import before_and_after, medians

if TYPE_CHECKING:
    from jaxtyping import Float, Int

Cropped = tuple[tuple[Tensor, ...], Tensor]  # inputs, and the place of the first frame in each


class Frontend(nn.Module, ABC):
    """Turn clips into spectrograms (clips, frames, n_bands), float32.

    Args:
        n_bands: Bands of the spectrograms.

    Attributes:
        reads: "mel" for power mel spectrograms (clips, frames, n_bands), "waveform" for samples in
            [-1, 1] (clips, samples, 1).
        sample_rate: Hz of the waveforms that it reads, None where it reads mel spectrograms.
        pointwise: Whether each value depends on that value of the input alone. `forward` then also
            takes patches.
        learning_rate_factor: Its parameters' learning rate, relative to the classifier's.
        notes: What a user must know of its settings.
    """

    reads: Literal["mel", "waveform"] = "mel"
    sample_rate: int | None = None
    pointwise: bool = True
    learning_rate_factor: float = 1.0
    n_bands: int = 128
    notes: tuple[str, ...] = ()

    def __init__(self, n_bands: int = 128):
        check_positive(n_bands=n_bands)
        super().__init__()
        self.n_bands = n_bands

    @abstractmethod
    def forward(self, *inputs: Tensor) -> Float[Tensor, "clips frames bands"]:
        """Return the spectrograms of what `prepare` returned.

        Frames beyond the end of a clip may hold anything.
        """

    def prepare(
        self, rows: Float[Tensor, "clips rows columns"], lengths: Int[Tensor, " clips"]
    ) -> tuple[Tensor, ...]:
        """Return what `forward` takes: all that no parameter changes, computed once.

        Args:
            rows: Clips padded to the same length: frames of mel spectrograms, or samples.
            lengths: The number of rows of each clip.

        Returns:
            Tensors whose first dimension is the clip.
        """
        return (rows,)

    def crop(self, inputs: tuple[Tensor, ...], starts: Tensor, frames: int) -> Cropped:
        """Return the part of `inputs` that some frames depend on, to save work.

        Args:
            inputs: What `prepare` returned.
            starts: The first frame that is needed of each clip (clips,).
            frames: How many frames are needed of each clip.

        Returns:
            The part, and the place of the first needed frame in its spectrogram. All of `inputs`
            where a frame depends on all others.
        """
        return inputs, starts

    def frames(self, rows: Any) -> Any:
        """Return the number of frames of clips with so many rows (an int or a tensor)."""
        return rows

    def spectrogram(
        self, rows: Float[Tensor, "clips rows columns"]
    ) -> Float[Tensor, "clips frames bands"]:
        """Return the spectrograms of clips of one length."""
        lengths = torch.full((len(rows),), rows.shape[1], device=rows.device)
        return self(*self.prepare(rows, lengths))[:, : self.frames(rows.shape[1])]

    def initialise(self, generator: torch.Generator) -> None:
        """Draw what starts at random, if anything does. Called once per run."""

    def project(self) -> None:
        """Bring parameters that have left their bounds back. Called after every update."""

    def calibrate(self, *inputs: Tensor) -> None:
        """Adapt approximations to a run's training clips, as `prepare` returned them.

        Called before the first update, every few epochs, and after the last update.
        """

    def check(self, *inputs: Tensor) -> None:
        """Measure approximations on test clips, as `prepare` returned them, for `report`."""

    def learned_scalars(self) -> dict[str, float]:
        """Return the learned scalars by name, for the training history."""
        return {}

    def patch_statistics(self, patches: Float[Tensor, "patches frames bands"]) -> dict[str, float]:
        """Return statistics of input patches by name, means over patches. For pointwise ones."""
        return {}

    def report(self) -> dict[str, Any]:
        """Return diagnostics of a trained frontend, ready for JSON."""
        return {}


class Compression(nn.Module, ABC):
    """Turn energies of frames into the values of a spectrogram.

    Attributes:
        framewise: Whether a frame depends on that frame alone.
        n_bands: Bands that it is made for, None for any number.
    """

    framewise: bool = False
    n_bands: int | None = None

    @abstractmethod
    def forward(
        self, energies: Float[Tensor, "clips frames bands"], frames: Int[Tensor, " clips"]
    ) -> Float[Tensor, "clips frames bands"]:
        """Return the compressed energies; `frames` is the number of frames of each clip."""

    def physical_parameters(self) -> dict[str, Float[Tensor, " bands"]]:
        """Return copies on the CPU of what is learned per band, by name."""
        return {}


class CompressedMel(Frontend):
    """Compress power mel spectrograms of whole clips, in float32 also under autocast.

    Args:
        compression: What compresses them.
        n_bands: Bands of the mel spectrogram.
    """

    pointwise = False

    def __init__(self, compression: Compression, n_bands: int):
        super().__init__(n_bands)
        self.compression = compression
        self.before = compression.physical_parameters()

    def forward(self, *inputs: Tensor) -> Tensor:
        with torch.autocast(inputs[0].device.type, enabled=False):
            return self.compression(inputs[0])

    def learned_scalars(self) -> dict[str, float]:
        return medians(self.compression.physical_parameters())

    def report(self) -> dict[str, Any]:
        return before_and_after(self.before, self.compression.physical_parameters())
