"""Resampling against resampy, torchaudio and tones."""

import numpy as np
import pytest

from fewshot_audio.features.resample import resample
from fewshot_audio.features.torchaudio_transforms import torchaudio_resample

BOTH = pytest.mark.parametrize("function", [resample, torchaudio_resample])


@pytest.mark.parametrize("rate", [8000, 11024, 11025, 16000, 22050, 32000, 48000, 192000])
def test_kaiser_best_of_2018(rate, kaiser_best):
    samples = np.random.default_rng(rate).uniform(-1, 1, rate // 4 + 3).astype(np.float32)
    resampled = resample(samples, rate, 44100)
    assert resampled.dtype == np.float32
    np.testing.assert_allclose(resampled, kaiser_best(samples, rate, 44100), atol=2e-7)


@pytest.mark.parametrize(("rate", "target"), [(44100, 22050), (11024, 22050), (44099, 44100)])
def test_other_targets(rate, target, kaiser_best):
    samples = np.random.default_rng(rate).uniform(-1, 1, 9001).astype(np.float32)
    expected = kaiser_best(samples, rate, target)
    np.testing.assert_allclose(resample(samples, rate, target), expected, atol=2e-7)


@BOTH
@pytest.mark.parametrize("rate", [11024, 22050, 48000])
def test_tone_keeps_its_level(function, rate):
    """To 0.1 %: the steps through the table of 2018 are whole numbers."""
    tone = np.sin(2 * np.pi * 1000 * np.arange(rate) / rate).astype(np.float32)
    resampled = function(tone, rate, 44100)
    expected = np.sin(2 * np.pi * 1000 * np.arange(len(resampled)) / 44100)
    np.testing.assert_allclose(resampled[1000:-1000], expected[1000:-1000], atol=1e-3)


@pytest.mark.parametrize(
    ("rate", "target", "tolerance"),
    [
        (11025, 44100, 1e-6),
        (22050, 44100, 1e-6),
        (16000, 44100, 2e-5),
        (48000, 44100, 1e-3),
        (96000, 44100, 1e-3),
        (44099, 44100, 0),
    ],
)
def test_torchaudio_agrees(rate, target, tolerance):
    """Within the band of both, away from the ends, where the filter is cut off."""
    seconds = np.arange(rate) / rate
    tones = sum(np.sin(2 * np.pi * f * seconds) for f in (100, 1000, 0.4 * min(rate, target)))
    tones = (tones / 3).astype(np.float32)
    ours, theirs = resample(tones, rate, target), torchaudio_resample(tones, rate, target)
    assert theirs.dtype == np.float32
    assert len(ours) == len(theirs)
    np.testing.assert_allclose(theirs[500:-500], ours[500:-500], atol=tolerance, rtol=0)


@BOTH
def test_same_rate_changes_nothing(function):
    samples = np.random.default_rng(0).random(1000, dtype=np.float32)
    np.testing.assert_array_equal(function(samples, 16000, 16000), samples)


@pytest.mark.slow
def test_lengths_beyond_24_bits_are_exact():
    """In float32, as torchaudio counts them, 16,777,221 is another number."""
    samples = np.zeros(5_592_407, np.float32)
    assert len(torchaudio_resample(samples, 8000, 24_000)) == 3 * len(samples) == 16_777_221
