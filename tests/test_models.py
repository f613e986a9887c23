"""The classifiers: sizes, starts, and their sweeps against patch by patch."""

from dataclasses import replace

import pytest
import torch

from fewshot_audio import config
from fewshot_audio.components import build
from fewshot_audio.models.base import FRAMES, Classifier, dropout, patch_starts, patchwise

PARAMETERS = {  # for 10 and 15 classes
    "sb_cnn": (241_436, 241_761),
    "vgg": (42_764, 45_329),
    "timbre": (7_572, 11_357),
    "proto": (613_388, 613_388),  # the original's without the 254 of the input norm over frames
    "proto_original": (613_642, 613_642),
}
NAMES = sorted(file.stem for file in (config.CONF / "model").glob("*.yaml"))


def model(name, classes=10, **changes) -> Classifier:
    component = config.job(config.composed([f"model={name}", "dataset=synthetic"])).model
    return build(replace(component, arguments={**component.arguments, **changes}), classes=classes)


def small(name) -> dict[str, int]:
    """Settings that make a wide network quick."""
    return {"width": 8} if "proto" in name else {}


def started(name, **changes) -> Classifier:
    """A model with random weights, and batch norms as if it had been trained, some of them with negative scales."""
    random = torch.Generator().manual_seed(1)
    network = model(name, **changes)
    network.initialise(random)
    with torch.no_grad():
        for layer in network.modules():
            if isinstance(layer, torch.nn.BatchNorm2d):
                layer.running_mean.normal_(generator=random)
                layer.running_var.uniform_(0.5, 2, generator=random)
                layer.weight.uniform_(-1, 1, generator=random)
                layer.bias.normal_(generator=random)
    return network


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("classes", [10, 15])
def test_parameters_are_counted_as_published(name, classes):
    assert (
        sum(p.numel() for p in model(name, classes).parameters()) == PARAMETERS[name][classes == 15]
    )


def test_sb_cnn_without_input_norm_has_two_parameters_fewer():
    assert sum(p.numel() for p in model("sb_cnn", input_norm=False).parameters()) == 241_434


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("hop", [1, 7, 42])
@pytest.mark.parametrize("frames", [128, 129, 173])
def test_a_sweep_equals_patch_by_patch(name, hop, frames):
    network = started(name, **small(name)).eval()
    maps = torch.randn(2, frames, 128, generator=torch.Generator().manual_seed(2))
    with torch.inference_mode():
        swept, plain = network.forward_dense(maps, hop), patchwise(network, maps, hop)
        single = network(maps[1:, -FRAMES - (frames - FRAMES) % hop :][:, :FRAMES])
    assert swept.shape == (2, len(patch_starts(frames, hop)), 10)
    torch.testing.assert_close(swept, plain, atol=1e-5 * plain.abs().max().item(), rtol=0)
    torch.testing.assert_close(swept[1, -1:], single, atol=1e-5 * plain.abs().max().item(), rtol=0)
    assert plain.std() > 1e-3  # patches and clips do differ


def test_four_and_ten_seconds_give_the_patches_of_the_study():
    assert [len(patch_starts(frames, 1)) for frames in (50, 128, 173, 431)] == [1, 1, 46, 304]


def test_timbre_has_the_gradients_of_the_whole_map():
    network = started("timbre").train()
    patches, labels = torch.randn(6, 128, 128), torch.arange(6)
    patches[0] = patches[0, :20].repeat(7, 1)[
        :128
    ]  # a clip repeated: the maximum is reached several times
    torch.nn.functional.cross_entropy(network(patches), labels).backward()
    ours = [parameter.grad.clone() for parameter in network.parameters()]
    network.zero_grad()
    responses = network.filters(network.input_norm(patches[:, None])).amax((2, 3))
    torch.nn.functional.cross_entropy(responses, labels).backward()
    for one, parameter in zip(ours, network.parameters(), strict=True):
        torch.testing.assert_close(one, parameter.grad, atol=1e-6, rtol=1e-4)


@pytest.mark.parametrize("name", NAMES)
def test_kernels_start_glorot_uniform_and_depend_on_the_generator_alone(name):
    one, other, third = (model(name, **small(name)) for _ in range(3))
    for network, seed in ((one, 1), (other, 1), (third, 2)):
        network.initialise(torch.Generator().manual_seed(seed))
    for a, b, c in zip(one.kernels(), other.kernels(), third.kernels(), strict=True):
        assert torch.equal(a, b)
        assert not torch.equal(a, c)
        area = a[0, 0].numel()
        bound = (6 / (area * (a.shape[0] + a.shape[1]))) ** 0.5
        assert 0.9 * bound < a.abs().max() <= bound
        assert abs(a.std().item() / (bound / 3**0.5) - 1) < 0.15
    assert all(
        layer.bias.abs().max() == 0 for layer in one.modules() if isinstance(layer, torch.nn.Conv2d)
    )


@pytest.mark.parametrize("name", NAMES)
def test_dropout_follows_its_noise_alone(name):
    network = started(name, **small(name)).eval()
    patches = torch.randn(3, 128, 128)
    noise = tuple(torch.rand(3, size) for size in network.dropout_sizes)
    assert torch.equal(network(patches, noise), network(patches, noise))
    assert torch.equal(network(patches, noise), network(patches)) == (
        name == "timbre"
    )  # which has no dropout


def test_dropout_zeroes_half_and_doubles_the_rest():
    noise = torch.tensor([[0.1, 0.49999, 0.5, 0.9]])
    assert torch.equal(dropout(torch.ones(1, 4), noise, 0.5), torch.tensor([[0.0, 0.0, 2.0, 2.0]]))
    assert torch.equal(dropout(torch.ones(1, 4), None, 0.5), torch.ones(1, 4))
