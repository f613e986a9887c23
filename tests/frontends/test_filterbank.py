"""Filterbanks: starts, parts that go together, what learns, and the report."""

import subprocess
import sys
from math import pi

import numpy as np
import pytest
import torch
from scipy.spatial.distance import jensenshannon

from engine_cases import gabor_of
from fewshot_audio.frontends.diagnostics import drift
from fewshot_audio.frontends.filterbank.filters import FWHM, Gabor
from fewshot_audio.frontends.filterbank.init import Bark, Constant, Linear, Mel
from fewshot_audio.frontends.filterbank.sinc import Sinc
from fewshot_audio.types import ConfigError
from marks import slow_but
from small_leaf import leaf, spectrogram


def test_mel_centres_are_librosa_s():
    librosa = pytest.importorskip("librosa")
    centres, widths = Mel(60, 7800).centres_and_widths(40, 16000)
    edges = librosa.mel_frequencies(42, fmin=60, fmax=7800, htk=True)
    np.testing.assert_allclose(centres.numpy() * 16000 / (2 * pi), edges[1:-1], rtol=1e-9)
    np.testing.assert_allclose(widths.numpy(), 8000 / (edges[2:] - edges[:-2]), rtol=1e-9)


def test_other_starts():
    def hz(init):
        return init(100, 7000).centres_and_widths(30, 16000)[0] * 16000 / (2 * pi)

    assert hz(Constant).tolist() == pytest.approx([3550] * 30)
    assert hz(Linear).diff().tolist() == pytest.approx([6900 / 31] * 29)
    steps = hz(Bark).diff()  # 1 Bark is about 100 Hz at 100 Hz, about 1200 Hz at 7 kHz
    assert 20 * steps[0] > steps[-1] > 8 * steps[0]


def test_a_random_start_comes_from_the_generator():
    made, twin, other = (leaf("frontend/filters/init=random", filters=200) for _ in range(3))
    for each, seed in ((made, 0), (twin, 0), (other, 1)):
        each.initialise(torch.Generator().manual_seed(seed))
    assert torch.equal(made.filters.centres, twin.filters.centres)
    assert not torch.equal(made.filters.centres, other.filters.centres)
    hz, bandwidth = made.filters.in_hz()
    assert 60 <= hz.min() < 200
    assert 7800 < hz.max() <= 8000
    assert bandwidth.log().std() > 0.3
    assert made.report()["summary"]["largest drift, Hz"] == 0


def test_coinciding_and_clipped_filters_are_noted():
    constant = leaf("frontend/filters/init=constant")
    assert constant.notes == ("11 of 12 filters start where another one does",)
    clipped = "10 of 128 filters start at a bound of their width or centre"
    assert leaf(filters=128, rate=44100).notes == (clipped,)
    assert leaf().notes == ()


def test_smoothing_is_a_time():
    for hop, weight in ((441, 0.04), (1024, 0.0904)):
        made = leaf(f"frontend.hop={hop}", rate=44100)
        assert made.frames(44100) == 1 + 44100 // hop
        assert made.compression.smooth[0].item() == pytest.approx(weight, abs=1e-4)


@pytest.mark.parametrize("n_bands", slow_but(64, of=[40, 64, 80]))
@pytest.mark.parametrize("kind", ["leaf", "efficient_leaf", "sincnet", "td_fbanks"])
def test_any_number_of_bands(kind, n_bands):
    made = leaf(kind=kind, filters=n_bands)
    assert made.n_bands == n_bands
    assert spectrogram(made, torch.randn(1, 1600)).shape == (1, 11, n_bands)


