"""LEAF's parts against loops and closed forms; engines are in test_engines.py, parity in test_parity.py."""

from math import pi

import numpy as np
import pytest
import torch
from scipy.spatial.distance import jensenshannon

from fewshot_audio import config
from fewshot_audio.components import build
from fewshot_audio.frontends.drift import drift
from fewshot_audio.frontends.gabor import FWHM, Gabor
from fewshot_audio.frontends.gaussian_lowpass import GaussianLowpass
from fewshot_audio.frontends.initial import initial
from fewshot_audio.frontends.pcen import PCEN, smoothed_over_frames
from fewshot_audio.types import ConfigError


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
    pcen = PCEN(*(torch.rand(3, generator=random, dtype=torch.float64) + shift for shift in (-0.2, 1, 1.2, 0)), 1e-12)
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
        pcen = PCEN(*(low + (high - low) * torch.rand(5, generator=random) for low, high in ranges), 1e-12)
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


def leaf(*settings, kind="leaf", rate=16000, filters=12):
    """The configured LEAF or one of its kin, small."""
    settings = [f"frontend={kind}", f"sample_rate={rate}", f"hop={rate // 100}", f"frontend.filters={filters}", *settings]
    return build(config.job(config.composed(["dataset=synthetic", *settings])).frontend)


def maps(made, waveforms):
    with torch.no_grad():
        return made.maps(waveforms[..., None])


