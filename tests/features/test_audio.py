"""Decoding: every format, bad files, real originals."""

import os

import numpy as np
import pytest
import scipy.io.wavfile
import soundfile

from fewshot_audio.features.audio import decode, load
from fewshot_audio.features.torchaudio_transforms import TorchaudioMel
from fewshot_audio.features.transforms import MelTransform
from fewshot_audio.types import DataError

STEPS = {
    "PCM_U8": 2**-7,
    "PCM_16": 2**-15,
    "PCM_24": 2**-23,
    "PCM_32": 2**-23,
    "FLOAT": 1e-7,
    "DOUBLE": 1e-7,
}


@pytest.mark.parametrize("subtype", STEPS)
@pytest.mark.parametrize("channels", [1, 2])
def test_every_format_is_the_mean_of_its_channels(tmp_path, subtype, channels):
    samples = np.random.default_rng(0).uniform(-0.9, 0.9, (2000, channels))
    soundfile.write(tmp_path / "a.wav", samples, 22050, subtype=subtype)
    decoded, rate = decode(tmp_path / "a.wav")
    assert rate == 22050
    assert decoded.dtype == np.float32
    np.testing.assert_allclose(decoded, samples.mean(1), atol=1.01 * STEPS[subtype])


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
    content = path.read_bytes()
    if kind == "truncated":
        path.write_bytes(content[:-1000])
    if kind == "corrupt":
        path.write_bytes(b"JUNK" + content[4:])
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
def test_bad_file_says_what_is_wrong(tmp_path, kind, reason):
    with pytest.raises(DataError, match=reason):
        decode(bad_file(tmp_path, kind))


@pytest.mark.parametrize("suffix", ["wav", "mp3", "flac", "ogg", "opus", "aif", "caf"])
def test_files_that_are_no_sound(tmp_path, suffix):
    """The reason is not that a file which is there does not exist."""
    (tmp_path / f"a.{suffix}").write_text("no sound at all " * 100)
    with pytest.raises(DataError, match="^cannot be read as sound") as caught:
        decode(tmp_path / f"a.{suffix}")
    assert "exist" not in str(caught.value)


@pytest.mark.parametrize("suffix", ["wav", "flac"])
def test_clips_that_are_too_short(tmp_path, suffix):
    file = tmp_path / f"a.{suffix}"
    soundfile.write(file, np.full(640, 0.1), 16000)
    with pytest.raises(DataError, match="lasts 0.040 s; expected 0.05 s or more"):
        decode(file)
    soundfile.write(file, np.full(800, 0.1), 16000)
    assert len(decode(file)[0]) == 800


@pytest.mark.parametrize("rate", [1, 999, 1_000_001])
def test_rates_that_no_recording_has(tmp_path, rate):
    soundfile.write(tmp_path / "a.wav", np.full(100, 0.1), rate)
    with pytest.raises(DataError, match=f"has a rate of {rate:,} Hz; expected 1,000 to 1,000,000"):
        decode(tmp_path / "a.wav")


@pytest.mark.parametrize("kind", ["flac", "mp3"])
def test_truncated_files_of_other_formats(tmp_path, kind):
    path = tmp_path / f"a.{kind}"
    soundfile.write(path, np.random.default_rng(0).uniform(-0.5, 0.5, 44100), 44100)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(DataError, match="truncated|lost sync"):
        decode(path)


@pytest.mark.parametrize("transform", [TorchaudioMel, MelTransform])
@pytest.mark.parametrize("rate", [8000, 11025, 44100, 96000])
def test_clips_of_a_twentieth_of_a_second(tmp_path, transform, rate):
    soundfile.write(tmp_path / "a.wav", np.full(rate // 20, 0.1), rate)
    computed = transform(16000, 1024, 512, "reflect")
    features = computed(load(tmp_path / "a.wav", 16000, computed.resample))
    assert len(features) == 1 + 800 // 512
    assert np.isfinite(features).all()


@pytest.mark.real
def test_official_originals(shared):
    """Against SciPy's reader, which puts 24 bits into the upper part of 32."""
    paths = sorted((shared / "us8k_originals").glob("*.wav"))
    assert len(paths) == 10
    for path in paths:
        rate, samples = scipy.io.wavfile.read(path)
        expected = samples.astype(np.float64) / np.iinfo(samples.dtype).max
        expected = expected.mean(1) if expected.ndim == 2 else expected
        np.testing.assert_allclose(load(path, rate), expected, atol=1e-4, err_msg=path.name)
        assert len(load(path, 44100)) == -(-len(samples) * 44100 // rate), path.name


@pytest.mark.parametrize("name", [os.fsdecode(b"\xff.wav"), "a\0.wav"])
def test_names_that_are_no_text(tmp_path, name):
    if "\0" not in name:
        soundfile.write(tmp_path / "a.wav", np.ones(8000), 16000)
        (tmp_path / "a.wav").rename(tmp_path / name)
    with pytest.raises(DataError, match="cannot be read"):
        decode(tmp_path / name)