ERRORS = [  # kind, setting, message
    ("leaf", "frontend.hop=0", "hop=0: expected a number above 0"),
    ("leaf", "frontend.learn=[filter]", "frontend.learn: "),
    ("leaf", "frontend.filters.init.low=9000", "frontend.filters: low=9000"),
    ("leaf", "+frontend.filters.widht_unit=2", "widht_unit: .* did you mean width_unit"),
    ("leaf", "frontend/pooling=largest", "pooling=Largest: only for real filters"),
    ("leaf", "frontend/engine=rectified", "engine=Rectified: not for Gabor filters"),
    ("td_fbanks", "frontend/engine=fast", "engine=Fast: not for taps that are learned"),
    ("sincnet", "frontend.filters.init.high=150", "frontend.filters: high=150"),
]
MORE_ERRORS = [
    ("leaf", "frontend.align=left", "frontend.align: "),
    ("leaf", "frontend.filters.init.high=9000", "frontend.filters: high=9000"),
    ("leaf", "frontend.filters.window_ms=0.2", "frontend.filters.window_ms=0.2: 4 samples"),
    ("leaf", "frontend.filters.n_filters=0", "n_filters=0: "),
    ("leaf", "frontend.pooling.width=0.6", "frontend.pooling.width=0.6: "),
    ("leaf", "frontend.pooling.width=0.001", "frontend.pooling.width=0.001: "),
    ("leaf", "frontend.compression.alpha=5", "frontend.compression.alpha=5"),
    ("leaf", "frontend.compression.root=0.5", "frontend.compression.root=0.5"),
    ("leaf", "frontend.compression.delta=0", "frontend.compression.delta=0"),
    ("leaf", "frontend.compression.n_bands=13", "compression: made for 13 bands"),
    ("leaf", "+frontend.engine.toleranse=2", "toleranse: .* did you mean tolerance"),
    ("td_fbanks", "frontend/filters/init=random", "frontend.filters.init=Random"),
    ("sincnet", "frontend/engine=fast", "engine=Fast: not for Sinc filters"),
    ("sincnet", "frontend/engine=rectified", "engine=Rectified: not for the pooling Largest"),
    ("sincnet", "frontend/filters/init=constant", "frontend.filters.init=Constant"),
]


@pytest.mark.parametrize(
    ("kind", "setting", "message"),
    [*ERRORS, *(pytest.param(*case, marks=pytest.mark.slow) for case in MORE_ERRORS)],
)
def test_errors_name_the_setting(kind, setting, message):
    with pytest.raises(ConfigError, match=message):
        leaf(setting, kind=kind)


@pytest.mark.parametrize("part", ["filters", "pooling", "compression"])
def test_only_named_parts_learn(part):
    parameters = leaf(f"frontend.learn=[{part}]").named_parameters()
    assert {name.split(".")[0] for name, each in parameters if each.requires_grad} == {part}


def test_seven_parameters_per_filter():
    assert sum(parameter.numel() for parameter in leaf(filters=128).parameters()) == 896


def test_sinc_filters_have_a_middle_tap():
    assert [Sinc(4, rate).taps for rate in (16000, 22050)] == [401, 553]
    assert Gabor(4, 22050).taps == 552


DISTANCE = "Jensen-Shannon distance of responses"


def test_drift_is_reported_in_hz_and_in_bandwidths():
    before = {"centre": [300.0, 1000.0, 2000.0], "bandwidth": [50.0, 100.0, 200.0]}
    after = {"centre": [300.0, 1050.0, 2400.0], "bandwidth": [50.0, 100.0, 210.0]}
    responses = []
    for each in (before, after):
        centres = [2 * pi * hz / 8000 for hz in each["centre"]]
        widths = [FWHM * 8000 / (2 * pi * hz) for hz in each["bandwidth"]]
        responses.append(gabor_of(centres, widths, 801).impulse_responses().detach())
    sides = [{name: torch.tensor(hz) for name, hz in each.items()} for each in (before, after)]
    report = drift(*sides, tuple(responses))
    summary = report["summary"]
    assert report["filters"]["centre"] == {"before": before["centre"], "after": after["centre"]}
    assert summary["median drift, Hz"] == 50
    assert summary["largest drift, initial bandwidths"] == 2
    assert summary["median change, bandwidth"] == 0
    assert summary["largest change, bandwidth"] == 10
    hz = np.linspace(0, 4000, 100_000)
    distances = []
    for row in range(3):
        p, q = (
            1e-300
            + np.exp(-0.5 * ((hz - each["centre"][row]) * FWHM / each["bandwidth"][row]) ** 2)
            for each in (before, after)
        )
        distances.append(jensenshannon(p, q, 2))
    assert summary[DISTANCE] == pytest.approx(np.mean(distances), abs=2e-3)


