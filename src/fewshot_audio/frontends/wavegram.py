"""Wavegram: a time-frequency map made by convolutions on the waveform, all learned."""

from math import sqrt
from typing import Any

import torch
from pydantic import PositiveFloat, PositiveInt
from torch import Tensor, nn
from torch.nn.functional import max_pool1d, pad

from fewshot_audio.frontends.base import Frontend
from fewshot_audio.frontends.diagnostics import rounded
from fewshot_audio.frontends.filterbank.gabor import FWHM
from fewshot_audio.frontends.norm import MaskedNorm
from fewshot_audio.types import ConfigError

FIRST = 64  # channels of the first layer
BLOCKS = (64, 128, 128)  # channels of each block's two layers
POOLS = (1, 1, 4, 1, 4, 1, 4)  # positions of a layer that its maximum is taken over
PER_FRAME = 64  # positions of the first layer in a frame
BINS = 4096  # of a kernel's spectrum, up to the sample rate
FRAMES_AT_ONCE = {
    "cpu": 700
}  # a few clips: twice as fast as all, whose memory the system takes back after each step
FRAMES_AT_ONCE_ELSEWHERE = 40_000


class Wavegram(Frontend):
    """Waveforms to maps by seven layers of convolution, batch norm and ReLU, three of them max-pooled; float32 under autocast.

    The first has `hop` / 64 for its stride, so that a frame is the maximum of what begins as 64 positions; hop 320 makes the
    layers of the source. Frame t is centred on sample t * hop, half a sample before it where hop / 64 is odd, and sees a hop
    and a half to either side. Around a clip are zeros, whatever it shares a batch with. ConfigError where `hop` is no
    multiple of 64. Source: Kong et al., arXiv 1912.10211, Wavegram, whose 128 channels are the bands here.
    """

    reads = "waveform"
    pointwise = False

    def __init__(
        self, sample_rate: PositiveInt, hop: PositiveInt, learning_rate_factor: PositiveFloat
    ):
        super().__init__()
        if hop % PER_FRAME:
            fitting = max(PER_FRAME, round(hop / PER_FRAME) * PER_FRAME)
            raise ConfigError(
                f"frontend.hop={hop}: expected a multiple of {PER_FRAME} samples; the nearest is hop={fitting}"
            )
        self.sample_rate, self.hop, self.learning_rate_factor = (
            sample_rate,
            hop,
            learning_rate_factor,
        )
        stride = hop // PER_FRAME
        self.lead = (
            hop // 2 - stride // 2
        )  # zeros before a clip: half of what 64 positions reach over
        self.convs = nn.ModuleList(
            [nn.Conv1d(1, FIRST, 2 * stride + 1, stride, padding=stride, bias=False)]
        )
        for before, channels in zip((FIRST, *BLOCKS), BLOCKS, strict=False):
            self.convs.append(nn.Conv1d(before, channels, 3, padding=1, bias=False))
            self.convs.append(nn.Conv1d(channels, channels, 3, padding=2, dilation=2, bias=False))
        self.norms = nn.ModuleList(MaskedNorm(conv.out_channels) for conv in self.convs)
        self.start = self.kernels()

    def frames(self, rows: Any) -> Any:
        return 1 + rows // self.hop

    def prepare(self, rows: Tensor, lengths: Tensor) -> tuple[Tensor, ...]:
        """Clips with zeros before and after, in whole frames: (clips, frames * hop), and how many of them a clip reaches into.

        One more than its own where it ends in the second half of a hop: its last frame sees that far.
        """
        longest, samples = self.frames(rows.shape[1] + self.lead - 1), rows.shape[1]
        inside = torch.arange(samples, device=rows.device) < lengths[:, None]
        waveforms = pad(
            rows[..., 0] * inside, (self.lead, longest * self.hop - self.lead - samples)
        )
        return waveforms, self.frames(lengths + self.lead - 1)

    def forward(self, *inputs: Tensor) -> Tensor:
        waveforms, reached = inputs
        longest = waveforms.shape[1] // self.hop
        size = max(
            1, FRAMES_AT_ONCE.get(waveforms.device.type, FRAMES_AT_ONCE_ELSEWHERE) // longest
        )
        cells = reached[:, None, None].split(size)
        with torch.autocast(waveforms.device.type, enabled=False):
            parts = [
                waveform[:, None] for waveform in waveforms.split(size)
            ]  # (clips, channels, positions) each
            for conv, norm, pool in zip(self.convs, self.norms, POOLS, strict=True):
                parts = [conv(x) for x in parts]
                positions = torch.arange(parts[0].shape[2], device=waveforms.device)
                insides = [
                    (positions < each * (len(positions) // longest)).to(waveforms) for each in cells
                ]
                scale, shift = norm(parts, insides)
                parts = [
                    _activated(x, inside, scale, shift, pool)
                    for x, inside in zip(parts, insides, strict=True)
                ]
        return torch.cat(parts).transpose(1, 2)

    def initialise(self, generator: torch.Generator) -> None:
        for conv in self.convs:
            nn.init.xavier_uniform_(conv.weight, generator=generator)
        self.start = self.kernels()

    def kernels(self) -> list[Tensor]:
        """Copies of the layers' kernels (channels, channels before, taps), first layer first, on the CPU."""
        return [conv.weight.detach().cpu().clone() for conv in self.convs]

    def changes(self) -> dict[str, float]:
        """By how much of its size at the start each layer's kernels have changed, as Euclidean norms."""
        moved = [
            ((now - start).norm() / start.norm()).item()
            for now, start in zip(self.kernels(), self.start, strict=True)
        ]
        return {f"change, layer {layer}": each for layer, each in enumerate(moved, 1)}

    def learned_scalars(self) -> dict[str, float]:
        changes = list(self.changes().items())
        before, after = self._spectra()
        return {"median drift, Hz": _drift(before, after).median().item()} | dict(
            [changes[0], changes[-1]]
        )

    def report(self) -> dict[str, Any]:
        before, after = self._spectra()
        moved = _drift(before, after)
        told = {
            "median drift, Hz": moved.median().item(),
            "largest drift, Hz": moved.max().item(),
            **self.changes(),
        }
        summary = dict(zip(told, rounded(torch.tensor(list(told.values()))), strict=True))
        filters = {
            name: {"before": rounded(before[name]), "after": rounded(after[name])}
            for name in before
        }
        return {"summary": summary, "filters": filters}

    def _spectra(self) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Of the first layer's kernels, at the start and now."""
        first = self.convs[0].weight.detach().cpu()
        return spectra(self.start[0][:, 0], self.sample_rate), spectra(
            first[:, 0], self.sample_rate
        )


def _activated(x: Tensor, inside: Tensor, scale: Tensor, shift: Tensor, pool: int) -> Tensor:
    """A layer's convolutions by norm, maxima, ReLU and zeros around each clip to what the next one takes."""
    x = torch.addcmul(shift, x, scale)
    x = x if pool == 1 else max_pool1d(x, pool)
    return x.mul_(inside[..., ::pool]).relu_()


def _drift(before: dict[str, Tensor], after: dict[str, Tensor]) -> Tensor:
    return (after["centre"] - before["centre"]).abs()


def spectra(kernels: Tensor, sample_rate: int) -> dict[str, Tensor]:
    """Kernels (filters, taps) to "centre" and "bandwidth" (filters,) in Hz: the mean and the width of their power spectra.

    The width is that of a Gaussian with the same standard deviation: full, at half of its largest amplitude, as LEAF's.
    """
    power = torch.fft.rfft(kernels.double(), BINS).abs().square()
    share = power / power.sum(1, keepdim=True)
    hz = torch.linspace(0, sample_rate / 2, BINS // 2 + 1, dtype=torch.float64)
    centre = share @ hz
    return {
        "centre": centre,
        "bandwidth": FWHM * sqrt(2) * (share * (hz - centre[:, None]).square()).sum(1).sqrt(),
    }
