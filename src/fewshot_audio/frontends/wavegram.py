"""Wavegram: a spectrogram made by convolutions on the waveform, all learned."""

from math import sqrt
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import max_pool1d, pad

from fewshot_audio.frontends.base import Frontend
from fewshot_audio.frontends.checks import check_count, check_positive
from fewshot_audio.frontends.diagnostics import before_and_after, rounded
from fewshot_audio.frontends.export import Convolutions
from fewshot_audio.frontends.filterbank.filters import FWHM
from fewshot_audio.frontends.layer import wide_dtype
from fewshot_audio.frontends.loudness import Normalize, checked
from fewshot_audio.frontends.norm import MaskedNorm
from fewshot_audio.frontends.stream import Reach, Stream

Spectra = dict[str, Tensor]  # "centre" and "bandwidth" in Hz (filters,)

FIRST = 64  # channels of the first layer
MIDDLE = (64, 128)  # channels of the first two blocks of two layers; the third has n_bands
POOLS = (1, 1, 4, 1, 4, 1, 4)  # positions of a layer that its maximum is taken over
PER_FRAME = 64  # positions of the first layer in a frame
BINS = 4096  # of a kernel's spectrum, up to the sample rate
FRAMES_AT_ONCE = {"cpu": 700}  # a few clips: twice as fast as all, whose memory is taken back
FRAMES_AT_ONCE_ELSEWHERE = 40_000


