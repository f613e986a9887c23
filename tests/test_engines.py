"""The exact and the fast engine against the plain one, with gradients."""

import math

import pytest
import torch
from scipy.fft import next_fast_len

from engine_cases import CASES, batch, distance, energies_and_gradients, parts
from fewshot_audio.frontends.filterbank.engines import band_energies as bands
from fewshot_audio.frontends.filterbank.engines import overlap_save as blocks_of_waveforms
from fewshot_audio.frontends.filterbank.engines import rectified as engine_rectified
from fewshot_audio.frontends.filterbank.engines.bands import Bands
from fewshot_audio.frontends.filterbank.engines.base import Conv
from fewshot_audio.frontends.filterbank.engines.blocks import Blocks
from fewshot_audio.frontends.filterbank.engines.overlap_save import good_length, mattering
from fewshot_audio.frontends.filterbank.engines.rectified import Rectified
from fewshot_audio.frontends.filterbank.framing import Placement
from fewshot_audio.frontends.filterbank.gabor import Gabor
from fewshot_audio.frontends.filterbank.gaussian_lowpass import GaussianLowpass


@pytest.mark.parametrize(("rate", "filters", "hop", "align", "samples"), CASES)
@pytest.mark.parametrize(
    ("engine", "dtype", "outputs", "gradients"),
    [
        ("blocks", torch.float32, 1e-5, 1e-4),
        ("blocks", torch.float64, 1e-12, 1e-11),
        ("exact", torch.float32, 1e-5, 1e-4),
        ("exact", torch.float64, 1e-6, 1e-5),  # what it leaves out
    ],
)
def test_the_exact_engines_are_the_plain_one(
    rate, filters, hop, align, samples, engine, dtype, outputs, gradients
):
    gabor, pooling, taps = parts(rate, filters, dtype)
    placement, clips = Placement(taps, hop, align), batch(samples, dtype)
    exact = (
        Blocks(placement) if engine == "blocks" else Bands(placement, None, symmetric=taps % 2 == 1)
    )
    plain, plain_gradients = energies_and_gradients(Conv(placement), gabor, pooling, *clips)
    found, found_gradients = energies_and_gradients(exact, gabor, pooling, *clips)
    assert distance(found, plain) < outputs
    assert all(
        distance(ours, theirs) < gradients
        for ours, theirs in zip(found_gradients, plain_gradients, strict=True)
    )


@pytest.mark.parametrize(("rate", "filters", "hop", "align", "samples"), CASES)
@pytest.mark.parametrize("tolerance", [1e-2, 1e-3, 1e-5])
def test_the_fast_engine_keeps_its_tolerance(rate, filters, hop, align, samples, tolerance):
    gabor, pooling, taps = parts(rate, filters)
    placement, clips = Placement(taps, hop, align), batch(samples)
    plain, plain_gradients = energies_and_gradients(Conv(placement), gabor, pooling, *clips)
    fast = Bands(placement, tolerance)
    with torch.no_grad():
        fast.calibrate(torch.complex(*gabor()), pooling(), 1e-5, *fast.prepare(*clips))
    found, found_gradients = energies_and_gradients(fast, gabor, pooling, *clips)
    errors = (found - plain).square().mean(0).sqrt() / plain.mean(0).clamp(min=1e-5)
    assert (
        errors.max() < 2 * tolerance
    )  # calibration also counts what lies beyond a clip's own frames
    assert all(
        distance(ours, theirs) < 30 * tolerance
        for ours, theirs in zip(found_gradients, plain_gradients, strict=True)
    )
    told = fast.report()
    assert told["worst error"] == told["error"] <= tolerance
    assert told["largest error"] >= told["error"]


def test_filters_that_have_moved_get_other_bands_and_the_error_until_then_is_told():
    gabor, pooling, taps = parts(16000, 10)
    fast = Bands(Placement(taps, 160, "centre"), 1e-3)
    waveforms, lengths = batch((16000, 16000))
    waveforms = torch.cumsum(waveforms, 1) / 10  # a steep spectrum
    prepared = fast.prepare(waveforms, lengths)
    with torch.no_grad():
        fast.calibrate(torch.complex(*gabor()), pooling(), 1e-5, *prepared)
        assert fast.report()["worst error"] == fast.report()["error"] <= 1e-3
        gabor.centres += 1
        gabor.widths *= 2
        fast.calibrate(torch.complex(*gabor()), pooling(), 1e-5, *prepared)
        anew = Bands(fast.placement, 1e-3)
        anew.calibrate(torch.complex(*gabor()), pooling(), 1e-5, *prepared)
    assert fast.report()["error"] <= 1e-3 < fast.report()["worst error"]
    assert torch.equal(fast.rungs, anew.rungs)  # whatever was there before


