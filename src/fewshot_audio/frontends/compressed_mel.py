"""Mel spectrograms of whole clips, compressed."""

from typing import Any

import torch
from torch import Tensor, nn

from fewshot_audio.frontends.base import Compression, Frontend
from fewshot_audio.frontends.diagnostics import before_and_after, medians
from fewshot_audio.frontends.layer import wide_dtype
from fewshot_audio.frontends.mel import PowerMel
from fewshot_audio.frontends.stream import Stream


class CompressedMel(Frontend):
    """Compress power mel spectrograms of whole clips, in float32 also under autocast.

    Args:
        compression: What compresses them.
        n_bands: Bands of the mel spectrogram.
        mel: What makes it of waveforms in `forward`.
    """

    pointwise = False

    def __init__(self, compression: Compression, n_bands: int, mel: PowerMel | None = None):
        super().__init__(n_bands, mel)
        self.compression = compression
        self.remember_start()

    def remember_start(self) -> None:
        self.before = self.compression.physical_parameters()

    def compute(self, *inputs: Tensor) -> Tensor:
        frames = torch.full((len(inputs[0]),), inputs[0].shape[1], device=inputs[0].device)
        with torch.autocast(inputs[0].device.type, enabled=False):
            return self.compression.compress(inputs[0], frames)

    def streamed(self) -> Stream:
        return self.mel.stream(self.compression.stream(), wide_dtype(self))

    def plain(self) -> nn.Module:
        mel = self.mel.for_export(wide_dtype(self))
        return nn.Sequential(mel, self.compression.for_export())

    def learned_scalars(self) -> dict[str, float]:
        return medians(self.compression.physical_parameters())

    def report(self) -> dict[str, Any]:
        return before_and_after(self.before, self.compression.physical_parameters())
