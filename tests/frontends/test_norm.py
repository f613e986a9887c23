"""Batch norm within clips, against torch's."""

import torch

from fewshot_audio.frontends.norm import MaskedNorm, Moments


def parts():
    """Features of three clips of different lengths, in two parts, and what of them is inside."""
    random, positions = torch.Generator().manual_seed(0), torch.arange(9)
    features = torch.randn(3, 3, 9, generator=random, dtype=torch.float64).split(2)
    return features, [
        (positions < lengths).double()
        for lengths in torch.tensor([9, 4, 6])[:, None, None].split(2)
    ]


def test_statistics_are_of_what_is_inside_clips():
    norm, (features, insides) = MaskedNorm(3).double(), parts()
    scale, shift = norm(features, insides)
    own = torch.cat([features[0][0], features[0][1, :, :4], features[1][0, :, :6]], 1)
    mean, variance = own.mean(1), own.var(1, correction=0)
    torch.testing.assert_close(scale[:, 0], (variance + 1e-3) ** -0.5)
    torch.testing.assert_close(shift[:, 0], -mean * (variance + 1e-3) ** -0.5)
    torch.testing.assert_close(norm.running_mean, 0.01 * mean)
    torch.testing.assert_close(norm.running_var, 0.99 + 0.01 * own.var(1))


def test_gradients_of_moments_are_finite_differences():
    features, insides = parts()
    assert torch.autograd.gradcheck(
        lambda *each: Moments.apply(insides, torch.tensor(19.0), *each),
        [each.requires_grad_() for each in features],
    )
