"""Wavegram against the layers of its source; and what must not matter to a clip."""

from math import sqrt

import numpy as np
import pytest
import torch
from random_wavegram import RATE, wavegram
from torch import nn

from fewshot_audio.features.transforms import MelTransform
from fewshot_audio.frontends.wavegram import FRAMES_AT_ONCE
from fewshot_audio.types import ConfigError

CLOSE = {"rtol": 1e-9, "atol": 1e-9}
LENGTHS = [
    40,
    400,
    1000,
    1121,
    4000,
    4159,
    4160,
    4161,
    4319,
    4320,
]  # at hop 320; the first is shorter than a hop


def clips(*lengths):
    random = torch.Generator().manual_seed(1)
    return [0.3 * torch.randn(length, generator=random, dtype=torch.float64) for length in lengths]


def together(made, waveforms, beyond=7.0, longer=0):
    """Spectrograms of clips in one batch, which may be longer than its longest clip."""
    lengths = torch.tensor([len(each) for each in waveforms])
    longest = waveforms[0].new_zeros(lengths.max() + longer)
    rows = nn.utils.rnn.pad_sequence([*waveforms, longest], batch_first=True, padding_value=beyond)
    maps = made.compute(*made.prepare(rows[:-1, :, None], lengths))
    return [
        each[: made.frames(length)] for each, length in zip(maps, lengths.tolist(), strict=True)
    ]


def alone(made, waveform):
    return made.spectrogram(waveform[None, :, None])[0]


def plain(made, waveforms):
    """Torch's layers, as the source has them for hop 320, and clips as they take them."""
    layers = [nn.Conv1d(1, 64, 11, 5, 5, bias=False), nn.BatchNorm1d(64, 1e-3, 0.01), nn.ReLU()]
    for before, channels in ((64, 64), (64, 128), (128, 128)):
        for size, dilation in ((before, 1), (channels, 2)):
            conv = nn.Conv1d(size, channels, 3, padding=dilation, dilation=dilation, bias=False)
            layers += [conv, nn.BatchNorm1d(channels, 1e-3, 0.01), nn.ReLU()]
        layers.append(nn.MaxPool1d(4))
    net = nn.Sequential(*layers).double().train(made.training)
    with torch.no_grad():
        for tensors in ("parameters", "buffers"):
            for mine, theirs in zip(getattr(net, tensors)(), ours(made, tensors), strict=True):
                mine.copy_(theirs)
    return net, nn.functional.pad(waveforms, (158, -(waveforms.shape[1] + 158) % 320))[:, None]


def ours(made, tensors="parameters"):
    """Parameters or buffers in the order of the plain layers."""
    layers = zip(made.convs, made.norms, strict=True)
    return [each for pair in layers for module in pair for each in getattr(module, tensors)()]


@pytest.mark.parametrize(
    ("rate", "hop"),
    [
        (8000, 320),
        pytest.param(16000, 512, marks=pytest.mark.slow),
        pytest.param(22050, 512, marks=pytest.mark.slow),
        (44100, 1024),
        pytest.param(8000, 64, marks=pytest.mark.slow),
    ],
)
def test_as_many_frames_as_mel(rate, hop):
    made, mel = wavegram(hop, rate), MelTransform(rate, 2 * hop, hop, "constant")
    random = np.random.default_rng(0)
    lengths = [rate // 20, hop - 1, hop, hop + 1, *random.integers(hop, 10 * hop, 6).tolist()]
    for length in lengths:
        expected = len(mel(np.zeros(length)))
        with torch.no_grad():
            assert alone(made, torch.zeros(length).double()).shape == (expected, 128)
    assert made.frames(10 * rate) == 1 + 10 * rate // hop
    assert made.frames(torch.tensor(lengths)).tolist() == [
        made.frames(length) for length in lengths
    ]


@pytest.mark.parametrize("length", LENGTHS)
def test_values_are_those_of_the_source_s_layers(length):
    made, (waveform,) = wavegram(), clips(length)
    net, padded = plain(made, waveform[None])
    expected = net(padded)[0].T[: made.frames(length)]
    assert (expected > 0).any()
    torch.testing.assert_close(alone(made, waveform), expected, **CLOSE)


def test_training_is_that_of_the_source_s_layers():
    made, waveforms = wavegram().train(), torch.stack(clips(4319, 4319, 4319))
    net, padded = plain(made, waveforms)
    expected, values = net(padded).transpose(1, 2)[:, :14], made.spectrogram(waveforms[..., None])
    torch.testing.assert_close(values, expected, **CLOSE)
    weights = torch.randn(14, 128, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    for maps in (values, expected):
        (maps * weights).tanh().sum().backward()
    for mine, theirs in zip(ours(made), net.parameters(), strict=True):
        torch.testing.assert_close(mine.grad, theirs.grad, **CLOSE)
        assert mine.grad.abs().max() > 0
    torch.testing.assert_close(ours(made, "buffers"), list(net.buffers()), **CLOSE)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.float64, 1e-13)])
def test_a_clip_in_a_batch_is_the_clip_alone(dtype, tolerance):
    made, waveforms = wavegram().to(dtype), [each.to(dtype) for each in clips(*LENGTHS)]
    with torch.no_grad():
        for values, waveform in zip(together(made, waveforms), waveforms, strict=True):
            expected = alone(made, waveform)
            torch.testing.assert_close(
                values, expected, rtol=0, atol=tolerance * expected.max().item()
            )


