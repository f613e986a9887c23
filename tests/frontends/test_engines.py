"""Engines against the plain one, with gradients."""

import math
from copy import copy

import pytest
import torch
from scipy.fft import next_fast_len

from engine_cases import (
    CASES,
    assert_close,
    batch,
    distance,
    energies_and_gradients,
    gabor_of,
    lowpass_of,
    parts,
)
from fewshot_audio.frontends.filterbank.engines.blocks import Blocks
from fewshot_audio.frontends.filterbank.engines.conv import Conv
from fewshot_audio.frontends.filterbank.engines.exact import Exact
from fewshot_audio.frontends.filterbank.engines.fast import Fast
from fewshot_audio.frontends.filterbank.engines.overlap_save import good_length
from fewshot_audio.frontends.filterbank.engines.rectified import Rectified
from fewshot_audio.frontends.filterbank.framing import Placement
from marks import slow_but

OF_RATES = [  # the default tests take those that are quick
    *CASES[:2],
    *(pytest.param(*case, marks=pytest.mark.slow) for case in CASES[2:]),
]


@pytest.mark.parametrize(("rate", "filters", "hop", "align", "samples"), OF_RATES)
@pytest.mark.parametrize(
    ("kind", "dtype", "outputs", "gradients"),
    [
        (Blocks, torch.float32, 1e-5, 1e-4),
        (Blocks, torch.float64, 1e-12, 1e-11),
        (Exact, torch.float32, 1e-5, 1e-4),
        (Exact, torch.float64, 1e-6, 1e-5),  # what it leaves out
    ],
)
def test_exact_engines(rate, filters, hop, align, samples, kind, dtype, outputs, gradients):
    gabor, pooling, taps = parts(rate, filters, dtype)
    placement, clips = Placement(taps, hop, align), batch(samples, dtype)
    symmetric = kind is Exact and gabor.symmetric
    plain = energies_and_gradients(Conv(placement), gabor, pooling, *clips)
    ours = energies_and_gradients(kind(placement, symmetric), gabor, pooling, *clips)
    assert distance(ours[0], plain[0]) < outputs
    assert_close(ours[1], plain[1], gradients)


@pytest.mark.parametrize(("rate", "filters", "hop", "align", "samples"), OF_RATES)
@pytest.mark.parametrize("tolerance", [1e-2, 1e-5])
def test_fast_keeps_its_tolerance(rate, filters, hop, align, samples, tolerance):
    gabor, pooling, taps = parts(rate, filters)
    placement, clips = Placement(taps, hop, align), batch(samples)
    plain, plain_gradients = energies_and_gradients(Conv(placement), gabor, pooling, *clips)
    fast = Fast(placement, tolerance=tolerance)
    calibrate(fast, gabor, pooling, clips)
    energies, gradients = energies_and_gradients(fast, gabor, pooling, *clips)
    errors = (energies - plain).square().mean(0).sqrt() / plain.mean(0).clamp(min=1e-5)
    assert errors.max() < 2 * tolerance  # calibration also counts frames beyond a clip's end
    assert_close(gradients, plain_gradients, 30 * tolerance)
    report = fast.report()
    assert report["worst error"] == report["error"] <= tolerance
    assert report["largest error"] >= report["error"]


def calibrate(engine, gabor, pooling, clips):
    with torch.no_grad():
        engine.calibrate(
            gabor.impulse_responses(), pooling.windows(), 1e-5, *engine.prepare(*clips)
        )


def test_fast_chooses_anew_for_filters_that_moved():
    gabor, pooling, taps = parts(16000, 10)
    fast = Fast(Placement(taps, 160, "centre"))
    waveforms, lengths = batch((16000, 16000))
    clips = torch.cumsum(waveforms, 1) / 10, lengths  # a steep spectrum
    calibrate(fast, gabor, pooling, clips)
    assert fast.report()["worst error"] == fast.report()["error"] <= 1e-3
    with torch.no_grad():
        gabor.centres += 1
        gabor.widths *= 2
    anew = Fast(fast.placement)
    for engine in (fast, anew):
        calibrate(engine, gabor, pooling, clips)
    assert fast.report()["error"] <= 1e-3 < fast.report()["worst error"]
    assert torch.equal(fast.shares, anew.shares)  # whatever was there before


def test_fast_reports_its_error_on_other_clips():
    gabor, pooling, taps = parts(16000, 10)
    fast = Fast(Placement(taps, 160, "centre"))
    noise, lengths = batch((16000, 16000))
    calibrate(fast, gabor, pooling, (noise, lengths))
    assert "error on test clips" not in fast.report()
    steep = torch.cumsum(noise, 1) / 10
    with torch.no_grad():
        fast.check(
            gabor.impulse_responses(), pooling.windows(), 1e-5, *fast.prepare(steep, lengths)
        )
    report = fast.report()
    assert report["error"] <= 1e-3 < report["error on test clips"]
    assert report["error on test clips"] < report["largest error on test clips"]


def test_fast_without_tolerance_filters_whole_bands():
    gabor, pooling, taps = parts(8000, 4)
    fast, clips = Fast(Placement(taps, 80, "centre"), tolerance=0), batch((3000, 3000))
    calibrate(fast, gabor, pooling, clips)
    assert fast.report()["error"] == 0
    plain, _ = energies_and_gradients(Conv(fast.placement), gabor, pooling, *clips)
    assert distance(energies_and_gradients(fast, gabor, pooling, *clips)[0], plain) < 2e-5


