"""LEAF against closed forms, whatever its engine; engines alone are in test_engines.py, parity in test_parity.py."""

from math import pi

import numpy as np
import pytest
import torch

from fewshot_audio.frontends.filterbank.gabor import FWHM, Gabor
from fewshot_audio.frontends.filterbank.gaussian_lowpass import GaussianLowpass
from small_leaf import ENGINES, leaf, maps, steep


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
    assert GaussianLowpass(torch.tensor([0.0, 1.0]), 401).bounded().tolist() == pytest.approx(
        [2 / 401, 0.5]
    )


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("rate", [8000, 16000, 44100])
def test_a_tone_at_a_filter_s_centre_peaks_in_that_filter(rate, engine):
    made = leaf(
        f"frontend.engine={engine}",
        "frontend.compression=none",
        "frontend.low=200",
        f"frontend.high={0.45 * rate}",
        rate=rate,
    )
    centres, _ = made.filters.in_hz(rate)
    found = maps(
        made, torch.sin(2 * pi * centres.detach()[:, None] * torch.arange(rate // 4) / rate)
    )
    assert found[:, 5:-5].mean(1).argmax(1).tolist() == list(range(12))


@pytest.mark.parametrize("engine", ENGINES)
def test_twice_the_amplitude_is_four_times_the_energy(engine):
    made = leaf(f"frontend.engine={engine}", "frontend.compression=none")
    waveform = torch.randn(1, 4000, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(maps(made, 2 * waveform), 4 * maps(made, waveform))
    assert torch.equal(maps(made, -waveform), maps(made, waveform))


@pytest.mark.parametrize("engine", ENGINES)
def test_a_click_is_loudest_in_the_frame_whose_centre_is_nearest(engine):
    for align, offset in (("centre", 0), ("tf", 80)):
        made = leaf(
            f"frontend.engine={engine}", f"frontend.align={align}", "frontend.compression=none"
        )
        waveform = torch.zeros(1, 16000)
        waveform[0, 40 * 160 + offset] = 1
        assert maps(made, waveform)[0].argmax(0).tolist() == [40] * 12


def test_a_rising_chirp_is_loudest_in_higher_and_higher_filters():
    made = leaf("frontend.compression=none", "frontend.initialisation=linear", "frontend.low=500")
    t = torch.arange(16000) / 16000
    loudest = maps(made, torch.sin(2 * pi * (500 + 3500 * t) * t)[None])[0].argmax(1)[3:-8]
    assert (loudest.diff() >= 0).all()
    assert loudest[0] == 0
    assert loudest[-1] >= 10


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("seconds", [0.05, 0.051, 0.5, 10])
def test_silence_and_clipping_of_any_length_give_finite_maps_and_gradients(seconds, engine):
    made = leaf(f"frontend.engine={engine}")
    samples = int(16000 * seconds)
    clipped = torch.sign(torch.sin(torch.arange(samples) * 0.3))
    found = made.spectrogram(
        torch.stack([torch.zeros(samples), torch.ones(samples), clipped])[..., None]
    )
    assert found.shape == (3, 1 + samples // 160, 12)
    assert found.isfinite().all()
    found.sum().backward()
    assert all(parameter.grad.isfinite().all() for parameter in made.parameters())


@pytest.mark.parametrize("engine", ENGINES)
def test_no_parameters_within_the_bounds_or_beyond_give_nan(engine):
    random = torch.Generator().manual_seed(0)
    made = leaf(f"frontend.engine={engine}", rate=8000, filters=6)
    ranges = {
        "filters.centres": (-0.5, 3.6),
        "filters.widths": (0, 120),
        "pooling.widths": (-0.1, 0.7),
        "compression.alpha": (-1, 2),
    }
    ranges |= {
        "compression.delta": (-1, 5),
        "compression.root": (0, 6),
        "compression.smooth": (-0.3, 1.3),
    }
    for trial in range(12):
        with torch.no_grad():
            for name, parameter in made.named_parameters():
                low, high = ranges[name]
                parameter.copy_(low + (high - low) * torch.rand(6, generator=random))
                parameter.grad = None
        scale = 10.0 ** (trial % 6 - 5)
        found = made.spectrogram(torch.randn(2, 3000, 1, generator=random).clamp(-1, 1) * scale)
        found.sum().backward()
        assert found.isfinite().all()
        assert all(parameter.grad.isfinite().all() for parameter in made.parameters())


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("align", ["centre", "tf"])
def test_a_clip_in_a_batch_of_longer_ones_is_the_clip_alone(align, engine):
    random = torch.Generator().manual_seed(0)
    made = leaf(f"frontend.align={align}", f"frontend.engine={engine}")
    lengths = [800, 4000, 9999, 10000]
    clips = [torch.randn(length, generator=random) for length in lengths]
    padded = torch.nn.utils.rnn.pad_sequence(
        clips, batch_first=True, padding_value=7.0
    )  # what lies beyond does not matter
    with torch.no_grad():
        together = made(*made.prepare(padded[..., None], torch.tensor(lengths)))
    for clip, found, length in zip(clips, together, lengths, strict=True):
        alone = maps(made, clip[None])[0]
        assert len(alone) == made.frames(length)
        torch.testing.assert_close(found[: len(alone)], alone, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("compression", ["pcen", "log"])
def test_the_exact_engine_makes_the_plain_one_s_maps_of_steep_spectra(compression):
    settings = [f"frontend.compression={compression}"]
    plain, exact = (
        leaf(*settings, f"frontend.engine={engine}", rate=44100, filters=128).double()
        for engine in ("conv", "exact")
    )
    sound = steep(22050)[None]
    with torch.no_grad():
        wanted, found = maps(plain, sound), maps(exact, sound)
    assert (found - wanted).abs().max() < 1e-5 * wanted.abs().max()


@pytest.mark.parametrize("compression", ["pcen", "log"])
def test_the_exact_engine_in_float32_lets_no_loud_frame_into_a_quiet_one(compression):
    """A chirp, which most filters hear for a moment only; as far from the plain engine in float64 as float32's FFT is."""
    settings = [f"frontend.compression={compression}"]
    plain, exact = (
        leaf(*settings, f"frontend.engine={engine}", rate=44100, filters=128)
        for engine in ("conv", "exact")
    )
    seconds = torch.arange(40000, dtype=torch.float64)[None] / 44100
    chirp = torch.sin(2 * torch.pi * (200 + 2100 * seconds) * seconds)
    wanted, found = maps(plain.double(), chirp), maps(exact, chirp.float())
    assert (found - wanted).abs().max() < 3e-5 * wanted.abs().max()


@pytest.mark.parametrize(
    ("kind", "settings"), [("td_fbanks", []), ("leaf", ["frontend.window=hann"]), ("leaf", [])]
)
def test_the_exact_engine_has_the_plain_one_s_gradients_whatever_is_learned(kind, settings):
    sound = steep(8000)[None]
    found = {}
    for engine in ("conv", "exact"):
        made = leaf(*settings, f"frontend.engine={engine}", kind=kind).double()
        out = made.spectrogram(sound[..., None])
        weights = torch.randn(
            out.shape, generator=torch.Generator().manual_seed(1), dtype=out.dtype
        )
        found[engine] = torch.autograd.grad(
            (out * weights).sum(), [each for each in made.parameters() if each.requires_grad]
        )
    for ours, theirs in zip(found["exact"], found["conv"], strict=True):
        assert (ours - theirs).abs().max() < 1e-4 * theirs.abs().max()


def test_what_never_changes_is_filtered_once(monkeypatch):
    made, learned = leaf("frontend.learn=[compression]"), leaf("frontend.engine=exact")
    rows, lengths = steep(8000).float().reshape(2, 4000, 1), torch.tensor([4000, 2500])
    prepared = made.prepare(rows, lengths)
    monkeypatch.setattr(made.engine, "energies", None)
    found, wanted = made(*prepared), learned(*learned.prepare(rows, lengths))
    torch.testing.assert_close(found[0], wanted[0])
    torch.testing.assert_close(found[1, :16], wanted[1, :16])
    found.sum().backward()
    assert made.compression.alpha.grad.abs().min() > 0


def test_under_autocast_it_computes_in_float32():
    made, waveform = leaf(), torch.randn(1, 8000, 1)
    with torch.autocast("cpu", torch.bfloat16):
        found = made.spectrogram(waveform)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, made.spectrogram(waveform), rtol=0, atol=0)