def test_neither_padding_nor_parts_of_a_batch_matter(monkeypatch):
    values = []
    for beyond, longer, frames in (
        (0.0, 0, 1000),
        (-3.0, 5_000, 1000),
        (7.0, 0, 32),
        (0.0, 500, 1),
    ):
        monkeypatch.setitem(FRAMES_AT_ONCE, "cpu", frames)
        made = wavegram().train()
        maps = torch.cat(together(made, clips(40, 1121, 4159), beyond, longer))
        maps.tanh().sum().backward()
        values.append([maps, *ours(made, "buffers"), *(each.grad for each in ours(made))])
    for other in values[1:]:
        torch.testing.assert_close(other, values[0], **CLOSE)


def networks(hop, rate):
    return [wavegram(hop, rate, seed) for seed in range(3)]


@pytest.mark.parametrize(("rate", "hop"), [(8000, 320), (44100, 1024)])
def test_a_click_is_loudest_in_its_frame(rate, hop):
    """Summed over a few random networks, as one need not answer most to what is nearest."""
    places = [0, 1, 8]
    clicks = torch.zeros(4, 9 * hop, dtype=torch.float64)  # the last one is silence
    clicks[range(3), [place * hop for place in places]] = 1
    with torch.no_grad():
        maps = [made.spectrogram(clicks[..., None]) for made in networks(hop, rate)]
    heard = sum((each[:3] - each[3]).abs().sum(2) for each in maps)
    assert heard.argmax(1).tolist() == places


@pytest.mark.parametrize(("hop", "early"), [(128, 0), (320, 0.5)])
def test_a_frame_sees_as_far_to_either_side_of_its_centre(hop, early):
    waveform, seen = clips(9 * hop)[0].requires_grad_(), torch.zeros(9 * hop)
    for made in networks(hop, RATE):
        alone(made, waveform)[4].sum().backward()
        seen += waveform.grad.abs() > 0
    first, last = seen.nonzero()[[0, -1], 0].tolist()
    assert abs((first + last) / 2 - (4 * hop - early)) <= hop / 64  # by what the maxima leave out
    assert 1.4 * hop < (last - first) / 2 <= 1.5 * hop + hop / 64


def test_a_shift_by_a_hop_shifts_the_map_by_a_frame():
    made, (waveform,) = wavegram(), clips(4000)
    with torch.no_grad():
        values, later = alone(made, waveform), alone(made, nn.functional.pad(waveform, (320, 0)))
    torch.testing.assert_close(later[3:-2], values[2:-2], **CLOSE)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("samples", [RATE // 20, 3 * RATE])
def test_silence_and_clipping_give_finite_values_and_gradients(samples, training):
    made = wavegram().float().train(training)
    kinds = [
        torch.zeros(samples),
        torch.ones(samples),
        torch.sign(torch.sin(torch.arange(samples) * 0.3)),
    ]
    for waveforms in (kinds[:1], kinds):
        values = made.spectrogram(torch.stack(waveforms)[..., None])
        values.sum().backward()
        assert values.isfinite().all()
        assert all(parameter.grad.isfinite().all() for parameter in made.parameters())


@pytest.mark.parametrize(("hop", "taps"), [(320, 11), (512, 17), (1024, 33)])
def test_parameters_are_those_of_seven_layers(hop, taps):
    kernels = [
        64 * taps,
        64 * 64 * 3,
        64 * 64 * 3,
        64 * 128 * 3,
        128 * 128 * 3,
        128 * 128 * 3,
        128 * 128 * 3,
    ]
    made = wavegram(hop)
    assert sum(parameter.numel() for parameter in made.parameters()) == sum(kernels) + 2 * (
        3 * 64 + 4 * 128
    )
    assert made.convs[0].stride == made.convs[0].padding == (hop // 64,)


def test_weights_are_glorot_s_from_the_generator():
    made, twin, other = wavegram(), wavegram(), wavegram(seed=1)
    for mine, same, another in zip(made.convs, twin.convs, other.convs, strict=True):
        assert torch.equal(mine.weight, same.weight)
        assert not torch.equal(mine.weight, another.weight)
        outputs, inputs, taps = mine.weight.shape
        bound = sqrt(6 / (taps * (inputs + outputs)))
        assert 0.98 * bound < mine.weight.abs().max() <= bound
    assert made.report()["summary"]["change, layer 1"] == 0


def test_under_autocast_it_computes_in_float32():
    made, waveform = wavegram().float(), clips(4000)[0].float()
    with torch.autocast("cpu", torch.bfloat16), torch.no_grad():
        values = alone(made, waveform)
    assert values.dtype == torch.float32
    torch.testing.assert_close(values, alone(made, waveform), rtol=0, atol=0)


@pytest.mark.parametrize(("hop", "nearest"), [(160, 128), (1000, 1024), (10, 64)])
def test_an_impossible_hop_is_an_error_with_the_nearest(hop, nearest):
    with pytest.raises(
        ConfigError, match=f"hop={hop}: expected a multiple of 64 samples; the nearest is {nearest}"
    ):
        wavegram(hop)
