"""The mel spectrogram against librosa."""

import librosa
import numpy as np
import pytest
import soundfile

from fewshot_audio.features.audio import load
from fewshot_audio.features.transforms import MelTransform, slaney_filters


def relative(ours, theirs):
    """The largest relative deviation where the map is above 1e-8 of its maximum."""
    heard = theirs > 1e-8 * theirs.max()
    return (np.abs(ours - theirs)[heard] / theirs[heard]).max()


def librosa_mel(samples, rate, n_fft, hop, pad_mode):
    """librosa on float64 input, so that its own rounding plays no part."""
    settings = {
        "n_fft": n_fft,
        "hop_length": hop,
        "n_mels": 128,
        "pad_mode": pad_mode,
        "dtype": np.float64,
    }
    return librosa.feature.melspectrogram(y=samples.astype(np.float64), sr=rate, **settings).T


@pytest.mark.parametrize("pad_mode", ["reflect", "constant"])
@pytest.mark.parametrize(
    ("rate", "n_fft", "hop"), [(44100, 1024, 1024), (22050, 1024, 512), (16000, 512, 160)]
)
@pytest.mark.filterwarnings("ignore:Empty filters detected")
def test_maps_agree_with_librosa(rate, n_fft, hop, pad_mode):
    random = np.random.default_rng(1)
    chirp = np.sin(2 * np.pi * np.cumsum(np.linspace(50, rate / 2.2, 2 * rate)) / rate)
    samples = (0.5 * chirp + 1e-3 * random.standard_normal(2 * rate)).astype(np.float32)
    ours = MelTransform(rate, n_fft, hop, pad_mode)(samples)
    assert ours.dtype == np.float32
    assert ours.shape == (1 + 2 * rate // hop, 128)
    assert relative(ours, librosa_mel(samples, rate, n_fft, hop, pad_mode)) < 1e-4


def test_filters_agree_with_librosa():
    theirs = librosa.filters.mel(sr=44100, n_fft=1024, n_mels=128, dtype=np.float64)
    np.testing.assert_allclose(slaney_filters(44100, 1024, 128), theirs.T, atol=1e-15)


@pytest.mark.parametrize("samples", [1, 2, 300, 1023, 1024, 2205])
def test_the_shortest_clips_give_frames(samples):
    found = MelTransform(44100, 1024, 1024, "reflect")(np.full(samples, 0.1, np.float32))
    assert found.shape == (1 + samples // 1024, 128)
    assert np.isfinite(found).all()


def test_four_and_ten_seconds_give_the_frames_of_the_study():
    mel = MelTransform(44100, 1024, 1024, "reflect")
    assert [len(mel(np.zeros(44100 * s, np.float32))) for s in (4, 10)] == [173, 431]


@pytest.mark.real
def test_official_originals_give_the_maps_of_the_study(shared, kaiser_best):
    """Decoded, mixed and resampled by other libraries, then librosa with a float64 mel matrix: one of the ten is at 48 kHz."""
    paths = sorted((shared / "us8k_originals").glob("*.wav"))
    assert len(paths) == 10
    rates = []
    for path in paths:
        samples, rate = soundfile.read(path, always_2d=True)
        rates.append(rate)
        samples = samples.mean(1) if rate == 44100 else kaiser_best(samples.mean(1), rate, 44100)
        spectrum = (
            np.abs(librosa.stft(samples, n_fft=1024, hop_length=1024, pad_mode="reflect")) ** 2
        )
        theirs = (
            librosa.filters.mel(sr=44100, n_fft=1024, n_mels=128, dtype=np.float64) @ spectrum
        ).T
        ours = MelTransform(44100, 1024, 1024, "reflect")(load(path, 44100))
        assert ours.shape == theirs.shape
        assert relative(ours, theirs) < 1e-4, path.name
    assert {44100, 48000} <= set(rates)
