"""Mel spectrograms, ours and torchaudio's, against librosa."""

import librosa
import numpy as np
import pytest
import soundfile
from torchaudio.functional import melscale_fbanks

from fewshot_audio.features.audio import load
from fewshot_audio.features.torchaudio_transforms import Torchaudio, TorchaudioMel
from fewshot_audio.features.transforms import Librosa2018, MelTransform, slaney_filters
from fewshot_audio.types import Mel

BOTH = pytest.mark.parametrize("transform", [MelTransform, TorchaudioMel])
SETTINGS = [
    (44100, 1024, 1024, "reflect", 128),
    (22050, 1024, 512, "constant", 128),
    (16000, 512, 160, "reflect", 40),
]


def relative(ours, theirs):
    """Return the largest relative deviation of values above 1e-8 of the maximum."""
    audible = theirs > 1e-8 * theirs.max()
    return (np.abs(ours - theirs)[audible] / theirs[audible]).max()


def librosa_mel(samples, rate, n_fft, hop, pad_mode, n_bands):
    """Return librosa's spectrogram of float64 input, so that its own rounding plays no part."""
    settings = {"n_fft": n_fft, "hop_length": hop, "n_mels": n_bands, "pad_mode": pad_mode}
    samples = samples.astype(np.float64)
    return librosa.feature.melspectrogram(y=samples, sr=rate, dtype=np.float64, **settings).T


def chirp(rate):
    random = np.random.default_rng(1)
    sweep = np.sin(2 * np.pi * np.cumsum(np.linspace(50, rate / 2.2, 2 * rate)) / rate)
    return (0.5 * sweep + 1e-3 * random.standard_normal(2 * rate)).astype(np.float32)


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.filterwarnings("ignore:Empty filters detected")
def test_agreement_with_librosa(settings):
    rate, _, hop, _, n_bands = settings
    ours, theirs = MelTransform(*settings)(chirp(rate)), librosa_mel(chirp(rate), *settings)
    assert ours.dtype == np.float32
    assert ours.shape == (1 + 2 * rate // hop, n_bands)
    assert relative(ours, theirs) < 1e-4


@pytest.mark.parametrize("settings", SETTINGS)
def test_agreement_of_torchaudio(settings):
    ours = MelTransform(*settings)(chirp(settings[0]))
    theirs = TorchaudioMel(*settings)(chirp(settings[0]))
    assert theirs.dtype == np.float32
    assert theirs.shape == ours.shape
    assert np.abs(theirs - ours).max() < 1e-4 * ours.max()


@pytest.mark.parametrize("features", [Librosa2018, Torchaudio])
def test_levels_of_clips(features):
    samples = chirp(16000)
    to_loudness = 10 ** (15 / 20) / samples.astype(np.float64).std()
    quiet = samples / np.float32(1000)  # 30 dB do not suffice
    settings = Mel(16000, 512, 160, "reflect", 40)
    for level, clip, gain in [
        (-20, samples, 0.1),
        ("peak", samples, 1 / np.abs(samples).max()),
        ("loudness", samples, to_loudness),
        ("loudness", quiet, 10 ** (30 / 20)),
        ("peak", 0 * samples, 1),
    ]:
        transform = features(level).waveform(16000)
        np.testing.assert_allclose(transform(clip)[:, 0], clip * gain, rtol=1e-5)
        power = features(level).mel(settings)(clip)
        expected = features().mel(settings)(clip) * gain**2
        np.testing.assert_allclose(power, expected, rtol=1e-3, atol=1e-6 * expected.max())
    assert features(0).mel(settings) == features().mel(settings)
    assert repr(features(-20).waveform(1000)) == repr(features(-20.0).waveform(1000))


def test_filters_agree_with_librosa():
    theirs = librosa.filters.mel(sr=44100, n_fft=1024, n_mels=128, dtype=np.float64)
    np.testing.assert_allclose(slaney_filters(44100, 1024, 128), theirs.T, atol=1e-15)


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.filterwarnings("ignore:At least one mel filterbank has all zero values")
def test_filters_agree_with_torchaudio(settings):
    """Within its float32 frequencies."""
    rate, n_fft, _, _, n_bands = settings
    slaney = {"norm": "slaney", "mel_scale": "slaney"}
    theirs = melscale_fbanks(n_fft // 2 + 1, 0.0, rate / 2, n_bands, rate, **slaney).numpy()
    ours = slaney_filters(rate, n_fft, n_bands)
    assert np.abs(ours - theirs).max() < 1e-5 * ours.max()


@BOTH
@pytest.mark.parametrize("samples", [1, 2, 300, 1023, 1024, 2205])
def test_shortest_clips_give_frames(transform, samples):
    mel = transform(44100, 1024, 1024, "reflect")(np.full(samples, 0.1, np.float32))
    assert mel.shape == (1 + samples // 1024, 128)
    assert np.isfinite(mel).all()


@BOTH
def test_four_and_ten_seconds_give_the_frames_of_the_study(transform):
    mel = transform(44100, 1024, 1024, "reflect")
    assert [len(mel(np.zeros(44100 * s, np.float32))) for s in (4, 10)] == [173, 431]


@pytest.mark.parametrize("features", [Librosa2018(), Torchaudio()])
def test_features_make_transforms_of_settings(features):
    mel = features.mel(Mel(16000, 512, 160, "reflect", n_bands=40))
    assert (mel.sample_rate, mel.n_columns) == (16000, 40)
    waveform, samples = features.waveform(8000), np.arange(5, dtype=np.float32)
    assert (waveform.sample_rate, waveform.n_columns) == (8000, 1)
    np.testing.assert_array_equal(waveform(samples), samples[:, None])


@pytest.mark.real
def test_official_originals_as_in_the_study(shared, kaiser_best):
    """Decoded, mixed and resampled by other libraries, then librosa with a float64 mel matrix."""
    paths = sorted((shared / "us8k_originals").glob("*.wav"))
    assert len(paths) == 10
    filters = librosa.filters.mel(sr=44100, n_fft=1024, n_mels=128, dtype=np.float64)
    rates = set()
    for path in paths:
        samples, rate = soundfile.read(path, always_2d=True)
        rates.add(rate)
        samples = samples.mean(1) if rate == 44100 else kaiser_best(samples.mean(1), rate, 44100)
        spectrum = librosa.stft(samples, n_fft=1024, hop_length=1024, pad_mode="reflect")
        theirs = (filters @ np.abs(spectrum) ** 2).T
        ours = MelTransform(44100, 1024, 1024, "reflect")(load(path, 44100))
        assert ours.shape == theirs.shape
        assert relative(ours, theirs) < 1e-4, path.name
    assert {44100, 48000} <= rates