def test_responses_between_centres_differ_too():
    t = torch.arange(400)
    window = torch.hann_window(400)
    one = (window * torch.exp(1j * t))[None]
    two = (window * (torch.exp(0.8j * t) + torch.exp(1.2j * t)))[None]
    same = {"centre": torch.ones(1), "bandwidth": torch.ones(1)}
    assert drift(same, same, (one, two))["summary"][DISTANCE] > 0.9


def test_bounds_are_counted_before_and_after_training():
    made = leaf()
    with torch.no_grad():
        made.filters.centres[:3] = 4
        made.pooling.widths[:2] = 0.6
    summary = made.report()["summary"]
    assert [summary[f"filters at a bound{when}"] for when in (" at the start", "")] == [0, 3]
    assert [summary[f"poolings at a bound{when}"] for when in (" at the start", "")] == [0, 2]
    half_window = 200 / 16  # ms
    assert summary["largest change, pooling, ms"] == pytest.approx(0.1 * half_window, abs=1e-3)
    sinc = leaf(kind="sincnet")
    sinc.filters.band.data[-1] = 10
    assert sinc.report()["summary"]["filters at a bound"] == 1


def gradient_of_widths(made):
    noise = torch.randn(1, 2000, 1, generator=torch.Generator().manual_seed(0))
    (gradient,) = torch.autograd.grad(made.spectrogram(noise).sum(), [made.filters.widths])
    return gradient


def test_filters_beyond_a_bound_come_back_and_learn_again():
    """What stays beyond a bound has no gradient; the reference brings its filters back too."""
    made = leaf("frontend/compression=none", "frontend/engine=conv")
    with torch.no_grad():
        made.filters.widths[:] = 1e4
    assert gradient_of_widths(made).abs().max() == 0
    made.project()
    at_the_bound = [401 * FWHM / (2 * pi)] * 12
    assert made.filters.widths.tolist() == pytest.approx(at_the_bound)
    assert gradient_of_widths(made).abs().min() > 0


def test_widths_may_count_in_many_samples():
    """The same filters; gradients that are as many times as large."""
    one, many = leaf("frontend/engine=conv"), leaf("frontend/engine=conv", kind="leaf_widths")
    noise = torch.randn(1, 2000, generator=torch.Generator().manual_seed(0))
    assert torch.equal(spectrogram(one, noise), spectrogram(many, noise))
    assert torch.equal(512 * gradient_of_widths(one), gradient_of_widths(many))
    assert one.physical_parameters()["bandwidth"].equal(many.physical_parameters()["bandwidth"])


def test_frontends_import_nothing_else_of_ours():
    code = """
import sys, pkgutil, fewshot_audio.frontends as package
for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
    __import__(module.name)
ours = [name for name in sys.modules if name.startswith("fewshot_audio.")]
assert all(name.startswith("fewshot_audio.frontends") for name in ours), ours
assert not {"pydantic", "jaxtyping", "scipy", "hydra"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_energies_are_no_less_than_the_floor():
    clips = torch.randn(2, 4000, generator=torch.Generator().manual_seed(0)) / 100
    low, high = (
        leaf("frontend/compression=none", f"frontend.floor={floor}") for floor in (1e-12, 1e-4)
    )
    energies = spectrogram(low, clips)
    assert (energies < 1e-4).any()
    assert (energies > 1e-4).any()
    torch.testing.assert_close(spectrogram(high, clips), energies.clamp(min=1e-4))
    with pytest.raises(ConfigError, match=r"floor=-1"):
        leaf("frontend.floor=-1")