ENGINES = ["conv", "exact", "fast"]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("rate", [8000, 16000, 44100])
def test_a_tone_at_a_filter_s_centre_peaks_in_that_filter(rate, engine):
    made = leaf(
        f"frontend.engine={engine}", "frontend.compression=none", "frontend.low=200", f"frontend.high={0.45 * rate}", rate=rate
    )
    centres, _ = made.filters.in_hz(rate)
    found = maps(made, torch.sin(2 * pi * centres.detach()[:, None] * torch.arange(rate // 4) / rate))
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
        made = leaf(f"frontend.engine={engine}", f"frontend.align={align}", "frontend.compression=none")
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
    found = made.maps(torch.stack([torch.zeros(samples), torch.ones(samples), clipped])[..., None])
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
    ranges |= {"compression.delta": (-1, 5), "compression.root": (0, 6), "compression.smooth": (-0.3, 1.3)}
    for trial in range(12):
        with torch.no_grad():
            for name, parameter in made.named_parameters():
                low, high = ranges[name]
                parameter.copy_(low + (high - low) * torch.rand(6, generator=random))
                parameter.grad = None
        scale = 10.0 ** (trial % 6 - 5)
        found = made.maps(torch.randn(2, 3000, 1, generator=random).clamp(-1, 1) * scale)
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
    padded = torch.nn.utils.rnn.pad_sequence(clips, batch_first=True, padding_value=7.0)  # what lies beyond does not matter
    with torch.no_grad():
        together = made(*made.prepare(padded[..., None], torch.tensor(lengths)))
    for clip, found, length in zip(clips, together, lengths, strict=True):
        alone = maps(made, clip[None])[0]
        assert len(alone) == made.frames(length)
        torch.testing.assert_close(found[: len(alone)], alone, rtol=1e-4, atol=1e-5)


def steep(samples):
    """Brown noise at full scale, most of which is in the lowest filters."""
    noise = torch.randn(samples, generator=torch.Generator().manual_seed(4), dtype=torch.float64).cumsum(0)
    return noise / noise.abs().max()


@pytest.mark.parametrize("compression", ["pcen", "log"])
def test_the_exact_engine_makes_the_plain_one_s_maps_of_steep_spectra(compression):
    settings = [f"frontend.compression={compression}"]
    plain, exact = (
        leaf(*settings, f"frontend.engine={engine}", rate=44100, filters=128).double() for engine in ("conv", "exact")
    )
    sound = steep(22050)[None]
    with torch.no_grad():
        wanted, found = maps(plain, sound), maps(exact, sound)
    assert (found - wanted).abs().max() < 1e-5 * wanted.abs().max()


@pytest.mark.parametrize(("kind", "settings"), [("td_fbanks", []), ("leaf", ["frontend.window=hann"]), ("leaf", [])])
def test_the_exact_engine_has_the_plain_one_s_gradients_whatever_is_learned(kind, settings):
    sound = steep(8000)[None]
    found = {}
    for engine in ("conv", "exact"):
        made = leaf(*settings, f"frontend.engine={engine}", kind=kind).double()
        out = made.maps(sound[..., None])
        weights = torch.randn(out.shape, generator=torch.Generator().manual_seed(1), dtype=out.dtype)
        found[engine] = torch.autograd.grad((out * weights).sum(), [each for each in made.parameters() if each.requires_grad])
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
        found = made.maps(waveform)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, made.maps(waveform), rtol=0, atol=0)


def test_centres_on_the_mel_scale_are_librosa_s():
    librosa = pytest.importorskip("librosa")
    centres, widths = initial("mel", 40, 60, 7800, 16000)
    edges = librosa.mel_frequencies(42, fmin=60, fmax=7800, htk=True)
    np.testing.assert_allclose(centres.numpy() * 16000 / (2 * pi), edges[1:-1], rtol=1e-9)
    np.testing.assert_allclose(widths.numpy(), 8000 / (edges[2:] - edges[:-2]), rtol=1e-9)


@pytest.mark.parametrize("scale", ["bark", "linear", "constant"])
def test_other_starts_cover_the_band(scale):
    hz = initial(scale, 30, 100, 7000, 16000)[0] * 16000 / (2 * pi)
    steps = hz.diff()
    if scale == "constant":
        assert hz.tolist() == pytest.approx([3550] * 30)
    elif scale == "linear":
        assert steps.tolist() == pytest.approx([6900 / 31] * 29)
    else:  # Traunmüller: 1 Bark is about 100 Hz at 100 Hz, about 1200 Hz at 7 kHz
        assert 20 * steps[0] > steps[-1] > 8 * steps[0]


def test_random_starts_come_from_the_run_s_generator_and_keep_to_the_band():
    made, twin, other = (leaf("frontend.initialisation=random", filters=200) for _ in range(3))
    for each, seed in ((made, 0), (twin, 0), (other, 1)):
        each.initialise(torch.Generator().manual_seed(seed))
    assert torch.equal(made.filters.centres, twin.filters.centres)
    assert not torch.equal(made.filters.centres, other.filters.centres)
    hz, bandwidth = made.filters.in_hz(16000)
    assert 60 <= hz.min() < 200
    assert 7800 < hz.max() <= 8000
    assert bandwidth.log().std() > 0.3
    assert made.report()["summary"]["largest drift, Hz"] == 0


def test_coinciding_and_clipped_filters_are_noted():
    assert leaf("frontend.initialisation=constant").notes == ("11 of 12 filters start where another one does",)
    assert leaf(filters=128, rate=44100).notes == ("10 of 128 filters start at a bound of their width or centre",)
    assert leaf().notes == ()


def test_the_hop_may_be_given_in_ms_and_smoothing_is_a_time():
    made = leaf("frontend.hop=null", "frontend.hop_ms=10", rate=44100)
    assert made.frames(44100) == 101
    assert made.compression.smooth[0].item() == pytest.approx(0.04, abs=1e-4)
    assert leaf("frontend.hop=1024", rate=44100).compression.smooth[0].item() == pytest.approx(0.0904, abs=1e-4)


@pytest.mark.parametrize(
    "setting",
    [
        "frontend.hop_ms=10",
        "frontend.hop=null",
        "frontend.low=9000",
        "frontend.high=9000",
        "frontend.engine=slow",
        "frontend.window_ms=0.2",
        "frontend.pooling=0.6",
        "frontend.pooling=0.001",
        "frontend.alpha=5",
        "frontend.root=0.5",
        "frontend.delta=0",
    ],
)
def test_impossible_settings_are_errors_that_name_the_setting(setting):
    with pytest.raises(ConfigError, match=setting.split("=")[0].removesuffix("_ms")):
        leaf(setting)


@pytest.mark.parametrize(
    ("kind", "settings", "named"),
    [
        ("td_fbanks", ["frontend.engine=fast"], "engine"),
        ("sincnet", ["frontend.engine=fast"], "engine"),
        ("sincnet", ["frontend.high=150"], "high"),
        ("sincnet", ["frontend.initialisation=constant"], "initialisation"),
        ("td_fbanks", ["frontend.initialisation=random"], "initialisation"),
        ("efficient_leaf", ["frontend.compression=pcen"], "alpha"),
        ("leaf", ["frontend.window=largest"], "window"),
    ],
)
def test_settings_that_do_not_go_together_are_errors(kind, settings, named):
    with pytest.raises(ConfigError, match=f"frontend.{named}="):
        leaf(*settings, kind=kind)


@pytest.mark.parametrize("part", ["filters", "pooling", "compression"])
def test_only_the_parts_named_learn(part):
    made = leaf(f"frontend.learn=[{part}]")
    assert {name.split(".")[0] for name, parameter in made.named_parameters() if parameter.requires_grad} == {part}


def test_seven_parameters_per_filter():
    assert sum(parameter.numel() for parameter in leaf(filters=128).parameters()) == 896


def test_drift_is_told_in_hz_and_in_bandwidths():
    before = {"centre": torch.tensor([100.0, 1000.0, 2000.0]), "bandwidth": torch.tensor([50.0, 100.0, 200.0])}
    after = {"centre": torch.tensor([100.0, 1050.0, 2400.0]), "bandwidth": torch.tensor([50.0, 100.0, 200.0])}
    told = drift(before, after)
    assert told["filters"]["centre"] == {"before": [100, 1000, 2000], "after": [100, 1050, 2400]}
    assert told["summary"]["median drift, Hz"] == 50
    assert told["summary"]["largest drift, initial bandwidths"] == 2
    hz = np.linspace(0, 4000, 100_000)
    distances = []
    for row in range(3):
        widths = [FWHM / each["bandwidth"][row].item() for each in (before, after)]
        middles = [each["centre"][row].item() for each in (before, after)]
        p, q = (1e-300 + np.exp(-0.5 * ((hz - m) * w) ** 2) for m, w in zip(middles, widths, strict=True))
        distances.append(jensenshannon(p, q, 2))
    assert told["summary"]["Jensen-Shannon distance"] == pytest.approx(np.mean(distances), abs=2e-3)
    assert drift(before, before)["summary"]["Jensen-Shannon distance"] == 0
