"""LEAF against closed forms, whatever its engine."""

from math import pi

import numpy as np
import pytest
import torch

from engine_cases import gabor_of, lowpass_of
from fewshot_audio.frontends.filterbank.filters import FWHM
from marks import slow_but
from small_leaf import ENGINES, leaf, spectrogram, steep


def test_filters_respond_as_gaussians():
    centres, widths = [0.5, 1.0, 2.0], [20.0, 40.0, 10.0]
    filters = gabor_of(centres, widths, 401).impulse_responses().detach().numpy()
    response = np.abs(np.fft.fft(filters, 1 << 14))
    place = np.arange(1 << 14) * 2 * pi / (1 << 14)
    for row, centre, width in zip(response, centres, widths, strict=True):
        np.testing.assert_allclose(row, np.exp(-0.5 * ((place - centre) * width) ** 2), atol=1e-4)


def test_parameters_are_kept_within_their_bounds():
    centres, widths = gabor_of([-1.0, 4.0], [0.1, 1e4], 401).bounded()
    unit = FWHM / (2 * pi)
    assert centres.tolist() == pytest.approx([0, pi])
    assert widths.tolist() == pytest.approx([4 * unit, 401 * unit])
    assert lowpass_of([0.0, 1.0], 401).bounded().tolist() == pytest.approx([2 / 401, 0.5])


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("rate", slow_but(8000, of=[8000, 16000]))
def test_a_tone_at_a_centre_peaks_in_that_filter(rate, engine):
    made = leaf(
        f"frontend/engine={engine}",
        "frontend/compression=none",
        "frontend.filters.init.low=200",
        f"frontend.filters.init.high={0.45 * rate}",
        rate=rate,
    )
    centres, _ = made.filters.in_hz()
    tones = torch.sin(2 * pi * centres.detach()[:, None] * torch.arange(rate // 4) / rate)
    energies = spectrogram(made, tones)
    assert energies[:, 5:-5].mean(1).argmax(1).tolist() == list(range(12))


@pytest.mark.parametrize("engine", ENGINES)
def test_twice_the_amplitude_is_four_times_the_energy(engine):
    made = leaf(f"frontend/engine={engine}", "frontend/compression=none")
    waveform = torch.randn(1, 4000, generator=torch.Generator().manual_seed(0))
    once = spectrogram(made, waveform)
    torch.testing.assert_close(spectrogram(made, 2 * waveform), 4 * once)
    assert torch.equal(spectrogram(made, -waveform), once)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("align", "offset"),
    [
        ("centre", 0),
        pytest.param("symmetric", 0, marks=pytest.mark.slow),
        pytest.param("tf", 80, marks=pytest.mark.slow),
    ],
)
def test_a_click_is_loudest_in_the_nearest_frame(align, offset, engine):
    parts = [f"frontend/engine={engine}", "frontend/compression=none"]
    waveform = torch.zeros(1, 8000)
    waveform[0, 20 * 160 + offset] = 1
    energies = spectrogram(leaf(*parts, f"frontend.align={align}"), waveform)
    assert energies[0].argmax(0).tolist() == [20] * 12


def test_a_rising_chirp_is_loudest_in_higher_and_higher_filters():
    parts = ["frontend/compression=none", "frontend/filters/init=linear"]
    made = leaf(*parts, "frontend.filters.init.low=500")
    t = torch.arange(16000) / 16000
    chirp = torch.sin(2 * pi * (500 + 3500 * t) * t)
    loudest = spectrogram(made, chirp[None])[0].argmax(1)[3:-8]
    assert (loudest.diff() >= 0).all()
    assert loudest[0] == 0
    assert loudest[-1] >= 10


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("seconds", slow_but(0.05, of=[0.05, 0.051, 1]))
def test_silence_and_clipping_give_finite_values_and_gradients(seconds, engine):
    made, samples = leaf(f"frontend/engine={engine}"), int(16000 * seconds)
    clipped = torch.sign(torch.sin(torch.arange(samples) * 0.3))
    waveforms = torch.stack([torch.zeros(samples), torch.ones(samples), clipped])
    values = made.spectrogram(waveforms[..., None])
    assert values.shape == (3, 1 + samples // 160, 12)
    assert values.isfinite().all()
    values.sum().backward()
    assert all(parameter.grad.isfinite().all() for parameter in made.parameters())


RANGES = {  # of parameters, within their bounds and beyond
    "filters.centres": (-0.5, 3.6),
    "filters.widths": (0, 120),
    "pooling.widths": (-0.1, 0.7),
    "compression.alpha": (-1, 2),
    "compression.delta": (-1, 5),
    "compression.root": (0, 6),
    "compression.smooth": (-0.3, 1.3),
}


@pytest.mark.parametrize("engine", ENGINES)
def test_no_parameters_give_nan(engine):
    random = torch.Generator().manual_seed(0)
    made = leaf(f"frontend/engine={engine}", rate=8000, filters=6)
    for trial in range(12):
        with torch.no_grad():
            for name, parameter in made.named_parameters():
                low, high = RANGES[name]
                parameter.copy_(low + (high - low) * torch.rand(6, generator=random))
                parameter.grad = None
        noise = torch.randn(2, 3000, 1, generator=random).clamp(-1, 1)
        values = made.spectrogram(noise * 10.0 ** (trial % 6 - 5))
        values.sum().backward()
        assert values.isfinite().all()
        assert all(parameter.grad.isfinite().all() for parameter in made.parameters())


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("align", slow_but("centre", of=["centre", "symmetric", "tf"]))
def test_a_clip_in_a_batch_of_longer_ones_is_the_clip_alone(align, engine):
    random = torch.Generator().manual_seed(0)
    made = leaf(f"frontend.align={align}", f"frontend/engine={engine}")
    lengths = [800, 4000, 9999, 10000]
    clips = [torch.randn(length, generator=random) for length in lengths]
    beyond = 7.0  # does not matter
    padded = torch.nn.utils.rnn.pad_sequence(clips, batch_first=True, padding_value=beyond)
    with torch.no_grad():
        together = made.compute(*made.prepare(padded[..., None], torch.tensor(lengths)))
    for clip, values, length in zip(clips, together, lengths, strict=True):
        alone = spectrogram(made, clip[None])[0]
        assert len(alone) == made.frames(length)
        torch.testing.assert_close(values[: len(alone)], alone, rtol=1e-4, atol=1e-5)


def steep_spectrum():
    return steep(22050)[None]


def chirp():
    """Most filters hear it for a moment only: no loud frame may leak into a quiet one."""
    seconds = torch.arange(20000, dtype=torch.float64)[None] / 44100
    return torch.sin(2 * pi * (200 + 4200 * seconds) * seconds)


def tone():
    return torch.sin(torch.arange(20000, dtype=torch.float64)[None] * 0.0627)


@pytest.mark.parametrize("compression", slow_but("pcen", of=["pcen", "log"]))
@pytest.mark.parametrize(
    ("sound", "dtype", "tolerance"),
    [
        pytest.param(steep_spectrum, torch.float64, 1e-5, marks=pytest.mark.slow),
        (steep_spectrum, torch.float32, 2e-5),
        (chirp, torch.float32, 1e-4),
        pytest.param(tone, torch.float32, 1e-4, marks=pytest.mark.slow),
    ],
)
def test_exact_is_the_plain_engine(sound, dtype, tolerance, compression):
    parts = [f"frontend/compression={compression}"]
    plain, exact = (
        leaf(*parts, f"frontend/engine={engine}", rate=44100, filters=64)
        for engine in ("conv", "exact")
    )
    theirs = spectrogram(plain.double(), sound())
    ours = spectrogram(exact.to(dtype), sound().to(dtype))
    assert (ours - theirs).abs().max() < tolerance * theirs.abs().max()


@pytest.mark.parametrize(
    ("kind", "parts"),
    [
        ("td_fbanks", ["frontend/engine=blocks"]),
        pytest.param(
            "leaf", ["frontend/pooling=shared", "frontend/engine=blocks"], marks=pytest.mark.slow
        ),
        ("leaf", ["frontend/engine=exact"]),
    ],
)
def test_gradients_are_the_plain_engine_s(kind, parts):
    sound, gradients = steep(8000)[None], []
    for last in ([], ["frontend/engine=conv"]):
        made = leaf(*parts[: len(parts) - len(last)], *last, kind=kind).double()
        values = made.spectrogram(sound[..., None])
        random = torch.Generator().manual_seed(1)
        weights = torch.randn(values.shape, generator=random, dtype=values.dtype)
        learned = [each for each in made.parameters() if each.requires_grad]
        gradients.append(torch.autograd.grad((values * weights).sum(), learned))
    for ours, theirs in zip(*gradients, strict=True):
        assert (ours - theirs).abs().max() < 1e-4 * theirs.abs().max()


def test_what_never_changes_is_filtered_once(monkeypatch):
    made, learned = leaf("frontend.learn=[compression]"), leaf("frontend/engine=exact")
    rows, lengths = steep(8000).float().reshape(2, 4000, 1), torch.tensor([4000, 2500])
    prepared = made.prepare(rows, lengths)
    monkeypatch.setattr(made.engine, "energies", None)
    ours, theirs = made.compute(*prepared), learned.compute(*learned.prepare(rows, lengths))
    torch.testing.assert_close(ours[0], theirs[0])
    torch.testing.assert_close(ours[1, :16], theirs[1, :16])
    ours.sum().backward()
    assert made.compression.alpha.grad.abs().min() > 0


def test_under_autocast_it_computes_in_float32():
    made, waveform = leaf(), torch.randn(1, 8000, 1)
    with torch.autocast("cpu", torch.bfloat16):
        values = made.spectrogram(waveform)
    assert values.dtype == torch.float32
    torch.testing.assert_close(values, made.spectrogram(waveform), rtol=0, atol=0)