def test_the_error_on_clips_that_the_bands_were_not_chosen_for_is_told_too():
    gabor, pooling, taps = parts(16000, 10)
    fast = Bands(Placement(taps, 160, "centre"), 1e-3)
    noise, lengths = batch((16000, 16000))
    steep = torch.cumsum(noise, 1) / 10
    with torch.no_grad():
        fast.calibrate(torch.complex(*gabor()), pooling(), 1e-5, *fast.prepare(noise, lengths))
        assert "error on test clips" not in fast.report()
        fast.check(torch.complex(*gabor()), pooling(), 1e-5, *fast.prepare(steep, lengths))
    told = fast.report()
    assert told["error"] <= 1e-3 < told["error on test clips"] < told["largest error on test clips"]


def test_a_bank_that_the_tolerance_cannot_spare_is_filtered_whole():
    gabor, pooling, taps = parts(8000, 4)
    fast = Bands(Placement(taps, 80, "centre"), 0)
    clips = batch((3000, 3000))
    with torch.no_grad():
        fast.calibrate(torch.complex(*gabor()), pooling(), 1e-5, *fast.prepare(*clips))
    assert fast.report()["error"] == 0
    plain, _ = energies_and_gradients(Conv(fast.placement), gabor, pooling, *clips)
    assert distance(energies_and_gradients(fast, gabor, pooling, *clips)[0], plain) < 2e-5


@pytest.mark.parametrize("kind", [Blocks, lambda placement: Bands(placement, 1e-3), Conv])
def test_gradients_are_those_of_finite_differences(kind):
    placement = Placement(21, 10, "centre")
    engine = kind(placement)
    centres = torch.tensor([0.4, 1.5, 2.8], dtype=torch.float64)
    gabor = Gabor(centres, torch.tensor([2.0, 5.0, 3.0], dtype=torch.float64), 21)
    clips = batch((83, 40), torch.float64)
    prepared = engine.prepare(*clips)
    filters = torch.complex(*gabor()).detach()
    windows = GaussianLowpass(torch.tensor([0.2, 0.3, 0.4], dtype=torch.float64), 21)().detach()

    def energies(real, imaginary, windows):
        return engine.energies(torch.complex(real, imaginary), windows, *prepared)[:, :5]

    inputs = [each.clone().requires_grad_() for each in (filters.real, filters.imag, windows)]
    assert torch.autograd.gradcheck(energies, inputs)


@pytest.mark.parametrize("tolerance", [None, 1e-3], ids=["exact", "fast"])
def test_gradients_of_narrow_bands_are_those_of_finite_differences(tolerance):
    placement = Placement(161, 40, "centre")
    engine = Bands(placement, tolerance, symmetric=True)
    clips = batch((900, 300), torch.float64)
    prepared = engine.prepare(*clips)

    def made(centres, widths, poolings):
        gabor, pooling = Gabor(centres, widths, 161), GaussianLowpass(poolings, 161)
        for module, name, value in (
            (gabor, "centres", centres),
            (gabor, "widths", widths),
            (pooling, "widths", poolings),
        ):
            del module._parameters[name]
            setattr(module, name, value)  # which a parameter would cut off
        return torch.complex(*gabor()), pooling()

    def energies(*values):
        return engine.energies(*made(*values), *prepared)[:, :8]

    start = [[0.4, 1.5, 2.8], [12.0, 16.0, 14.0], [0.3, 0.4, 0.35]]
    inputs = [torch.tensor(each, dtype=torch.float64).requires_grad_() for each in start]
    samples, *_ = engine._plan(*(each.detach() for each in made(*inputs)))
    assert samples.max() <= engine.size // 2  # none is filtered at the full rate
    assert torch.autograd.gradcheck(energies, inputs)


