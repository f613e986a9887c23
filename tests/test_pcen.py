"""Smoothing over frames and PCEN against loops and finite differences."""

import pytest
import torch

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
    x = torch.rand(3, frames, 6, generator=random, dtype=torch.float64) * 10.0 ** torch.arange(
        -6.0, 0
    )
    weight = torch.tensor([0, 1e-3, 0.04, 0.5, 0.999, 1], dtype=torch.float64)
    torch.testing.assert_close(smoothed_over_frames(x, weight), loop(x, weight), atol=0, rtol=1e-12)
    single = smoothed_over_frames(x.float(), weight.float())
    torch.testing.assert_close(single, loop(x, weight).float(), atol=0, rtol=2e-5)


def test_smoothing_and_pcen_have_the_gradients_of_finite_differences():
    random = torch.Generator().manual_seed(0)
    x = torch.rand(2, 11, 3, generator=random, dtype=torch.float64, requires_grad=True)
    weight = torch.tensor([0.04, 0.3, 0.9], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(smoothed_over_frames, (x, weight))
    pcen = PCEN(
        *(
            torch.rand(3, generator=random, dtype=torch.float64) + shift
            for shift in (-0.2, 1, 1.2, 0)
        ),
        1e-12,
    )
    assert torch.autograd.gradcheck(pcen, x)


def test_smoothing_weights_at_their_bounds_have_finite_gradients():
    weight = torch.tensor([0.0, 1.0], requires_grad=True)
    smoothed_over_frames(torch.rand(1, 50, 2), weight).sum().backward()
    assert weight.grad.isfinite().all()


@pytest.mark.parametrize("frames", [1, 3, 2000])
def test_pcen_is_finite_on_silence_and_on_full_scale_within_its_bounds_and_beyond(frames):
    random = torch.Generator().manual_seed(frames)
    for _ in range(20):
        ranges = (
            (-2, 2),
            (-1, 5),
            (0.5, 6),
            (-0.2, 1.2),
        )  # of alpha, delta, root, smoothing weight
        pcen = PCEN(
            *(low + (high - low) * torch.rand(5, generator=random) for low, high in ranges), 1e-12
        )
        for energies in (
            torch.zeros(1, frames, 5),
            torch.full((1, frames, 5), 600.0),
            torch.rand(1, frames, 5, generator=random),
        ):
            found = pcen(energies.clamp(min=1e-5))
            found.sum().backward()
            assert found.isfinite().all()
            assert all(parameter.grad.isfinite().all() for parameter in pcen.parameters())
