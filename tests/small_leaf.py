"""LEAF and its relatives, small, for tests."""

from functools import cache

import torch

from fewshot_audio import compose, config
from fewshot_audio.components import build
from fewshot_audio.frontends.base import Frontend

ENGINES = ["conv", "exact", "fast"]


def leaf(*settings, kind="leaf", rate=16000, filters=12):
    """The configured LEAF or one of its relatives, small."""
    small = [f"frontend={kind}", f"sample_rate={rate}", f"hop={rate // 100}", f"n_bands={filters}"]
    return build(component(*small, *settings), Frontend)


@cache
def component(*settings):
    """The frontend of a command line, composed once."""
    return config.job(compose.composed(["dataset=synthetic", *settings])).frontend


def spectrogram(made, waveforms):
    with torch.no_grad():
        return made.spectrogram(waveforms[..., None])


def steep(samples):
    """Brown noise at full scale, most of which is in the lowest filters."""
    random = torch.Generator().manual_seed(4)
    noise = torch.randn(samples, generator=random, dtype=torch.float64).cumsum(0)
    return noise / noise.abs().max()
