"""The contracts of a frontend, and of what compresses energies."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from fewshot_audio.frontends.checks import check_count
from fewshot_audio.frontends.export import Framewise, Loudness
from fewshot_audio.frontends.layer import alone, call, fixed, wide_dtype
from fewshot_audio.frontends.learning import Learning
from fewshot_audio.frontends.loudness import Normalize, loud
from fewshot_audio.frontends.mel import PowerMel
from fewshot_audio.frontends.stream import Stream

if TYPE_CHECKING:
    from jaxtyping import Float, Int

Cropped = tuple[tuple[Tensor, ...], Tensor]  # inputs, and the place of the first frame in each


class Frontend(Learning, ABC):
    """Turn waveforms into spectrograms.

    A frontend is a layer: `frontend(waveform)`. Training on few clips calls it in parts, `prepare`
    once and `compute` for each update, as what no parameter changes need not be computed again.

    Args:
        n_bands: Bands of the spectrograms.
        mel: Where it reads mel spectrograms, what makes them of waveforms in `forward`.

    Attributes:
        reads: What `prepare` takes: "mel", power mel spectrograms (clips, frames, n_bands), or
            "waveform", samples in [-1, 1] (clips, samples, 1).
        sample_rate: Hz of the waveforms that `prepare` takes, None for mel spectrograms.
        pointwise: Whether each value depends on that of the input alone; `compute` takes patches.
        learning_rate_factor: Its parameters' learning rate, relative to the classifier's.
        normalize: "loudness": `forward` makes each clip equally loud, see `loudness.loud`.
        notes: What a user must know of its settings.
    """

    reads: Literal["mel", "waveform"] = "mel"
    sample_rate: int | None = None
    pointwise: bool = True
    learning_rate_factor: float = 1.0
    n_bands: int = 128
    normalize: Normalize = None
    notes: tuple[str, ...] = ()

    def __init__(self, n_bands: int = 128, mel: PowerMel | None = None):
        check_count(n_bands=n_bands)
        super().__init__()
        self.n_bands, self.mel = n_bands, PowerMel(n_bands=n_bands) if mel is None else mel
        if self.mel.n_bands != n_bands:
            raise ValueError(f"mel: it has {self.mel.n_bands} bands; expected n_bands={n_bands}")

    def forward(
        self, waveform: Float[Tensor, "... time"], lengths: Int[Tensor, ...] | None = None
    ) -> Float[Tensor, "... bands frames"] | tuple[Tensor, Int[Tensor, ...]]:
        """Return the spectrograms of waveforms.

        Computed in float32, in float64 where the weights are; returned in autocast's dtype where it
        is on, else in that of the weights. torch.compile breaks its graph here: lengths may vary.

        Args:
            waveform: Samples in [-1, 1] at the frontend's sample rate, with any leading dimensions.
            lengths: The samples of each clip of a padded batch; the others have no influence.

        Returns:
            The spectrograms, and with `lengths` the frames of each clip; frames beyond are 0.

        Raises:
            ValueError: For another shape or dtype.
        """
        if torch.compiler.is_dynamo_compiling():  # its graphs would be traced anew for each length
            return torch.compiler.disable(call)(self, waveform, lengths)
        return call(self, waveform, lengths)

    def layer(self, clips: Tensor, samples: Tensor) -> tuple[Tensor, Tensor]:
        """Return the spectrograms (clips, frames, bands) of padded clips, and their frames."""
        clips = loud(clips, samples) if self.normalize == "loudness" else clips
        rows, counts = clips[..., None], samples
        if self.reads == "mel":
            rows, counts = self.mel(clips, samples), self.mel.frames(samples)
        longest, frames = max(0, self.frames(rows.shape[1])), self.frames(counts).clamp(min=0)
        if rows.is_meta or len(rows) == 0 or longest == 0:
            nothing = sum(each.sum() for each in self.parameters() if each.requires_grad) * 0.0
            return rows.new_zeros(len(rows), longest, self.n_bands) + nothing, frames  # one graph
        rows = rows if rows.shape[1] else pad(rows, (0, 0, 0, 1))
        return self.compute(*self.prepare(rows, counts))[:, :longest], frames

    @abstractmethod
    def compute(self, *inputs: Tensor) -> Float[Tensor, "clips frames bands"]:
        """Return the spectrograms, float32, of what `prepare` returned.

        Frames beyond the end of a clip may hold anything.
        """

    def prepare(
        self, rows: Float[Tensor, "clips rows columns"], lengths: Int[Tensor, " clips"]
    ) -> tuple[Tensor, ...]:
        """Return what `compute` takes: all that no parameter changes, computed once.

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

    def represent(self, frontends: Sequence[Frontend]) -> bool:
        """Be ready to compute for these under torch.func.vmap; return whether that is possible."""
        return self.pointwise

    def frames(self, rows: Any) -> Any:
        """Return the number of frames of clips with so many rows (an int or a tensor)."""
        return rows

    def spectrogram(
        self, rows: Float[Tensor, "clips rows columns"]
    ) -> Float[Tensor, "clips frames bands"]:
        """Return the spectrograms of clips of one length, as `prepare` takes them."""
        lengths = torch.full((len(rows),), rows.shape[1], device=rows.device)
        return self.compute(*self.prepare(rows, lengths))[:, : self.frames(rows.shape[1])]

    @torch.no_grad()
    def for_export(self) -> nn.Module:
        """Return the layer in evaluation mode as plain real operations, with weights of its own.

        For torch.export and ONNX: of waveforms (batch, time), both of any size.
        """
        before = [Loudness()] if self.normalize else []
        return nn.Sequential(*before, fixed(self).plain()).eval()

    def plain(self) -> nn.Module:
        """Return what `for_export` does, without normalisation, of one that `fixed` returned."""
        return nn.Sequential(self.mel.for_export(wide_dtype(self)), Framewise(self, "compute"))

    def stream(self) -> Stream:
        """Return what takes waveforms in chunks, with the present weights in evaluation mode.

        Raises:
            ValueError: Where a frame depends on the whole clip.
        """
        if self.normalize:
            raise ValueError(f"normalize={self.normalize}: the gain depends on the whole clip")
        return fixed(self).streamed()

    def streamed(self) -> Stream:
        """Return a stream of this layer's, which is in evaluation mode."""
        return self.mel.stream(self.compute, wide_dtype(self))

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
    in_stack: bool = False  # whether torch.func.vmap computes it for several runs at once

    def forward(self, energies: Float[Tensor, "... bands frames"]) -> Tensor:
        """Return the compressed energies, in their shape and dtype, computed in float32 at least.

        Args:
            energies: At least 0, with any leading dimensions; of clips without padding.

        Raises:
            ValueError: For another number of bands, or another dtype.
        """
        if self.n_bands not in (None, energies.shape[-2]):
            raise ValueError(f"energies: {energies.shape[-2]} bands; expected {self.n_bands}")
        return energies.clone() if energies.numel() == 0 else alone(self, self._of_clips, energies)

    def _of_clips(self, energies: Tensor) -> Tensor:
        clips = energies.mT.reshape(-1, energies.shape[-1], energies.shape[-2])
        frames = torch.full((len(clips),), clips.shape[1], device=clips.device)
        return self.compress(clips, frames).mT.reshape(energies.shape)

    @abstractmethod
    def compress(
        self, energies: Float[Tensor, "clips frames bands"], frames: Int[Tensor, " clips"]
    ) -> Float[Tensor, "clips frames bands"]:
        """Return the compressed energies; `frames` is the number of frames of each clip."""

    def for_export(self) -> nn.Module:
        """Return the compression of (batch, bands, frames) as plain operations, if framewise."""
        return Framewise(fixed(self), "compress")

    def stream(self) -> Callable[[Tensor], Tensor]:
        """Return a function of energies (clips, frames, bands) that come bit by bit.

        Raises:
            ValueError: Where a frame depends on the whole clip.
        """
        if not self.framewise:
            raise ValueError(f"{type(self).__name__}: a frame depends on the whole clip")
        return self._of_frames

    def _of_frames(self, energies: Tensor) -> Tensor:
        return self.compress(energies, energies.new_zeros(0))

    def physical_parameters(self) -> dict[str, Float[Tensor, " bands"]]:
        """Return copies on the CPU of what is learned per band, by name."""
        return {}
