"""Gain, time shift and mixup, against what they are made of."""

import pytest
import torch

from fewshot_audio import compose, config
from fewshot_audio.training.augmentation import Gain, Mixup, TimeShift
from fewshot_audio.training.network import build_network
from fewshot_audio.types import ConfigError

WAVEFORMS = torch.arange(1.0, 21).reshape(4, 5) ** 1.5
TARGETS = torch.eye(4)


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)


def test_gains_are_within_their_range_and_each_clip_has_its_own():
    louder, targets = Gain(-12, 6)(WAVEFORMS, TARGETS)
    gains = louder / WAVEFORMS
    assert torch.allclose(gains, gains[:, :1])
    decibels = 20 * gains[:, 0].log10()
    assert len(decibels.unique()) == 4
    assert decibels.min() >= -12
    assert decibels.max() <= 6
    assert torch.equal(targets, TARGETS)
    assert torch.allclose(Gain(6, 6)(WAVEFORMS, TARGETS)[0], WAVEFORMS * 10 ** (6 / 20))


def test_shifted_clips_are_rolled():
    found = set()
    for _ in range(60):
        shifted, _ = TimeShift(0.4)(WAVEFORMS, TARGETS)
        for before, after in zip(WAVEFORMS, shifted, strict=True):
            (shift,) = (n for n in range(-2, 3) if torch.equal(before.roll(n), after))
            found.add(shift)
    assert found == {-2, -1, 0, 1, 2}
    assert torch.equal(TimeShift(0)(WAVEFORMS, TARGETS)[0], WAVEFORMS)


def test_mixed_clips_and_targets_have_the_same_shares():
    mixed, targets = Mixup(1.0)(WAVEFORMS, TARGETS)
    assert torch.allclose(targets.sum(1), torch.ones(4))
    assert torch.allclose(mixed, targets @ WAVEFORMS, rtol=1e-5)
    assert not torch.equal(mixed, WAVEFORMS)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: Gain(3, -3), "swap"),
        (lambda: TimeShift(2), "from 0 to 1"),
        (lambda: Mixup(0), "above 0"),
    ],
)
def test_impossible_settings(make, text):
    with pytest.raises(ConfigError, match=text):
        make()


def test_several_augmentations_are_chosen_in_order():
    """Features cannot be shifted."""
    words = ["dataset=synthetic", "augmentation=[time_shift,gain]"]
    job = config.job(compose.composed([*words, "augmentation.gain.high=9"]))
    assert list(job.augmentations) == ["time_shift", "gain"]
    assert job.augmentations["gain"].arguments == {"low": -6, "high": 9}
    with pytest.raises(ConfigError, match="TimeShift changes waveforms.*method=crops"):
        build_network(job, 2)
