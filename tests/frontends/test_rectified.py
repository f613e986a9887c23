"""Engines of real filters against filtering sample by sample, and what backward passes skip."""

import math

import pytest
import torch

from engine_cases import batch, distance, parts
from fewshot_audio.frontends.filterbank.engines.blocks import Blocks
from fewshot_audio.frontends.filterbank.engines.blockwise import without_zeros
from fewshot_audio.frontends.filterbank.engines.exact import Exact
from fewshot_audio.frontends.filterbank.engines.fast import Fast
from fewshot_audio.frontends.filterbank.engines.rectified import Rectified, RectifiedMaximum
from fewshot_audio.frontends.filterbank.framing import Placement


def rectified_one_by_one(placement, filters, windows, clip, maximum):
    """Energies (frames, filters) of one clip by a convolution and a loop over frames."""
    taps = placement.taps
    before = (taps - 1) // 2
    padded = torch.nn.functional.pad(clip, (before, taps - 1 - before))
    filtered = torch.nn.functional.conv1d(padded[None, None], filters[:, None])[0]
    rectified = torch.where(filtered > 0, filtered, 0.2 * filtered)
    first = placement.first(torch.tensor([len(clip)])).item()
    energies = []
    for frame in range(placement.frames(len(clip))):
        begin = first + frame * placement.hop
        inside = slice(max(0, begin), min(len(clip), begin + taps))
        under, window = rectified[:, inside], windows[:, inside.start - begin : inside.stop - begin]
        energies.append(under.amax(1) if maximum else (under * window).sum(1))
    return torch.stack(energies)


@pytest.mark.parametrize("kind", [Rectified, RectifiedMaximum])
@pytest.mark.parametrize("align", ["centre", "tf"])
def test_rectified_engines(align, kind):
    random = torch.Generator().manual_seed(0)
    placement = Placement(101, 40, align)
    filters = torch.randn(11, 101, generator=random, dtype=torch.float64).requires_grad_()
    windows = torch.rand(11, 101, generator=random, dtype=torch.float64).requires_grad_()
    waveforms, lengths = batch((3000, 1777, 130, 1), torch.float64)
    engine, maximum = kind(placement), kind is RectifiedMaximum
    energies = engine.energies(filters, windows, *engine.prepare(waveforms, lengths))
    plain, ours = [], []
    for waveform, length, of_clip in zip(waveforms, lengths.tolist(), energies, strict=True):
        clip = waveform[:length]
        plain.append(rectified_one_by_one(placement, filters, windows, clip, maximum))
        ours.append(of_clip[: len(plain[-1])])
    ours, plain = torch.cat(ours), torch.cat(plain)
    torch.testing.assert_close(ours, plain, rtol=1e-10, atol=1e-10)
    weights = torch.randn(plain.shape, generator=random, dtype=torch.float64)
    learned = [filters] if maximum else [filters, windows]
    gradients = [torch.autograd.grad((each * weights).sum(), learned) for each in (ours, plain)]
    torch.testing.assert_close(*gradients, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("kind", [Blocks, Exact, Fast, Rectified, RectifiedMaximum])
def test_a_partial_backward_pass_equals_the_whole_one(kind):
    """Blocks without a part in the loss are left out: a tiny gradient everywhere keeps them all."""
    gabor, pooling, taps = parts(16000, 10)
    engine = kind(Placement(taps, 160, "centre"))
    filters = gabor.impulse_responses() if engine.takes_complex else gabor.impulse_responses().real
    filters, windows = (each.detach().requires_grad_() for each in (filters, pooling.windows()))
    learned = [filters] if engine.takes_maximum else [filters, windows]
    prepared = engine.prepare(*batch((40000, 30000, 8000)))

    def gradients(elsewhere):
        energies = engine.energies(filters, windows, *prepared)
        weights = torch.full_like(energies, elsewhere)
        weights[:, 60:110] = 1
        return torch.autograd.grad((energies.square() * weights).sum(), learned)

    for some, every in zip(gradients(0), gradients(1e-9), strict=True):
        assert distance(torch.view_as_real(some + 0j), torch.view_as_real(every + 0j)) < 1e-5


def test_blocks_without_a_gradient_are_left_out():
    gradient = torch.tensor([[0.0], [math.nan], [1.0]])
    assert without_zeros(gradient, torch.arange(3))[1].tolist() == [1, 2]
    assert len(without_zeros(torch.zeros(3, 2), torch.ones(3))[1]) == 3
