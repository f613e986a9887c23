"""Arguments of frontends and of their parts: what is wrong is an error that names it."""

import math
import warnings

import numpy as np
import pytest
import torch

from fewshot_audio.frontends import (
    PCEN,
    EfficientLeaf,
    GaborFilterbank,
    GaussianLowpass,
    Leaf,
    LogLearn,
    LogMel,
    SincNet,
    SincNetPlus,
    TDFilterbank,
    Wavegram,
)
from fewshot_audio.frontends.filterbank.filters import Free
from fewshot_audio.frontends.filterbank.pooling import Largest
from layer_cases import noise

WRONG = {
    "hop_length": [(Leaf, {"hop_length": 80.5}), (Leaf, {"hop_length": 0})],
    "window_length": [(Leaf, {"window_length": 401.7})],
    "n_filters": [
        (Leaf, {"n_filters": 40.0}),
        (Leaf, {"n_filters": True}),
        (SincNet, {"n_filters": 0}),
    ],
    "sample_rate": [(Leaf, {"sample_rate": math.inf}), (LogMel, {"sample_rate": "16000"})],
    "pooling_bias": [(Leaf, {"pooling_bias": math.nan}), (Leaf, {"pooling_bias": "1"})],
    "n_bands": [(LogMel, {"n_bands": 1.5})],
    "a": [(LogLearn, {"a": math.nan}), (LogLearn, {"a": math.inf})],
    "alpha": [(PCEN, {"n_bands": 2, "alpha": -math.inf})],
    "delta": [(PCEN, {"n_bands": 2, "delta": math.inf})],
    "taps": [(GaussianLowpass, {"n_filters": 4, "taps": 5.5})],
}


@pytest.mark.parametrize(
    ("name", "kind", "given"), [(name, *case) for name, cases in WRONG.items() for case in cases]
)
def test_what_is_no_value_is_named(name, kind, given):
    with pytest.raises(ValueError, match=f"^{name}="):
        kind(**given)


@pytest.mark.parametrize("kind", [Leaf, EfficientLeaf, TDFilterbank, SincNet, SincNetPlus, LogMel])
def test_what_is_no_argument_is_an_error(kind):
    with pytest.raises(TypeError, match="hop_lenght"):
        kind(hop_lenght=80)


def test_numbers_of_numpy_are_numbers():
    assert Leaf(np.int64(8000), np.int32(4), np.float32(25)).n_bands == 4


def test_a_filterbank_of_parts_that_are_made():
    filters, pooling = GaborFilterbank(6, 16000), GaussianLowpass(6, 401)
    made = Leaf.from_parts(filters, pooling, PCEN(6))
    assert made.pooling is pooling
    assert torch.equal(made(noise(2)), Leaf(n_filters=6)(noise(2)))
    loud = Leaf.from_parts(filters, pooling, PCEN(6), engine="conv", normalize="loudness")
    torch.testing.assert_close(loud(5 * noise(2)), loud(10 * noise(2)))
    with pytest.raises(ValueError, match="pooling: of 6 filters with 401 taps; expected 5 with"):
        Leaf.from_parts(GaborFilterbank(5, 16000), pooling)
    with pytest.raises(ValueError, match="engine=quick"):
        Leaf.from_parts(filters, engine="quick")


def test_lengths_may_be_a_list_and_what_is_no_tensor_is_named():
    made, clips = Leaf(n_filters=6), noise(2)
    found, frames = made(clips, [3000, 1000])
    expected, _ = made(clips, torch.tensor([3000, 1000]))
    assert torch.equal(found, expected)
    assert frames.tolist() == [19, 7]
    with pytest.raises(ValueError, match="waveform: ndarray"):
        made(clips.numpy())
    for lengths in ([True, True], torch.ones(2, dtype=torch.complex64), [1.0, 2.0]):
        with pytest.raises(ValueError, match="^lengths: "):
            made(clips, lengths)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("weights", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_parts_alone_take_every_dtype(weights, dtype):
    energies, clips = noise(2, 6).abs().to(dtype), noise(2).to(dtype)
    parts = [GaussianLowpass(6, 401), Largest(6, 401), PCEN(6)]
    for part, others in zip(parts, [(160,), (160,), ()], strict=True):
        values = part.to(weights)(energies, *others)
        assert values.dtype == dtype
        expected = part.float()(energies.float(), *others)
        torch.testing.assert_close(values.float(), expected, rtol=0.02, atol=0.02)
    free = Free(6, 16000)
    free.initialise(torch.Generator().manual_seed(0))
    for filters in (GaborFilterbank(6, 16000), free):
        values = filters.to(weights)(clips)
        wide = torch.complex128 if weights == torch.float64 else torch.complex64
        assert values.dtype == wide
        expected = filters.float()(clips.float())
        torch.testing.assert_close(values.to(torch.complex64), expected, rtol=0.02, atol=0.02)


def test_parts_alone_of_nothing_on_no_device_and_of_what_does_not_fit():
    filters, pooling = GaborFilterbank(6, 16000), GaussianLowpass(6, 401)
    assert filters(torch.zeros(2, 0)).shape == (2, 6, 0)
    assert filters(torch.zeros(0, 50)).shape == (0, 6, 50)
    assert filters(torch.zeros(50)).shape == (6, 50)
    assert pooling(torch.zeros(2, 6, 0), 160).shape == (2, 6, 1)
    assert PCEN(6).to("meta")(torch.ones(2, 6, 9, device="meta")).shape == (2, 6, 9)
    with pytest.raises(ValueError, match="energies: 6 bands; expected 1"):
        PCEN(1)(torch.ones(6, 9))
    with pytest.raises(ValueError, match="PCEN: torch.int64"):
        PCEN(6)(torch.ones(6, 9, dtype=torch.int64))
    with pytest.raises(ValueError, match="hop=0"):
        pooling(torch.ones(6, 900), 0)


@pytest.mark.parametrize("kind", [Leaf, EfficientLeaf, SincNet, SincNetPlus, TDFilterbank])
def test_a_default_dtype_of_float64_is_that_of_the_weights(kind):
    torch.set_default_dtype(torch.float64)
    try:
        made = kind(n_filters=6)
        assert {each.dtype for each in made.parameters()} == {torch.float64}
        assert made(noise(2).double()).dtype == torch.float64
    finally:
        torch.set_default_dtype(torch.float32)


def test_wavegram_starts_as_its_source_does():
    for conv in Wavegram(16000, hop=192).convs:
        inputs, outputs = torch.nn.init._calculate_fan_in_and_fan_out(conv.weight)
        bound = math.sqrt(6 / (inputs + outputs))
        assert 0.9 * bound < conv.weight.abs().max() <= bound


def test_mel_bands_that_hear_nothing_are_told():
    with pytest.warns(UserWarning, match=r"\d+ of 512 mel bands lie between the bins of n_fft=512"):
        LogMel(8000, 512)(noise(1))
    for rate in (8000, 16000, 22050, 44100, 48000):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            LogMel(rate)(noise(1))
