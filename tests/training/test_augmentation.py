"""SpecAugment between frontend and classifier, against torchaudio's functions."""

import torch
from stack_cases import runs
from torchaudio.functional import mask_along_axis_iid

from defaults import SGD
from fewshot_audio import compose, config
from fewshot_audio.training.loop import fit
from fewshot_audio.training.network import build_network

WORDS = ["dataset=synthetic", "model=timbre", "frontend=log_learn", "method.max_epochs=2"]


class Unchanged(torch.nn.Module):
    """Gives its patches back."""

    def forward(self, patches, noise=()):
        return patches


def job(*words):
    return config.job(compose.composed([*WORDS, *words]))


def test_training_patches_are_masked_and_others_are_not():
    network = build_network(job("augmentation=spec_augment"), 2)
    network.classifier = Unchanged()
    patches = torch.rand(5, 128, 128)
    spectrograms = network.frontend.compute(patches)
    torch.manual_seed(3)
    masked = network.train()(patches)
    torch.manual_seed(3)
    expected = spectrograms.mT
    for axis, size, count in ((2, 24, 2), (1, 16, 2)):
        for _ in range(count):
            expected = mask_along_axis_iid(expected, size, spectrograms.mean(), axis)
    torch.testing.assert_close(masked, expected.mT)
    assert 0.02 < (masked != spectrograms).float().mean() < 0.6
    assert torch.equal(network.eval()(patches), spectrograms)


def test_the_same_run_twice_is_the_same_and_not_that_without():
    weights = []
    for word in ("augmentation=spec_augment", "augmentation=spec_augment", "augmentation=none"):
        networks, methods = runs(job(word), 1, torch.float32)
        fit(networks, methods, SGD, "cpu")
        weights.append(torch.cat([each.detach().flatten() for each in networks[0].parameters()]))
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])