@pytest.mark.parametrize("kind", slow_but(Blocks, Conv, of=[Blocks, Fast, Conv]))
def test_gradients_are_finite_differences(kind):
    engine = kind(Placement(21, 10, "centre"))
    prepared = engine.prepare(*batch((83, 40), torch.float64))
    filters = (
        gabor_of([0.4, 1.5, 2.8], [2.0, 5.0, 3.0], 21, torch.float64).impulse_responses().detach()
    )
    windows = lowpass_of([0.2, 0.3, 0.4], 21, torch.float64).windows().detach()

    def energies(real, imaginary, windows):
        return engine.energies(torch.complex(real, imaginary), windows, *prepared)[:, :5]

    inputs = [each.clone().requires_grad_() for each in (filters.real, filters.imag, windows)]
    assert torch.autograd.gradcheck(energies, inputs)


def with_parameters(module, values):
    """A copy whose parameters are these tensors."""
    copied = copy(module)
    copied._parameters = values
    return copied


@pytest.mark.parametrize("kind", [Exact, Fast])
def test_gradients_of_narrow_bands_are_finite_differences(kind):
    engine = kind(Placement(161, 40, "centre"), symmetric=True)
    engine.shares = torch.full((3,), 1e-6)
    prepared = engine.prepare(*batch((900, 300), torch.float64))
    gabor = gabor_of([0.4, 1.5, 2.8], [12.0, 16.0, 14.0], 161, torch.float64)
    pooling = lowpass_of([0.3, 0.4, 0.35], 161, torch.float64)

    def energies(centres, widths, poolings):
        values = {"centres": centres, "widths": widths}
        filters = with_parameters(gabor, values).impulse_responses()
        windows = with_parameters(pooling, {"widths": poolings}).windows()
        return engine.energies(filters, windows, *prepared)[:, :8]

    plan = engine.plan(gabor.impulse_responses().detach(), pooling.windows().detach())
    assert plan.samples.max() <= engine.blocking.samples // 2  # none is filtered at the full rate
    inputs = [each.detach().clone() for each in (gabor.centres, gabor.widths, pooling.widths)]
    assert torch.autograd.gradcheck(energies, [each.requires_grad_() for each in inputs])


@pytest.mark.parametrize("kind", [Exact, Fast])
def test_remembered_bands_serve_later_clips_and_no_other_filters(kind, monkeypatch):
    gabor, pooling, taps = parts(16000, 10)
    engine, plans = kind(Placement(taps, 160, "centre")), []
    engine.shares = torch.full((10,), 1e-6)
    plan = engine.plan
    monkeypatch.setattr(engine, "plan", lambda *given: plans.append(given) or plan(*given))
    one, other = (engine.prepare(*batch((length,))) for length in (9000, 5000))

    def compare(prepared, dtype=torch.float32):
        filters, windows = (
            gabor.impulse_responses().to(dtype.to_complex()),
            pooling.windows().to(dtype),
        )
        fresh = kind(engine.placement)
        fresh.shares = engine.shares
        prepared = [each.to(dtype.to_complex()) if each.is_complex() else each for each in prepared]
        ours, anew = (each.energies(filters, windows, *prepared) for each in (engine, fresh))
        assert torch.equal(ours, anew)

    with torch.inference_mode():
        compare(one)
        compare(other)
    assert len(plans) == 1
    for change in (lambda: gabor.centres.add_(0.5), lambda: pooling.widths.mul_(0.9)):
        with torch.no_grad():
            change()  # in place
        with torch.inference_mode():
            compare(one)
            compare(other)
    with torch.inference_mode():
        compare(one, torch.float64)
    assert len(plans) == 4
    if kind is Fast:
        calibrate(engine, gabor, pooling, batch((9000,)))
        with torch.inference_mode():
            compare(one)


def test_frames_lie_as_mel_frames_or_as_in_tensorflow():
    for samples in (1, 500, 1024, 44100, 176400):
        centred, same = Placement(1103, 1024, "centre"), Placement(1103, 1024, "tf")
        assert centred.frames(samples) == 1 + samples // 1024
        assert centred.first(torch.tensor([samples])).item() == -551
        assert same.frames(samples) == math.ceil(samples / 1024)
        left = -same.first(torch.tensor([samples])).item()
        right = (same.frames(samples) - 1) * 1024 + 1103 - left - samples
        assert right - left in (0, 1)


class Energies(torch.nn.Module):
    """An engine as a module from waveforms to energies."""

    def __init__(self, gabor, pooling, engine):
        super().__init__()
        self.gabor, self.pooling, self.engine = gabor, pooling, engine

    def forward(self, waveforms, lengths):
        filters = (
            self.gabor.impulse_responses()
            if self.engine.takes_complex
            else self.gabor.impulse_responses().real
        )
        return self.engine.energies(
            filters, self.pooling.windows(), *self.engine.prepare(waveforms, lengths)
        )


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", [Exact, Rectified])
def test_compile_and_export(kind):
    gabor, pooling, taps = parts(8000, 3)
    module = Energies(gabor, pooling, kind(Placement(taps, 80, "centre")))
    clips = batch((2000, 1500))
    expected = module(*clips)
    compiled = torch.compile(module, backend="aot_eager", fullgraph=True)
    assert distance(compiled(*clips)[0, :26], expected[0, :26]) < 1e-6
    assert distance(compiled(*clips)[1, :19], expected[1, :19]) < 1e-6  # its own frames
    theirs = torch.autograd.grad(expected[:, :19].sum(), list(module.parameters()))
    ours = torch.autograd.grad(compiled(*clips)[:, :19].sum(), list(module.parameters()))
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)
    exported = torch.export.export(module, clips)
    assert distance(exported.module()(*clips)[0, :26], expected[0, :26]) < 1e-6


def test_good_lengths():
    for least in (1, 64, 65, 1103, 8192, *range(200, 200_000, 977)):
        assert good_length(least) == 64 * next_fast_len(-(-least // 64), real=True)
