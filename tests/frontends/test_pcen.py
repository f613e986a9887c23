"""Smoothing and PCEN against loops and finite differences."""

import pytest
import torch

from fewshot_audio.frontends.pcen import (
    PCEN,
    MelPCEN,
    smoothed_at_once,
    smoothed_over_frames,
    smoothing_weight,
)

WAYS = [smoothed_over_frames, smoothed_at_once]


def loop(x, weight):
    """Smoothing frame by frame."""
    state, smoothed = x[:, 0], []
    for frame in x.unbind(1):
        state = weight * frame + (1 - weight) * state
        smoothed.append(state)
    return torch.stack(smoothed, 1)


@pytest.mark.parametrize("smoothed", WAYS)
@pytest.mark.parametrize("frames", [1, 2, 3, 5, 16, 17, 100, 431])
def test_smoothing_is_the_loop(frames, smoothed):
    random = torch.Generator().manual_seed(frames)
    x = torch.rand(3, frames, 6, generator=random, dtype=torch.float64) * 10.0 ** torch.arange(
        -6.0, 0
    )
    weight = torch.tensor([0, 1e-3, 0.04, 0.5, 0.999, 1], dtype=torch.float64)
    torch.testing.assert_close(smoothed(x, weight), loop(x, weight), atol=0, rtol=1e-12)
    single = smoothed(x.float(), weight.float())
    torch.testing.assert_close(single, loop(x, weight).float(), atol=0, rtol=2e-5)


def pcen_of(n_bands, random, **ranges):
    """PCEN with parameters drawn within ranges."""
    made = PCEN(n_bands)
    for name, (low, high) in ranges.items():
        getattr(made, name).data = low + (high - low) * torch.rand(n_bands, generator=random)
    return made


@pytest.mark.parametrize("smoothed", WAYS)
def test_gradients_are_finite_differences(smoothed):
    random = torch.Generator().manual_seed(0)
    x = torch.rand(2, 11, 3, generator=random, dtype=torch.float64, requires_grad=True)
    weight = torch.tensor([0.04, 0.3, 0.9], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(smoothed, (x, weight))
    pcen = pcen_of(3, random, alpha=(-0.2, 0.8), delta=(1, 2), root=(1.2, 2.2), smooth=(0, 1))
    assert torch.autograd.gradcheck(pcen.double().compress, x)


@pytest.mark.parametrize("smoothed", WAYS)
def test_weights_at_their_bounds_have_finite_gradients(smoothed):
    weight = torch.tensor([0.0, 1.0], requires_grad=True)
    smoothed(torch.rand(1, 50, 2), weight).sum().backward()
    assert weight.grad.isfinite().all()


@pytest.mark.parametrize("frames", [1, 3, 2000])
def test_values_are_finite_within_the_bounds_and_beyond(frames):
    random = torch.Generator().manual_seed(frames)
    silence, full_scale = torch.zeros(1, frames, 5), torch.full((1, frames, 5), 600.0)
    noise = torch.rand(1, frames, 5, generator=random)
    for _ in range(10):
        ranges = {"alpha": (-2, 2), "delta": (-1, 5), "root": (0.5, 6), "smooth": (-0.2, 1.2)}
        pcen = pcen_of(5, random, **ranges)
        for energies in (silence, full_scale, noise):
            values = pcen.compress(energies.clamp(min=1e-5))
            values.sum().backward()
            assert values.isfinite().all()
            assert all(parameter.grad.isfinite().all() for parameter in pcen.parameters())


def test_time_constant():
    assert smoothing_weight(0.245, 160, 16000) == pytest.approx(0.04, abs=1e-3)
    state = (1 - smoothing_weight(0.5, 100, 8000)) ** (0.5 * 8000 / 100)
    assert state == pytest.approx(1 / 2.718281828)  # what is left after the time constant


@pytest.mark.parametrize(
    ("name", "value"),
    [("alpha", 1.1), ("delta", 0), ("root", 0.5), ("smooth", 1.5), ("floor", 0), ("n_bands", 0)],
)
def test_errors_name_the_setting(name, value):
    given = {"alpha": 1, "delta": 2, "root": 2, "smooth": 0.04, "floor": 1e-6, "n_bands": 4}
    with pytest.raises(ValueError, match=f"^{name}={value}: "):
        MelPCEN(**given | {name: value})
