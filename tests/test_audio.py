"""Decoding: every format, bad files, resampling against resampy."""

import numpy as np
import pytest
import scipy.io.wavfile
import soundfile

from fewshot_audio.data.audio import load, resample, resample_directly
from fewshot_audio.types import DataError

SUBTYPES = {"PCM_U8": 2**-7, "PCM_16": 2**-15, "PCM_24": 2**-23, "PCM_32": 2**-23, "FLOAT": 1e-7, "DOUBLE": 1e-7}


@pytest.mark.parametrize("subtype", SUBTYPES)
@pytest.mark.parametrize("channels", [1, 2])
def test_every_format_is_read_as_the_mean_of_its_channels(tmp_path, subtype, channels):
    samples = np.random.default_rng(0).uniform(-0.9, 0.9, (2000, channels))
    soundfile.write(tmp_path / "a.wav", samples, 44100, subtype=subtype)
    found = load(tmp_path / "a.wav", 44100)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, samples.mean(1), atol=1.01 * SUBTYPES[subtype])


@pytest.mark.parametrize("rate", [8000, 11025, 16000, 22050, 24000, 32000, 48000, 96000])
def test_resampling_is_kaiser_best(rate):
    """resampy reads its window from a table of finite precision, hence 1e-4 of full scale."""
    resampy = pytest.importorskip("resampy")
    random = np.random.default_rng(rate)
    t = np.arange(rate) / rate
    samples = sum(np.sin(2 * np.pi * f * t + random.uniform(0, 6)) for f in random.uniform(50, 3500, 8)).astype(np.float32) / 8
    ours, theirs = resample(samples, rate, 44100), resampy.resample(samples, rate, 44100, filter="kaiser_best")
    assert abs(len(ours) - len(theirs)) <= 1
    length = min(len(ours), len(theirs))
    assert np.abs(ours[:length] - theirs[:length])[500:-500].max() < 1e-4


def test_resampling_keeps_a_tone_and_its_level():
    tone = np.sin(2 * np.pi * 1000 * np.arange(48000) / 48000).astype(np.float32)
    expected = np.sin(2 * np.pi * 1000 * np.arange(44100) / 44100)
    np.testing.assert_allclose(resample(tone, 48000, 44100)[1000:-1000], expected[1000:-1000], atol=2e-5)


def bad_file(tmp_path, kind):
    path = tmp_path / f"{kind}.wav"
    if kind == "missing":
        return path
    if kind == "empty":
        path.touch()
        return path
    samples = np.full(1000, 0.1, np.float32)
    if kind == "nan":
        samples[500] = np.nan
    soundfile.write(path, samples[: 0 if kind == "zero" else None], 44100, subtype="FLOAT")
    data = path.read_bytes()
    if kind == "truncated":
        path.write_bytes(data[:-1000])
    if kind == "corrupt":
        path.write_bytes(b"JUNK" + data[4:])
    return path


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("missing", "missing"),
        ("empty", r"is empty \(0 bytes\)"),
        ("zero", "has no samples"),
        ("nan", "holds NaN or infinite samples"),
        ("truncated", "is truncated .3000 of 4000 bytes"),
        ("corrupt", "cannot be read"),
    ],
)
def test_a_bad_file_says_what_is_wrong(tmp_path, kind, reason):
    with pytest.raises(DataError, match=reason):
        load(bad_file(tmp_path, kind), 44100)


@pytest.mark.parametrize(("rate", "target"), [(48000, 44100), (8000, 44100), (44100, 22050)])
def test_direct_resampling_equals_torchaudio(rate, target):
    samples = np.random.default_rng(0).standard_normal(3001).astype(np.float32)
    ours, theirs = resample_directly(samples, rate, target), resample(samples, rate, target)
    assert ours.shape == theirs.shape
    np.testing.assert_allclose(ours, theirs, atol=2e-6)


@pytest.mark.parametrize(("rate", "target"), [(11024, 44100), (11024, 22050), (44099, 44100)])
def test_rates_that_share_little_with_the_target_keep_a_tone(rate, target):
    """UrbanSound8K holds clips of 11,024 Hz."""
    tone = np.sin(2 * np.pi * 1000 * np.arange(rate // 4) / rate).astype(np.float32)
    found = resample(tone, rate, target)
    expected = np.sin(2 * np.pi * 1000 * np.arange(len(found)) / target)
    assert len(found) == -(-(rate // 4) * target // rate)
    np.testing.assert_allclose(found[400:-400], expected[400:-400], atol=2e-5)


@pytest.mark.real
def test_official_originals_decode(shared):
    """Against SciPy's reader, which puts 24 bits into the upper part of 32."""
    paths = sorted((shared / "us8k_originals").glob("*.wav"))
    assert len(paths) == 10
    for path in paths:
        rate, samples = scipy.io.wavfile.read(path)
        expected = samples.astype(np.float64) / np.iinfo(samples.dtype).max
        expected = expected.mean(1) if expected.ndim == 2 else expected
        np.testing.assert_allclose(load(path, rate), expected, atol=1e-4, err_msg=path.name)
        assert len(load(path, 44100)) == -(-len(samples) * 44100 // rate), path.name
