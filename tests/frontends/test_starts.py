"""Any rate, any number of filters, any start; levels; warnings of starts that are not good."""

import copy
import warnings

import numpy as np
import pytest
import torch

from fewshot_audio.frontends import (
    EfficientLeaf,
    Erb,
    GaborFilterbank,
    Leaf,
    Linear,
    LogLearn,
    LogMel,
    Mel,
    MelPCEN,
    Random,
    SincNet,
    SincNetPlus,
    TDFilterbank,
    Wavegram,
)

WARNED = "ignore:.* of .* filters start:UserWarning"
NORMALIZED = [Leaf, SincNet, TDFilterbank, LogMel, LogLearn, MelPCEN, Wavegram]


@pytest.mark.filterwarnings(WARNED)
@pytest.mark.parametrize("kind", [Leaf, SincNetPlus, TDFilterbank])
@pytest.mark.parametrize(("rate", "n_filters"), [(8000, 512), (192000, 3), (48000, 1), (11025, 40)])
def test_any_rate_and_number_of_filters(kind, rate, n_filters):
    made, samples = kind(rate, n_filters), rate // 50
    values = made(torch.randn(2, samples, generator=torch.Generator().manual_seed(0)))
    frames = made.frames(samples)
    assert values.shape == (2, n_filters, frames)
    assert values.isfinite().all()
    values.sum().backward()
    assert all(each.grad.isfinite().all() for each in made.parameters() if each.requires_grad)


@pytest.mark.filterwarnings(WARNED)
@pytest.mark.parametrize("rate", [8000, 22050, 192000])
def test_a_tone_is_where_its_filter_is_at_any_rate(rate):
    made = Leaf(rate, 20, init=Linear(low=0.05 * rate, high=0.45 * rate), compression="none")
    centres = made.filters.in_hz()[0].detach()[[2, 10, 17]]
    tones = torch.sin(2 * torch.pi * centres[:, None] * torch.arange(rate // 10) / rate)
    with torch.no_grad():
        assert made(tones)[..., 3:-3].mean(2).argmax(1).tolist() == [2, 10, 17]


def test_windows_and_hops_in_ms_or_samples():
    in_ms, in_samples = Leaf(22050, window_ms=20, hop_ms=5), Leaf(window_length=400, hop_length=77)
    assert (in_ms.filters.taps, in_ms.engine.placement.hop) == (442, 110)
    assert (in_samples.filters.taps, in_samples.engine.placement.hop) == (400, 77)
    assert in_samples.pooling.taps == 400


def test_erb_numbers_are_glasberg_s_and_moore_s():
    hz = torch.tensor([100.0, 1000.0, 4000.0], dtype=torch.float64)
    erb = 24.7 * (4.37 * hz / 1000 + 1)  # bandwidths in Hz: the scale's slope is one over them
    slope = (Erb().scale(hz + 0.01) - Erb().scale(hz - 0.01)) / 0.02
    np.testing.assert_allclose(slope, 1 / erb, rtol=5e-3)
    torch.testing.assert_close(Erb().hz(Erb().scale(hz)), hz)
    assert Leaf(n_filters=20, init="erb").filters.in_hz()[0][[0, -1]].int().tolist() == [109, 6786]


def test_a_random_start_is_random_when_a_layer_is_made():
    torch.manual_seed(0)
    one, other = (Leaf(init=Random(low=100)).filters for _ in range(2))
    parts = Leaf.from_parts(GaborFilterbank(40, 16000, init=Random(low=100))).filters
    assert not torch.equal(one.centres, other.centres)
    assert not torch.equal(one.widths, other.widths)
    torch.manual_seed(0)
    assert torch.equal(Leaf(init=Random(low=100)).filters.centres, one.centres)
    mel = Leaf(init=Mel(low=100)).filters
    for drawn in (one, other, parts):
        assert not torch.isclose(drawn.centres, mel.centres).any()
    assert Leaf(init="random").report()["summary"]["largest drift, Hz"] == 0


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Leaf(44100, 128), "10 of 128 filters start at a bound .*: .* fewer filters"),
        (lambda: Leaf(n_filters=3), "1 of 3 filters start at a bound .* more filters"),
        (lambda: Leaf(init="constant"), "39 of 40 filters start where another one does: "),
        (lambda: Leaf.from_parts(GaborFilterbank(128, 44100)), "10 of 128 .*: .* larger window_ms"),
        (lambda: EfficientLeaf(44100, 128), "10 of 128 filters start at a bound"),
        (lambda: TDFilterbank(n_filters=50, init="constant"), "50 filters start where another one"),
    ],
)
def test_bad_starts_are_warned_of_once_where_the_layer_is_made(make, message):
    with pytest.warns(UserWarning, match=message) as caught:
        made = make()
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert caught[0].lineno == make.__code__.co_firstlineno
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        copy.deepcopy(made)(torch.zeros(1, 2000))
        Leaf(44100, 128, window_ms=60)  # what the advice leads to
        SincNet()


def test_a_warning_reaches_code_without_a_name():
    with pytest.warns(UserWarning, match="start at a bound"):
        exec("from fewshot_audio.frontends import Leaf\nLeaf(n_filters=3)", {})


def test_loudness_is_the_reference_s():
    random = np.random.default_rng(0)
    clips = random.normal(size=(4, 800)) * np.array([1e-5, 0.01, 0.5, 0])[:, None] + 0.002
    lengths = [800, 500, 800, 300]
    made, plain = Leaf(n_filters=8, normalize="loudness"), Leaf(n_filters=8)
    padded = torch.tensor(clips, dtype=torch.float32)
    with torch.no_grad():
        ours, frames = made(padded, torch.tensor(lengths))
        for clip, length, values, count in zip(clips, lengths, ours, frames, strict=True):
            own = clip[:length]
            gain = min(10 ** (30 / 20), 10 ** (15 / 20) / (own.std() + 1e-9))
            expected = plain(torch.tensor(gain * own, dtype=torch.float32))
            torch.testing.assert_close(values[:, :count], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", NORMALIZED)
def test_loudness_is_an_option_of_every_layer(kind):
    rate = {"sample_rate": 16000, "normalize": "loudness"}
    made = kind(**rate).eval()
    waveform = torch.randn(1, 4000, generator=torch.Generator().manual_seed(0))
    quiet = made(0.3 * waveform)
    torch.testing.assert_close(quiet, made(waveform), rtol=1e-3, atol=1e-3)
    assert made(torch.zeros(1, 4000)).isfinite().all()
    with pytest.raises(ValueError, match="normalize=loud: expected one of None, loudness"):
        kind(sample_rate=16000, normalize="loud")


def test_loudness_has_gradients_of_the_waveform():
    waveform = torch.zeros(2, 1600)
    waveform[1] = torch.linspace(-1, 1, 1600)
    waveform.requires_grad_()
    LogLearn(normalize="loudness")(waveform).sum().backward()
    assert waveform.grad.isfinite().all()
