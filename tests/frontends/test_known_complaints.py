"""What people report of implementations of LEAF, each with the right value."""

import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from fewshot_audio.frontends import EfficientLeaf, Leaf, Linear, LogMel, PowerMel

GOLDEN = Path(__file__).parents[1] / "parity" / "golden"
RANDOM = torch.Generator().manual_seed(0)


def noise(*shape):
    return 0.1 * torch.randn(*shape, generator=RANDOM)


def values_of(made, waveform):
    with torch.no_grad():
        return made(waveform)


@pytest.mark.parametrize("samples", [1, 159, 160, 161, 400, 16000, 16001])
def test_number_of_frames(samples):
    """As many as a mel spectrogram has, or ceil(samples / hop) where TensorFlow places them."""
    waveform = noise(1, samples)
    mel = LogMel(mel=PowerMel(16000, 128, hop_length=160))
    frames = values_of(mel, waveform).shape[-1]
    assert values_of(Leaf(), waveform).shape[-1] == frames == 1 + samples // 160
    for align in ("tf", "symmetric"):
        assert values_of(Leaf(align=align), waveform).shape[-1] == np.ceil(samples / 160)


@pytest.mark.parametrize(("rate", "hop"), [(8000, 80), (22050, 220), (44100, 441), (48000, 480)])
def test_other_rates_than_16_khz(rate, hop):
    """A tone of 1 kHz is in the filter at 1 kHz, and frames are 10 ms apart."""
    made = Leaf(rate, 32, compression="none", init=Linear(low=100, high=3900))
    tone = torch.sin(2 * torch.pi * 1000 * torch.arange(rate // 2) / rate)
    energies = values_of(made, tone)
    assert energies.shape == (32, 1 + rate // 2 // hop)
    centre = made.filters.in_hz()[0][energies[:, 10:-10].mean(1).argmax()]
    assert abs(centre.item() - 1000) < 3800 / 33 / 2 + 1


@pytest.mark.parametrize("lr", [1.0, pytest.param(0.03, marks=pytest.mark.slow)])
def test_no_nan_in_training(lr):
    """At rates that throw all parameters beyond their bounds."""
    made = Leaf(8000, 8, engine="conv")
    optimizer = torch.optim.SGD(made.parameters(), lr=lr, momentum=0.9)
    for step in range(60):
        values = made(noise(2, 400) * 10.0 ** (step % 5 - 4))
        optimizer.zero_grad()
        (values * torch.randn(values.shape, generator=RANDOM)).sum().backward()
        optimizer.step()
        assert values.isfinite().all(), step
    assert made.compression.alpha.min() < -2
    assert made.compression.smooth.max() > 1
    assert all(each.isfinite().all() for each in made.parameters())


def test_no_bias():
    """Silence is the floor of energies; seven parameters per filter."""
    made = Leaf(compression="none")
    assert values_of(made, torch.zeros(1, 3200)).tolist() == [[pytest.approx([1e-5] * 21)] * 40]
    assert sum(each.numel() for each in Leaf().parameters()) == 280


@pytest.mark.parametrize("kind", [Leaf, EfficientLeaf])
def test_no_steps_of_level_between_filters(kind):
    """Filters alike but for their centres hear white noise equally loud, to one end."""
    made = kind(n_filters=40, init=Linear())
    made.compression = Leaf(compression="none").compression
    energies = values_of(made.double(), noise(4, 32000).double()).mean((0, 2))
    steps = energies[2:-2].log10().diff() * 10  # dB
    assert steps.abs().max() < 0.6  # that of the noise; groups of filters once differed by 9


def test_layers_share_nothing():
    one, other = Leaf(), Leaf()
    addresses = {each.data_ptr() for each in one.parameters()}
    assert addresses.isdisjoint(each.data_ptr() for each in other.parameters())
    waveform = noise(1, 3200)
    before = values_of(other, waveform)
    with torch.no_grad():
        for parameter in one.parameters():
            parameter.mul_(0.5)
    assert torch.equal(values_of(other, waveform), before)


def test_frames_are_where_the_authors_code_has_them():
    """Half a hop later than symmetric padding puts them."""
    with np.load(GOLDEN / "leaf_16k_40_init.npz") as file:
        weights = {name[6:]: file[name] for name in file.files if name.startswith("param/")}
        waveform, theirs = torch.from_numpy(file["x"]), file["out"]
    errors = {}
    for align in ("tf", "symmetric"):
        ours = values_of(Leaf.from_leaf_audio(weights, align=align), waveform).mT.numpy()
        errors[align] = np.abs(ours - theirs).max() / np.abs(theirs).max()
    assert errors["tf"] < 1e-5
    assert errors["symmetric"] > 0.05
    click = torch.zeros(1, 8000)
    click[0, 20 * 160 + 80] = 1
    assert values_of(Leaf(align="tf", compression="none"), click)[0].argmax(1).tolist() == [20] * 40


LONG = """
import resource, torch
from fewshot_audio.frontends import Leaf
leaf = Leaf(8000, 8)
def peak(seconds):
    with torch.no_grad():
        leaf(torch.zeros(1, 8000 * seconds))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
first = peak(2)
print(peak(240) - first)
"""


@pytest.mark.slow
def test_long_audio_takes_little_memory():
    """A filtered clip of 4 minutes in 8 filters is 123 MB, and its squares as much again."""
    assert resource.RUSAGE_SELF == 0
    done = subprocess.run([sys.executable, "-c", LONG], capture_output=True, text=True, check=True)
    assert float(done.stdout) < 100


def test_long_audio_takes_work_in_proportion():
    """Counted by the profiler, not timed: twice the clip, at most twice the operations."""
    made, counts = Leaf(8000, 8), []
    shapes = {"record_shapes": True, "acc_events": True}
    for seconds in (8, 16, 32):
        with torch.no_grad(), torch.profiler.profile(**shapes) as profile:
            made(torch.zeros(1, 8000 * seconds))
        read = [shape for event in profile.events() for shape in event.input_shapes if shape]
        counts.append(sum(np.prod(shape) for shape in read))
    assert counts[2] < 2.2 * counts[1] < 2.2 * 2.2 * counts[0]


def test_mixed_precision_is_that_of_float32():
    """Energies and 1e-12 are beyond half precision: inside it is float32, outside as asked."""
    made, waveform = Leaf(), noise(2, 8000)
    expected = values_of(made, waveform)
    with torch.autocast("cpu", torch.bfloat16):
        ours = made(waveform)
        ours.float().sum().backward()
    assert ours.dtype == torch.bfloat16
    assert torch.equal(ours, expected.bfloat16())
    assert all(each.grad.dtype == torch.float32 for each in made.parameters())
    half = values_of(Leaf().half(), waveform.half())
    assert half.dtype == torch.float16
    assert (half - expected).abs().max() < 5e-3 * expected.abs().max()
