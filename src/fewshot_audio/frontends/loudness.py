"""Levels of waveforms: a gain, a peak of 1, or loudness as before the source's LEAF."""

from typing import Literal, get_args

import torch
from torch import Tensor

from fewshot_audio.frontends.checks import check_choice

Normalize = Literal["loudness"] | None
Level = float | Literal["none", "peak", "loudness"]
MOST_GAIN = 10 ** (30 / 20)
STANDARD_DEVIATION = 10 ** (15 / 20)  # that gain leads to, if it suffices


def checked(normalize: Normalize) -> Normalize:
    """Return the setting.

    Raises:
        ValueError: It is none of the choices.
    """
    check_choice("normalize", normalize, [None, *get_args(get_args(Normalize)[0])])
    return normalize


def at_level(clips: Tensor, level: Level, samples: Tensor | None = None) -> Tensor:
    """Return clips (clips, samples) at a level.

    Args:
        clips: Waveforms, padded with anything.
        level: "none": their own; "peak": a largest magnitude of 1, silent ones stay silent;
            "loudness": as `loud`; a number: louder by so many dB.
        samples: Samples of each clip (clips,); the others have no influence. None: all.
    """
    if level == "none":
        return clips
    count, time = clips.shape  # not len(), which torch.export takes for a constant
    if samples is None:
        samples = torch.full((count,), time, device=clips.device)
    if level == "loudness":
        return loud(clips, samples)
    if level == "peak":
        inside = torch.arange(time, device=clips.device) < samples[:, None]
        peak = clips.masked_fill(~inside, 0.0).abs().amax(-1, keepdim=True)
        return clips / torch.where(peak > 0, peak, 1)
    return clips * 10 ** (float(level) / 20)


def loud(clips: Tensor, samples: Tensor) -> Tensor:
    """Return clips (clips, samples), each with a standard deviation of 5.6, by at most 30 dB.

    The gain of a clip is min(10^(30/20), 10^(15/20) / (its standard deviation + 1e-9)). Source: the
    data pipeline of Zeghidour et al., arXiv 2101.08596, which pads crops before, not after.

    Args:
        clips: Waveforms, padded with anything.
        samples: Samples of each clip (clips,); the others have no influence.
    """
    inside = torch.arange(clips.shape[1], device=clips.device) < samples[:, None]
    own = clips.masked_fill(~inside, 0.0)
    count = samples.clamp(min=1)[:, None]
    centred = (own - own.sum(1, keepdim=True) / count).masked_fill(~inside, 0.0)
    variance = centred.square().sum(1, keepdim=True) / count
    deviation = variance.clamp(min=torch.finfo(clips.dtype).tiny).sqrt()  # 0 has no gradient
    return own * (STANDARD_DEVIATION / (deviation + 1e-9)).clamp(max=MOST_GAIN)
