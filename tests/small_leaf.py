"""LEAF and its kin, small, for tests."""

import torch

from fewshot_audio import config
from fewshot_audio.components import build

ENGINES = ["conv", "exact", "fast"]


def leaf(*settings, kind="leaf", rate=16000, filters=12):
    """The configured LEAF or one of its kin, small."""
    settings = [
        f"frontend={kind}",
        f"sample_rate={rate}",
        f"hop={rate // 100}",
        f"frontend.filters={filters}",
        *settings,
    ]
    return build(config.job(config.composed(["dataset=synthetic", *settings])).frontend)


def maps(made, waveforms):
    with torch.no_grad():
        return made.spectrogram(waveforms[..., None])


def steep(samples):
    """Brown noise at full scale, most of which is in the lowest filters."""
    noise = torch.randn(
        samples, generator=torch.Generator().manual_seed(4), dtype=torch.float64
    ).cumsum(0)
    return noise / noise.abs().max()