class Wavegram(Frontend):
    """Seven layers of convolution, batch norm and ReLU, three of them max-pooled.

    The stride of the first layer is hop / 64, so that a frame is the maximum of what begins as 64
    positions; hop 320 makes the layers of the source. Frame t is centred on sample t * hop, half a
    sample before it where hop / 64 is odd, and sees a hop and a half to either side. Around a clip
    are zeros, whatever it shares a batch with. In float32 also under autocast.

    Source: Kong et al., arXiv 1912.10211, Wavegram, whose 128 channels are the bands.

    Args:
        sample_rate: Hz.
        hop: Samples between frames, a multiple of 64.
        learning_rate_factor: The parameters' learning rate, relative to the classifier's.
        n_bands: Channels of the last two layers.
        normalize: "loudness": clips are made equally loud first, by `loudness.loud`; in `forward`.
    """

    reads = "waveform"
    pointwise = False
    sample_rate: int

    def __init__(
        self,
        sample_rate: int = 32000,
        hop: int = 320,
        learning_rate_factor: float = 1.0,
        n_bands: int = 128,
        normalize: Normalize = None,
    ):
        check_positive(sample_rate=sample_rate, learning_rate_factor=learning_rate_factor)
        check_count(hop=hop)
        if hop % PER_FRAME:
            nearest = max(PER_FRAME, round(hop / PER_FRAME) * PER_FRAME)
            raise ValueError(
                f"hop={hop}: expected a multiple of {PER_FRAME} samples; the nearest is {nearest}"
            )
        super().__init__(n_bands)
        self.sample_rate, self.hop = sample_rate, hop
        self.learning_rate_factor, self.normalize = learning_rate_factor, checked(normalize)
        stride = hop // PER_FRAME
        self.lead = hop // 2 - stride // 2  # zeros before a clip: half the reach of 64 positions
        first = nn.Conv1d(1, FIRST, 2 * stride + 1, stride, padding=stride, bias=False)
        convs = [first]
        for channels in (*MIDDLE, n_bands):
            before = convs[-1].out_channels
            convs.append(nn.Conv1d(before, channels, 3, padding=1, bias=False))
            convs.append(nn.Conv1d(channels, channels, 3, padding=2, dilation=2, bias=False))
        self.convs = nn.ModuleList(convs)
        self.norms = nn.ModuleList(MaskedNorm(conv.out_channels) for conv in convs)
        self.initialise(torch.default_generator)

    def frames(self, rows: Any) -> Any:
        return 1 + rows // self.hop

    def prepare(self, rows: Tensor, lengths: Tensor) -> tuple[Tensor, ...]:
        """Return clips with zeros around them, and the number of frames that each reaches into.

        That is one more than its own where it ends in the second half of a hop: its last frame sees
        that far. The clips (clips, frames * hop) are whole frames.
        """
        longest, samples = self.frames(rows.shape[1] + self.lead - 1), rows.shape[1]
        inside = torch.arange(samples, device=rows.device) < lengths[:, None]
        after = longest * self.hop - self.lead - samples
        waveforms = pad(rows[..., 0] * inside, (self.lead, after))
        return waveforms, self.frames(lengths + self.lead - 1)

    def compute(self, *inputs: Tensor) -> Tensor:
        waveforms, reached = inputs
        frames = waveforms.shape[1] // self.hop
        at_once = FRAMES_AT_ONCE.get(waveforms.device.type, FRAMES_AT_ONCE_ELSEWHERE)
        clips = max(1, at_once // frames)
        with torch.autocast(waveforms.device.type, enabled=False):
            parts = [part[:, None] for part in waveforms.split(clips)]
            ends = reached[:, None, None].split(clips)
            for conv, norm, pool in zip(self.convs, self.norms, POOLS, strict=True):
                parts = [conv(x) for x in parts]
                positions = torch.arange(parts[0].shape[2], device=waveforms.device)
                per_frame = len(positions) // frames
                masks = [(positions < end * per_frame).to(waveforms) for end in ends]
                scale, shift = norm(parts, masks)
                for number, mask in enumerate(masks):  # norm, maxima, zeros around clips, ReLU
                    x = torch.addcmul(shift, parts[number], scale)
                    x = x if pool == 1 else max_pool1d(x, pool)
                    parts[number] = x.mul_(mask[..., ::pool]).relu_()
        return torch.cat(parts).transpose(1, 2)

    def streamed(self) -> Stream:
        reach = Reach(self.hop, 2 * self.hop, 2 * self.hop)
        return Stream(
            self._of_clips, nn.Identity(), self.frames, reach, self.n_bands, wide_dtype(self)
        )

    def _of_clips(self, clips: Tensor) -> Tensor:
        return self.spectrogram(clips[..., None])

    def plain(self) -> Convolutions:
        return Convolutions(self, POOLS)

    def initialise(self, generator: torch.Generator) -> None:
        for kernel in self.convs.parameters():
            nn.init.xavier_uniform_(kernel, generator=generator)
        self.remember_start()

    def remember_start(self) -> None:
        self.start = self.kernels()

    def kernels(self) -> list[Tensor]:
        """Return copies on the CPU of the layers' kernels (channels, inputs, taps)."""
        return [kernel.detach().cpu().clone() for kernel in self.convs.parameters()]

    def learned_scalars(self) -> dict[str, float]:
        before, after, changes = self._changes()
        first, last = "change, layer 1", f"change, layer {len(self.convs)}"
        drift = (after["centre"] - before["centre"]).abs().median().item()
        return {"median drift, Hz": drift, first: changes[first], last: changes[last]}

    def report(self) -> dict[str, Any]:
        before, after, changes = self._changes()
        moved = (after["centre"] - before["centre"]).abs()
        drifts = {
            "median drift, Hz": moved.median().item(),
            "largest drift, Hz": moved.max().item(),
        }
        summary = drifts | changes
        values = rounded(torch.tensor(list(summary.values())))
        filters = before_and_after(before, after)["filters"]
        return {"summary": dict(zip(summary, values, strict=True)), "filters": filters}

    def _changes(self) -> tuple[Spectra, Spectra, dict[str, float]]:
        """Return the spectra of the first layer's kernels at the start and now, and all changes.

        These are how far each layer's kernels have moved, as a share of their norm at the start.
        """
        now, changes = self.kernels(), {}
        for layer, (kernel, start) in enumerate(zip(now, self.start, strict=True), 1):
            changes[f"change, layer {layer}"] = ((kernel - start).norm() / start.norm()).item()
        before, after = (spectra(each[0][:, 0], self.sample_rate) for each in (self.start, now))
        return before, after, changes


def spectra(kernels: Tensor, sample_rate: int) -> Spectra:
    """Return the mean and the width in Hz of the power spectra of kernels (filters, taps).

    The width is that of a Gaussian with the same standard deviation, as for LEAF: the full width at
    half of its largest amplitude.
    """
    power = torch.fft.rfft(kernels.double(), BINS).abs().square()
    share = power / power.sum(1, keepdim=True)
    hz = torch.linspace(0, sample_rate / 2, BINS // 2 + 1, dtype=torch.float64, device="cpu")
    centre = share @ hz
    deviation = (share * (hz - centre[:, None]).square()).sum(1).sqrt()
    return {"centre": centre, "bandwidth": FWHM * sqrt(2) * deviation}
