"""LEAF's parts against loops and closed forms; parity with the reference is in test_parity.py."""

from math import pi

import numpy as np
import pytest
import torch

from fewshot_audio.frontends.gabor import FWHM, Gabor
from fewshot_audio.frontends.gaussian_lowpass import GaussianLowpass
from fewshot_audio.frontends.leaf import Leaf, placed
from fewshot_audio.frontends.pcen import PCEN, smoothed_over_frames


def loop(x, weight):
    """Smoothing frame by frame."""
    state, found = x[:, 0], []
    for frame in x.unbind(1):
        state = weight * frame + (1 - weight) * state
        found.append(state)
    return torch.stack(found, 1)


@pytest.mark.parametrize("frames", [1, 2, 3, 5, 16, 17, 100, 431])
def test_smoothing_in_blocks_is_the_loop(frames):
    random = torch.Generator().manual_seed(frames)
    x = torch.rand(3, frames, 6, generator=random, dtype=torch.float64) * 10.0 ** torch.arange(-6.0, 0)
    weight = torch.tensor([0, 1e-3, 0.04, 0.5, 0.999, 1], dtype=torch.float64)
    torch.testing.assert_close(smoothed_over_frames(x, weight), loop(x, weight), atol=0, rtol=1e-12)
    single = smoothed_over_frames(x.float(), weight.float())
    torch.testing.assert_close(single, loop(x, weight).float(), atol=0, rtol=2e-5)


def test_smoothing_and_pcen_have_the_gradients_of_finite_differences():
    random = torch.Generator().manual_seed(0)
    x = torch.rand(2, 11, 3, generator=random, dtype=torch.float64, requires_grad=True)
    weight = torch.tensor([0.04, 0.3, 0.9], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(smoothed_over_frames, (x, weight))
    pcen = PCEN(*(torch.rand(3, generator=random, dtype=torch.float64) + shift for shift in (-0.2, 1, 1.2, 0)))
    assert torch.autograd.gradcheck(pcen, x)


def test_smoothing_weights_at_their_bounds_have_finite_gradients():
    weight = torch.tensor([0.0, 1.0], requires_grad=True)
    smoothed_over_frames(torch.rand(1, 50, 2), weight).sum().backward()
    assert weight.grad.isfinite().all()


@pytest.mark.parametrize("frames", [1, 3, 2000])
def test_pcen_is_finite_on_silence_and_on_full_scale_within_its_bounds_and_beyond(frames):
    random = torch.Generator().manual_seed(frames)
    for _ in range(20):
        ranges = ((-2, 2), (-1, 5), (0.5, 6), (-0.2, 1.2))  # of alpha, delta, root, smoothing weight
        pcen = PCEN(*(low + (high - low) * torch.rand(5, generator=random) for low, high in ranges))
        for energies in (
            torch.zeros(1, frames, 5),
            torch.full((1, frames, 5), 600.0),
            torch.rand(1, frames, 5, generator=random),
        ):
            found = pcen(energies.clamp(min=1e-5))
            found.sum().backward()
            assert found.isfinite().all()
            assert all(parameter.grad.isfinite().all() for parameter in pcen.parameters())


def test_filters_respond_as_gaussians_around_their_centres():
    taps, centres, widths = 401, torch.tensor([0.5, 1.0, 2.0]), torch.tensor([20.0, 40.0, 10.0])
    real, imaginary = Gabor(centres, widths, taps)()
    response = np.abs(np.fft.fft(real.detach().numpy() + 1j * imaginary.detach().numpy(), 1 << 14))
    place = np.arange(1 << 14) * 2 * pi / (1 << 14)
    for row, centre, width in zip(response, centres.tolist(), widths.tolist(), strict=True):
        np.testing.assert_allclose(row, np.exp(-0.5 * ((place - centre) * width) ** 2), atol=1e-4)


def test_parameters_are_kept_within_their_bounds():
    filters = Gabor(torch.tensor([-1.0, 4.0]), torch.tensor([0.1, 1e4]), 401)
    centres, widths = filters.bounded()
    unit = FWHM / (2 * pi)
    assert centres.tolist() == pytest.approx([0, pi])
    assert widths.tolist() == pytest.approx([4 * unit, 401 * unit])
    assert GaussianLowpass(torch.tensor([0.0, 1.0]), 401).bounded().tolist() == pytest.approx([2 / 401, 0.5])


@pytest.mark.parametrize("samples", [1, 500, 1024, 44100, 176400])
def test_frames_are_placed_as_mel_frames_are_or_as_in_tensorflow(samples):
    assert placed(samples, 1103, 1024, "centre") == (1 + samples // 1024, 551)
    frames, left = placed(samples, 1103, 1024, "tf")
    assert frames == -(-samples // 1024)
    right = (frames - 1) * 1024 + 1103 - left - samples
    assert right - left in (0, 1)


def bank(rate, filters, align="centre"):
    """Filters equally spaced in frequency, no compression."""
    edges = torch.linspace(100, 0.45 * rate, filters + 2)
    taps = rate * 25 // 1000 + 1
    gabor = Gabor(2 * pi * edges[1:-1] / rate, rate / 2 / (edges[2:] - edges[:-2]), taps)
    return edges[1:-1], Leaf(gabor, GaussianLowpass(torch.full((filters,), 0.4), taps), torch.nn.Identity(), rate // 100, align)


@pytest.mark.parametrize("rate", [8000, 16000, 44100])
def test_a_tone_at_a_filter_s_centre_peaks_in_that_filter(rate):
    centres, leaf = bank(rate, 20)
    t = torch.arange(rate // 4) / rate
    with torch.no_grad():
        maps = leaf(torch.sin(2 * pi * centres[:, None] * t))
    assert maps[:, 5:-5].mean(1).argmax(1).tolist() == list(range(20))


def test_twice_the_amplitude_is_four_times_the_energy():
    _, leaf = bank(16000, 8)
    waveform = torch.randn(1, 4000, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(leaf(2 * waveform), 4 * leaf(waveform))


def test_a_click_is_loudest_in_the_frame_whose_centre_is_nearest():
    for align, offset in (("centre", 0), ("tf", 80)):
        _, leaf = bank(16000, 8, align)
        waveform = torch.zeros(1, 16000)
        waveform[0, 40 * 160 + offset] = 1
        with torch.no_grad():
            assert leaf(waveform)[0].argmax(0).tolist() == [40] * 8
