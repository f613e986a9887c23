"""LEAF's starts, settings, learned parts and drift."""

from math import pi

import numpy as np
import pytest
import torch
from scipy.spatial.distance import jensenshannon

from fewshot_audio.frontends.diagnostics import drift
from fewshot_audio.frontends.filterbank.gabor import FWHM, Gabor
from fewshot_audio.frontends.filterbank.init import initial
from fewshot_audio.types import ConfigError
from small_leaf import leaf, maps


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
    assert leaf("frontend.initialisation=constant").notes == (
        "11 of 12 filters start where another one does",
    )
    assert leaf(filters=128, rate=44100).notes == (
        "10 of 128 filters start at a bound of their width or centre",
    )
    assert leaf().notes == ()


def test_the_hop_may_be_given_in_ms_and_smoothing_is_a_time():
    made = leaf("frontend.hop=null", "frontend.hop_ms=10", rate=44100)
    assert made.frames(44100) == 101
    assert made.compression.smooth[0].item() == pytest.approx(0.04, abs=1e-4)
    assert leaf("frontend.hop=1024", rate=44100).compression.smooth[0].item() == pytest.approx(
        0.0904, abs=1e-4
    )


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
    assert {
        name.split(".")[0] for name, parameter in made.named_parameters() if parameter.requires_grad
    } == {part}


def test_seven_parameters_per_filter():
    assert sum(parameter.numel() for parameter in leaf(filters=128).parameters()) == 896


def test_drift_is_told_in_hz_and_in_bandwidths():
    before = {
        "centre": torch.tensor([300.0, 1000.0, 2000.0]),
        "bandwidth": torch.tensor([50.0, 100.0, 200.0]),
    }
    after = {
        "centre": torch.tensor([300.0, 1050.0, 2400.0]),
        "bandwidth": torch.tensor([50.0, 100.0, 210.0]),
    }
    filters = [
        Gabor(
            2 * torch.pi * each["centre"] / 8000,
            FWHM * 8000 / (2 * torch.pi * each["bandwidth"]),
            801,
        )
        for each in (before, after)
    ]
    responses = tuple(torch.complex(*each()).detach() for each in filters)
    told = drift(before, after, responses)
    assert told["filters"]["centre"] == {"before": [300, 1000, 2000], "after": [300, 1050, 2400]}
    assert told["summary"]["median drift, Hz"] == 50
    assert told["summary"]["largest drift, initial bandwidths"] == 2
    assert told["summary"]["median change, bandwidth"] == 0
    assert told["summary"]["largest change, bandwidth"] == 10
    hz = np.linspace(0, 4000, 100_000)
    distances = []
    for row in range(3):
        widths = [FWHM / each["bandwidth"][row].item() for each in (before, after)]
        middles = [each["centre"][row].item() for each in (before, after)]
        p, q = (
            1e-300 + np.exp(-0.5 * ((hz - m) * w) ** 2)
            for m, w in zip(middles, widths, strict=True)
        )
        distances.append(jensenshannon(p, q, 2))
    distance = "Jensen-Shannon distance of responses"
    assert told["summary"][distance] == pytest.approx(np.mean(distances), abs=2e-3)
    assert drift(before, before, responses[:1] * 2)["summary"][distance] == 0


def test_filters_that_keep_their_centre_and_bandwidth_but_not_their_response_have_drifted():
    """One line that becomes two, of the same mean and spread of its power."""
    t = torch.arange(400)
    window = torch.hann_window(400)
    one = (window * torch.exp(1j * t))[None]
    two = (window * (torch.exp(0.8j * t) + torch.exp(1.2j * t)))[None]
    told = drift(
        {"centre": torch.ones(1), "bandwidth": torch.ones(1)},
        {"centre": torch.ones(1), "bandwidth": torch.ones(1)},
        (one, two),
    )
    assert told["summary"]["Jensen-Shannon distance of responses"] > 0.9


def test_bounds_are_counted_before_and_after_training():
    made = leaf()
    with torch.no_grad():
        made.filters.centres[:3] = 4
        made.pooling.widths[:2] = 0.6
    told = made.report()["summary"]
    assert [told[f"filters at a bound{when}"] for when in (" at the start", "")] == [0, 3]
    assert [told[f"poolings at a bound{when}"] for when in (" at the start", "")] == [0, 2]
    assert told["largest change, pooling, ms"] == pytest.approx(
        0.1 * 200 / 16, abs=1e-3
    )  # ms, of half of 401 samples
    sinc = leaf("frontend.engine=exact", kind="sincnet")
    sinc.filters.band.data[-1] = 10
    assert sinc.report()["summary"]["filters at a bound"] == 1


def test_filters_beyond_a_bound_come_back_to_it_and_learn_again():
    """What stays beyond a bound has no gradient; the reference brings its filters back after every update too."""
    made = leaf("frontend.compression=none", "frontend.engine=conv")
    with torch.no_grad():
        made.filters.widths[:] = 1e4
    assert widths_gradient(made).abs().max() == 0
    made.project()
    at_the_bound = made.filters.widths.detach().clone()
    assert at_the_bound.tolist() == pytest.approx([401 * FWHM / (2 * pi)] * 12)
    assert widths_gradient(made).abs().min() > 0


def widths_gradient(made):
    noise = torch.randn(1, 2000, 1, generator=torch.Generator().manual_seed(0))
    (found,) = torch.autograd.grad(made.spectrogram(noise).sum(), [made.filters.widths])
    return found


def test_widths_may_count_in_many_samples():
    """The same filters; gradients that are as many times as large."""
    one, many = leaf("frontend.engine=conv"), leaf("frontend.engine=conv", kind="leaf_widths")
    noise = torch.randn(1, 2000, generator=torch.Generator().manual_seed(0))
    assert torch.equal(maps(one, noise), maps(many, noise))
    assert torch.equal(512 * widths_gradient(one), widths_gradient(many))
    assert one.physical_parameters()["bandwidth"].equal(many.physical_parameters()["bandwidth"])
