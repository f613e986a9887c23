"""Spectrograms of sounds that arrive in chunks, or that are too long for memory."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import pad

from fewshot_audio.frontends.layer import check_waveform, without_autocast

AT_ONCE = 2**20  # samples


class Reach(NamedTuple):
    """Where frames lie, and the samples that they depend on."""

    hop: int  # samples between frames; frame t has its place at t * hop
    before: int  # samples before its place, at least
    after: int  # and from its place on


class Stream:
    """Chunks of waveforms in, frames out: together the spectrograms of the whole waveforms.

    A frame comes as soon as all samples are there that it depends on. Memory is bounded, however
    long the sound is. Made by `Frontend.stream`.

    Args:
        spectra: Returns the energies (clips, frames, bands) of clips (clips, time).
        compress: Returns what becomes of the next ones.
        frames: Returns the number of frames of clips with so many samples.
        reach: What a frame depends on.
        n_bands: Bands of the spectrograms.
        dtype: In which it is computed.
    """

    def __init__(
        self,
        spectra: Callable[[Tensor], Tensor],
        compress: Callable[[Tensor], Tensor],
        frames: Callable[[int], int],
        reach: Reach,
        n_bands: int,
        dtype: torch.dtype,
    ):
        self.spectra, self.compress, self.frames = spectra, compress, frames
        self.reach, self.n_bands, self.dtype = reach, n_bands, dtype
        self.kept: Tensor | None = None  # samples (clips, time) that frames to come depend on
        self.first = self.done = 0  # the frame at whose place they begin; the frames that came
        self.shape, self.over = torch.Size(), False

    @torch.no_grad()
    def __call__(self, chunk: Tensor) -> Tensor:
        """Return the frames (..., bands, frames) that a chunk (..., time) completes, maybe none.

        Raises:
            ValueError: For another dtype, other first dimensions than the first chunk's, or after
                `finish`.
        """
        check_waveform(chunk, None)
        if self.over:
            raise ValueError("the stream is over; begin another one")
        if self.kept is None:
            self.shape = chunk.shape[:-1]
        if chunk.shape[:-1] != self.shape:
            raise ValueError(f"chunk: {tuple(chunk.shape)}; expected (*{tuple(self.shape)}, time)")
        rows = chunk.reshape(self.shape.numel(), chunk.shape[-1]).to(self.dtype)
        return torch.cat([self._next(part) for part in rows.split(AT_ONCE, 1)], -1)

    @torch.no_grad()
    def finish(self) -> Tensor:
        """Return the frames (..., bands, frames) that see beyond the end; the stream is over."""
        if self.kept is None or self.over:
            raise ValueError(f"finish: {'the stream is over' if self.over else 'no chunk came'}")
        self.over = True
        return self._until(self.first + self.frames(self.kept.shape[1]))

    def _next(self, rows: Tensor) -> Tensor:
        self.kept = rows if self.kept is None else torch.cat([self.kept, rows], 1)
        hop, before, after = self.reach
        given = self.first * hop + self.kept.shape[1]
        frames = self._until(max(self.done, (given - after) // hop + 1))
        first = max(self.first, (self.done * hop - before) // hop)
        self.kept, self.first = self.kept[:, (first - self.first) * hop :].clone(), first
        return frames

    def _until(self, end: int) -> Tensor:
        """Return the frames from the first one that did not come yet to `end`."""
        assert self.kept is not None
        if end <= self.done:
            return self.kept.new_zeros(*self.shape, self.n_bands, 0)
        samples = self.kept if self.kept.shape[1] else pad(self.kept, (0, 1))
        with without_autocast(samples):
            spectra = self.spectra(samples)[:, self.done - self.first : end - self.first]
            values = self.compress(spectra).mT
        self.done = end
        return values.reshape(*self.shape, *values.shape[1:])
