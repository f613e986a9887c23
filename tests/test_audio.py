"""Decoding: every format, bad files, resampling against resampy."""

import numpy as np
import pytest
import scipy.io.wavfile
import soundfile

from fewshot_audio.features.audio import load, resample
from fewshot_audio.types import DataError

SUBTYPES = {
    "PCM_U8": 2**-7,
    "PCM_16": 2**-15,
    "PCM_24": 2**-23,
    "PCM_32": 2**-23,
    "FLOAT": 1e-7,
    "DOUBLE": 1e-7,
}


@pytest.mark.parametrize("subtype", SUBTYPES)
@pytest.mark.parametrize("channels", [1, 2])
def test_every_format_is_read_as_the_mean_of_its_channels(tmp_path, subtype, channels):
    samples = np.random.default_rng(0).uniform(-0.9, 0.9, (2000, channels))
    soundfile.write(tmp_path / "a.wav", samples, 44100, subtype=subtype)
    found = load(tmp_path / "a.wav", 44100)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, samples.mean(1), atol=1.01 * SUBTYPES[subtype])


@pytest.mark.parametrize(
    "rate", [8000, 11024, 11025, 16000, 22050, 24000, 32000, 48000, 96000, 192000]
)
def test_resampling_is_the_kaiser_best_of_2018(rate, kaiser_best):
    samples = np.random.default_rng(rate).uniform(-1, 1, rate // 4 + 3).astype(np.float32)
    ours, theirs = resample(samples, rate, 44100), kaiser_best(samples, rate, 44100)
    assert ours.dtype == np.float32
    np.testing.assert_allclose(ours, theirs, atol=2e-7)


@pytest.mark.parametrize(("rate", "target"), [(44100, 22050), (11024, 22050), (44099, 44100)])
def test_other_targets_are_resampled_alike(rate, target, kaiser_best):
    samples = np.random.default_rng(rate).uniform(-1, 1, 9001).astype(np.float32)
    np.testing.assert_allclose(
        resample(samples, rate, target), kaiser_best(samples, rate, target), atol=2e-7
    )


@pytest.mark.parametrize("rate", [11024, 22050, 48000])
def test_resampling_keeps_a_tone_and_its_level(rate):
    """To 0.1 %: the table's steps are whole numbers."""
    tone = np.sin(2 * np.pi * 1000 * np.arange(rate) / rate).astype(np.float32)
    found = resample(tone, rate, 44100)
    expected = np.sin(2 * np.pi * 1000 * np.arange(len(found)) / 44100)
    np.testing.assert_allclose(found[1000:-1000], expected[1000:-1000], atol=1e-3)


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