@pytest.mark.parametrize("tolerance", [None, 1e-3], ids=["exact", "fast"])
def test_bands_are_kept_for_clips_that_follow_and_found_anew_for_other_filters(
    tolerance, monkeypatch
):
    gabor, pooling, taps = parts(16000, 10)
    engine, plans = Bands(Placement(taps, 160, "centre"), tolerance), []
    plan = engine._plan
    monkeypatch.setattr(engine, "_plan", lambda *given: plans.append(given) or plan(*given))
    one, other = (engine.prepare(*batch((length,))) for length in (9000, 5000))

    def energies(*prepared, dtype=torch.float32):
        filters, windows = torch.complex(*gabor()).to(dtype.to_complex()), pooling().to(dtype)
        fresh = Bands(engine.placement, tolerance)
        fresh.shares = engine.shares
        prepared = [each.to(dtype.to_complex()) if each.is_complex() else each for each in prepared]
        found, anew = (each.energies(filters, windows, *prepared) for each in (engine, fresh))
        assert torch.equal(found, anew)

    with torch.inference_mode():
        energies(*one)
        energies(*other)
    assert len(plans) == 1
    energies(*one)  # with gradients
    for change in (lambda: gabor.centres.add_(0.5), lambda: pooling.widths.mul_(0.9)):
        with torch.no_grad():
            change()  # in place
        with torch.inference_mode():
            energies(*one)
            energies(*other)
    with torch.inference_mode():
        energies(*one, dtype=torch.float64)
    assert len(plans) == 5
    if tolerance:
        with torch.no_grad():
            engine.calibrate(torch.complex(*gabor()), pooling(), 1e-5, *one)
        with torch.inference_mode():
            energies(*one)


def test_the_frames_of_a_clip_lie_as_mel_frames_do_or_as_in_tensorflow():
    for samples in (1, 500, 1024, 44100, 176400):
        centred, same = Placement(1103, 1024, "centre"), Placement(1103, 1024, "tf")
        assert centred.frames(samples) == 1 + samples // 1024
        assert centred.first(torch.tensor([samples])).item() == -551
        assert same.frames(samples) == math.ceil(samples / 1024)
        left = -same.first(torch.tensor([samples])).item()
        right = (same.frames(samples) - 1) * 1024 + 1103 - left - samples
        assert right - left in (0, 1)


class Energies(torch.nn.Module):
    """The exact engine as a module from waveforms to energies."""

    def __init__(self, gabor, pooling, engine):
        super().__init__()
        self.gabor, self.pooling, self.engine = gabor, pooling, engine

    def forward(self, waveforms, lengths):
        real, imaginary = self.gabor()
        filters = real if isinstance(self.engine, Rectified) else torch.complex(real, imaginary)
        return self.engine.energies(
            filters, self.pooling(), *self.engine.prepare(waveforms, lengths)
        )


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "engine", [lambda p: Bands(p, None), lambda p: Rectified(p, False)], ids=["bands", "sums"]
)
def test_compile_and_export_take_the_exact_engines(engine):
    gabor, pooling, taps = parts(8000, 3)
    module = Energies(gabor, pooling, engine(Placement(taps, 80, "centre")))
    clips = batch((2000, 1500))
    expected = module(*clips)
    compiled = torch.compile(module, backend="aot_eager", fullgraph=True)
    assert distance(compiled(*clips)[0, :26], expected[0, :26]) < 1e-6
    assert distance(compiled(*clips)[1, :19], expected[1, :19]) < 1e-6  # its own frames
    wanted = torch.autograd.grad(expected[:, :19].sum(), list(module.parameters()))
    found = torch.autograd.grad(compiled(*clips)[:, :19].sum(), list(module.parameters()))
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)
    exported = torch.export.export(module, clips)
    assert distance(exported.module()(*clips)[0, :26], expected[0, :26]) < 1e-6


def rectified_one_by_one(placement, filters, windows, clip, largest):
    """Energies (frames, filters) of one clip by a convolution and a loop over frames."""
    taps, hop = placement.taps, placement.hop
    before = (taps - 1) // 2
    padded = torch.nn.functional.pad(clip, (before, taps - 1 - before))
    filtered = torch.nn.functional.conv1d(padded[None, None], filters[:, None])[0]
    rectified = torch.where(filtered > 0, filtered, 0.2 * filtered)
    first = placement.first(torch.tensor([len(clip)])).item()
    found = []
    for frame in range(placement.frames(len(clip))):
        begin = first + frame * hop
        inside = slice(max(0, begin), min(len(clip), begin + taps))
        under, window = rectified[:, inside], windows[:, inside.start - begin : inside.stop - begin]
        found.append(under.amax(1) if largest else (under * window).sum(1))
    return torch.stack(found)


