"""Power mel spectrograms of waveforms, for frontends that compress them."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from math import ceil, log, log2
from typing import Any, Literal, get_args

import torch
from torch import Tensor
from torch.nn.functional import pad

from fewshot_audio.frontends.checks import check_choice, check_positive, check_whole, warn
from fewshot_audio.frontends.export import MelPower
from fewshot_audio.frontends.stream import Reach, Stream

LINEAR_STEP, KNEE = 200 / 3, 1000.0  # Hz per mel below the knee, and the knee in Hz
LOG_STEP = log(6.4) / 27  # of frequency, per mel above the knee
PadMode = Literal["constant", "reflect"]
SECONDS = 0.046  # of a window at least: 2048 samples at 44.1 kHz, as in the study


@dataclass(frozen=True)
class PowerMel:
    """Power mel spectrograms: Hann windows, centred frames, Slaney's scale, filters of unit area.

    As librosa's melspectrogram.

    Args:
        sample_rate: Hz.
        n_bands: Mel bands.
        n_fft: Samples of a window; None: the power of two from 46 ms on, 1024 at 16 kHz.
        hop_length: Samples between frames; None: 10 ms.
        low: Lower end of the lowest band in Hz.
        high: Upper end of the highest band in Hz; None: half the sample rate.
        pad_mode: What lies around each clip: "constant", zeros, or "reflect", the clip mirrored.
    """

    sample_rate: int = 16000
    n_bands: int = 128
    n_fft: int | None = None
    hop_length: int | None = None
    low: float = 0.0
    high: float | None = None
    pad_mode: PadMode = "constant"

    def __post_init__(self) -> None:
        check_positive(sample_rate=self.sample_rate)
        check_whole(n_bands=self.n_bands, n_fft=self.size, hop_length=self.hop)
        if self.size % 2:
            raise ValueError(f"n_fft={self.size}: expected an even number of samples")
        check_choice("pad_mode", self.pad_mode, get_args(PadMode))
        if not 0 <= self.low < self.top <= self.sample_rate / 2:
            raise ValueError(
                f"low={self.low}, high={self.top}: expected 0 <= low < high <="
                f" {self.sample_rate / 2} Hz, half the sample rate"
            )

    @property
    def size(self) -> int:
        """Samples of a window."""
        least = SECONDS * self.sample_rate
        return 2 ** ceil(log2(least)) if self.n_fft is None else self.n_fft

    @property
    def hop(self) -> int:
        """Samples between frames."""
        hop = max(1, round(self.sample_rate / 100))
        return hop if self.hop_length is None else self.hop_length

    @property
    def top(self) -> float:
        """Upper end of the highest band in Hz."""
        return self.sample_rate / 2 if self.high is None else self.high

    def centres(self) -> Tensor:
        """Return the frequencies (n_bands,) in Hz at which the filters have their peaks."""
        return _edges(self.n_bands, self.low, self.top)[1:-1]

    def frames(self, samples: Any) -> Any:
        """Return the number of frames of clips with so many samples (an int or a tensor)."""
        return 1 + samples // self.hop

    def __call__(self, clips: Tensor, samples: Tensor) -> Tensor:
        """Return the spectrograms (clips, frames, bands) of padded clips (clips, samples)."""
        if clips.is_meta or len(clips) == 0:
            return clips.new_empty(len(clips), self.frames(clips.shape[1]), self.n_bands)
        window = torch.hann_window(self.size, dtype=torch.float64).to(clips)
        spectrum = torch.stft(
            self._padded(clips, samples),
            self.size,
            self.hop,
            window=window,
            center=False,
            return_complex=True,
        )
        power = spectrum.real.square() + spectrum.imag.square()
        filters = _filters(self.sample_rate, self.size, self.n_bands, self.low, self.top)
        return power.mT @ filters.to(power)

    def _padded(self, clips: Tensor, samples: Tensor) -> Tensor:
        """Return clips with half a window more at either end of each."""
        half, time = self.size // 2, clips.shape[1]
        if self.pad_mode == "constant" or time == 0:
            inside = torch.arange(time, device=clips.device) < samples[:, None]
            return pad(clips.masked_fill(~inside, 0.0), (half, half))
        last = (samples[:, None] - 1).clamp(min=0)
        turns = torch.arange(-half, time + half, device=clips.device) % (2 * last).clamp(min=1)
        return clips.gather(1, torch.minimum(turns, 2 * last - turns).clamp(min=0))

    def stream(self, compress: Callable[[Tensor], Tensor], dtype: torch.dtype) -> Stream:
        """Return a stream of spectrograms (clips, frames, bands), compressed.

        Raises:
            ValueError: Where clips are mirrored at their ends.
        """
        if self.pad_mode != "constant":
            raise ValueError(f"pad_mode={self.pad_mode}: expected constant, zeros around the sound")
        reach = Reach(self.hop, self.size // 2, self.size - self.size // 2)
        return Stream(self._of_clips, compress, self.frames, reach, self.n_bands, dtype)

    def _of_clips(self, clips: Tensor) -> Tensor:
        return self(clips, torch.full((len(clips),), clips.shape[1], device=clips.device))

    def for_export(self, dtype: torch.dtype = torch.float32) -> MelPower:
        """Return it as convolutions, for clips without padding, longer than half a window."""
        filters = _filters(self.sample_rate, self.size, self.n_bands, self.low, self.top)
        return MelPower(filters, self.hop, self.size, self.pad_mode, dtype)


def _edges(n_bands: int, low: float, high: float) -> Tensor:
    """Return the ends of the bands and their peaks between, (n_bands + 2,) in Hz, in float64."""
    ends = torch.linspace(_mel(low), _mel(high), n_bands + 2, dtype=torch.float64)
    above = (ends - KNEE / LINEAR_STEP).clamp(min=0)
    return torch.where(above == 0, ends * LINEAR_STEP, KNEE * torch.exp(above * LOG_STEP))


@cache
def _filters(sample_rate: int, n_fft: int, n_bands: int, low: float, high: float) -> Tensor:
    """Return triangular filters (bins, bands), each of unit area in Hz, in float64.

    Source: Slaney's Auditory Toolbox, as in librosa.
    """
    edges = _edges(n_bands, low, high)
    bins = torch.arange(n_fft // 2 + 1, dtype=torch.float64)[:, None] * sample_rate / n_fft
    rising = (bins - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - bins) / (edges[2:] - edges[1:-1])
    filters = torch.minimum(rising, falling).clamp(min=0) * 2 / (edges[2:] - edges[:-2])
    if silent := int((filters == 0).all(0).sum()):
        warn(
            f"{silent} of {n_bands} mel bands lie between the bins of n_fft={n_fft} and hear "
            "nothing: take fewer bands, or a larger n_fft"
        )
    return filters


def _mel(hz: float) -> float:
    return hz / LINEAR_STEP if hz < KNEE else KNEE / LINEAR_STEP + log(hz / KNEE) / LOG_STEP