@pytest.mark.parametrize("largest", [True, False])
@pytest.mark.parametrize("align", ["centre", "tf"])
def test_rectified_blocks_are_convolutions_frame_by_frame(align, largest):
    random = torch.Generator().manual_seed(0)
    placement = Placement(101, 40, align)
    filters = torch.randn(11, 101, generator=random, dtype=torch.float64).requires_grad_()
    windows = torch.rand(11, 101, generator=random, dtype=torch.float64).requires_grad_()
    waveforms, lengths = batch((3000, 1777, 130, 1), torch.float64)
    engine = Rectified(placement, largest)
    found = engine.energies(filters, windows, *engine.prepare(waveforms, lengths))
    clips = [
        waveform[:length] for waveform, length in zip(waveforms, lengths.tolist(), strict=True)
    ]
    plain = [rectified_one_by_one(placement, filters, windows, clip, largest) for clip in clips]
    wanted = [torch.randn(each.shape, generator=random, dtype=torch.float64) for each in plain]
    learned = [filters] if largest else [filters, windows]
    totals = [
        sum((each[: len(w)] * w).sum() for each, w in zip(many, wanted, strict=True))
        for many in (found, plain)
    ]
    for each, other in zip(found, plain, strict=True):
        torch.testing.assert_close(each[: len(other)], other, rtol=1e-10, atol=1e-10)
    for ours, theirs in zip(
        *(torch.autograd.grad(total, learned) for total in totals), strict=True
    ):
        torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    "kind",
    [
        Blocks,
        lambda p: Bands(p, None),
        lambda p: Bands(p, 1e-3),
        lambda p: Rectified(p, False),
        lambda p: Rectified(p, True),
    ],
    ids=["blocks", "exact", "fast", "sums", "largest"],
)
def test_blocks_without_a_part_in_the_loss_are_left_out_of_the_backward_pass(kind, monkeypatch):
    """A loss of some frames in the middle, as a patch is; the judge looks at every block."""
    gabor, pooling, taps = parts(16000, 10)
    engine = kind(Placement(taps, 160, "centre"))
    filters = (
        (torch.complex(*gabor()) if isinstance(engine, Blocks | Bands) else gabor()[0])
        .detach()
        .requires_grad_()
    )
    windows = pooling().detach().requires_grad_()
    wanted = [filters] if isinstance(engine, Rectified) and engine.largest else [filters, windows]
    prepared, blocks = engine.prepare(*batch((40000, 30000, 8000))), []

    def gradients():
        loss = engine.energies(filters, windows, *prepared)[:, 60:110].square().sum()
        return torch.autograd.grad(loss, wanted)

    def counting(gradient, *others):
        found = mattering(gradient, *others)
        blocks.append((len(found[0]), len(gradient)))
        return found

    for module in (blocks_of_waveforms, bands, engine_rectified):
        monkeypatch.setattr(module, "mattering", counting)
    some = gradients()
    for module in (blocks_of_waveforms, bands, engine_rectified):
        monkeypatch.setattr(module, "mattering", lambda *given: given)
    assert min(kept / of for kept, of in blocks) < 0.5
    for one, other in zip(some, gradients(), strict=True):
        assert distance(torch.view_as_real(one + 0j), torch.view_as_real(other + 0j)) < 1e-5


def test_a_gradient_of_zeros_keeps_its_blocks():
    assert len(mattering(torch.zeros(3, 2), torch.ones(3))[1]) == 3
    assert mattering(torch.tensor([[0.0], [math.nan], [1.0]]), torch.arange(3))[1].tolist() == [
        1,
        2,
    ]


def test_blocks_have_lengths_that_are_fast_to_transform():
    for least in (1, 64, 65, 1103, 8192, *range(200, 200_000, 977)):
        assert good_length(least) == 64 * next_fast_len(-(-least // 64), real=True)
