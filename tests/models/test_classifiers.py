"""The classifiers: sizes, starts, and dense scoring against patch by patch."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from fewshot_audio import compose, config
from fewshot_audio.components import build
from fewshot_audio.models.base import Classifier, as_classifier, dropout, patch_starts, patchwise
from fewshot_audio.models.sb_cnn import SBCNN
from fewshot_audio.models.timbre import Timbre
from fewshot_audio.models.vgg import VGG
from fewshot_audio.types import ConfigError
from marks import slow_but

PARAMETERS = {  # for 10 and 15 classes
    "sb_cnn": (241_436, 241_761),
    "vgg": (42_764, 45_329),
    "timbre": (7_572, 11_357),
    "proto": (613_388, 613_388),  # the original's without the 254 of the input norm over frames
    "proto_original": (613_642, 613_642),
}


def model(name, n_classes=10, **changes) -> Classifier:
    component = config.job(compose.composed([f"model={name}", "dataset=synthetic"])).model
    arguments = {**component.arguments, **changes}
    return build(replace(component, arguments=arguments), nn.Module, n_classes=n_classes)


def small(name) -> dict[str, int]:
    """Settings that make a wide network quick."""
    return {"width": 8} if "proto" in name else {}


def trained(network):
    """Random weights, and batch norms as after training, some of them with negative scales."""
    random = torch.Generator().manual_seed(1)
    network.initialise(random)
    with torch.no_grad():
        for layer in network.modules():
            if isinstance(layer, nn.BatchNorm2d):
                layer.running_mean.normal_(generator=random)
                layer.running_var.uniform_(0.5, 2, generator=random)
                layer.weight.uniform_(-1, 1, generator=random)
                layer.bias.normal_(generator=random)
    return network


def count(module):
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize("name", slow_but("sb_cnn", "timbre", "vgg", of=PARAMETERS))
def test_parameter_counts(name):
    assert (count(model(name, 10)), count(model(name, 15))) == PARAMETERS[name]


def test_sb_cnn_without_input_norm():
    assert count(model("sb_cnn", input_norm=False)) == 241_434


def assert_dense(network, n_frames, n_bands, frames, hop):
    spectrograms = torch.randn(2, frames, n_bands, generator=torch.Generator().manual_seed(2))
    with torch.inference_mode():
        dense = network.eval().forward_dense(spectrograms, hop)
        plain = patchwise(network, spectrograms, n_frames, hop)
        start = patch_starts(frames, n_frames, hop)[-1]
        last = network(spectrograms[1:, start : start + n_frames])
    assert dense.shape == (2, len(patch_starts(frames, n_frames, hop)), 10)
    tolerance = 1e-5 * plain.abs().max().item()
    torch.testing.assert_close(dense, plain, atol=tolerance, rtol=0)
    torch.testing.assert_close(dense[1, -1:], last, atol=tolerance, rtol=0)
    assert plain.std() > 1e-3  # patches and clips do differ


@pytest.mark.parametrize("name", PARAMETERS)
@pytest.mark.parametrize(
    ("frames", "hop"),
    [
        pytest.param(128, 1, marks=pytest.mark.slow),
        pytest.param(173, 1, marks=pytest.mark.slow),
        (173, 7),
        pytest.param(173, 42, marks=pytest.mark.slow),
    ],
)
def test_dense_scoring(name, frames, hop):
    assert_dense(trained(model(name, **small(name))), 128, 128, frames, hop)


@pytest.mark.parametrize("kind", [VGG, SBCNN])
@pytest.mark.parametrize(("n_bands", "n_frames"), [(40, 128), (64, 100), (80, 160), (33, 131)])
def test_sizes_of_patches(kind, n_bands, n_frames):
    """Bands and frames are arguments; dense scoring stays exact."""
    network = trained(kind(10, n_bands=n_bands, n_frames=n_frames))
    assert_dense(network, n_frames, n_bands, n_frames + 9, 2)


def test_vgg_of_the_shortest_patches():
    assert_dense(trained(VGG(10, n_frames=96, width=4)), 96, 128, 100, 1)  # the last that share
    assert_dense(trained(VGG(10, n_bands=40, n_frames=64, norm_frames=True)), 64, 40, 70, 3)
    assert_dense(trained(VGG(10, n_bands=32, n_frames=32, width=4)), 32, 32, 40, 1)


def test_timbre_of_other_patches():
    assert_dense(trained(Timbre(10, n_bands=110, n_frames=50)), 50, 110, 61, 3)


@pytest.mark.parametrize(
    ("kind", "sizes", "numbers"),
    [
        (Timbre, {"n_bands": 64}, ("108 bands", "64 bands")),
        (Timbre, {"n_frames": 5}, ("7 frames", "5 frames")),
        (SBCNN, {"n_frames": 64}, ("100 frames", "64 frames")),
        (VGG, {"n_bands": 16}, ("32 bands", "16 bands")),
    ],
)
def test_patches_too_small_say_both_numbers(kind, sizes, numbers):
    with pytest.raises(ConfigError) as error:
        kind(10, **sizes)
    assert all(number in str(error.value) for number in numbers)


def test_clips_of_four_and_ten_seconds():
    assert [len(patch_starts(frames, 128, 1)) for frames in (50, 128, 173, 431)] == [1, 1, 46, 304]


def test_timbre_has_the_gradients_of_all_windows():
    network = trained(model("timbre")).train()
    patches, labels = torch.randn(6, 128, 128), torch.arange(6)
    patches[0] = patches[0, :20].repeat(7, 1)[:128]  # the maximum is reached several times
    torch.nn.functional.cross_entropy(network(patches), labels).backward()
    ours = [parameter.grad.clone() for parameter in network.parameters()]
    network.zero_grad()
    responses = network.filters(network.input_norm(patches[:, None])).amax((2, 3))
    torch.nn.functional.cross_entropy(responses, labels).backward()
    for one, parameter in zip(ours, network.parameters(), strict=True):
        torch.testing.assert_close(one, parameter.grad, atol=1e-6, rtol=1e-4)


@pytest.mark.parametrize("name", slow_but("sb_cnn", "timbre", of=PARAMETERS))
def test_glorot_uniform_start(name):
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
        layer.bias.abs().max() == 0 for layer in one.modules() if isinstance(layer, nn.Conv2d)
    )


@pytest.mark.parametrize("name", ["sb_cnn", "vgg", "timbre"])
def test_dropout_follows_its_noise(name):
    network = trained(model(name)).eval()
    patches = torch.randn(3, 128, 128)
    noise = tuple(torch.rand(3, size) for size in network.dropout_sizes)
    assert torch.equal(network(patches, noise), network(patches, noise))
    without_dropout = name == "timbre"
    assert torch.equal(network(patches, noise), network(patches)) == without_dropout


def test_dropout_zeroes_half_and_doubles_the_rest():
    noise = torch.tensor([[0.1, 0.49999, 0.5, 0.9]])
    assert torch.equal(dropout(torch.ones(1, 4), noise, 0.5), torch.tensor([[0.0, 0.0, 2.0, 2.0]]))
    assert torch.equal(dropout(torch.ones(1, 4), None, 0.5), torch.ones(1, 4))


class Pooled(nn.Module):
    """An ordinary module with an output head."""

    def __init__(self, n_classes, n_bands):
        super().__init__()
        self.head = nn.Linear(n_bands, n_classes, bias=False)

    def forward(self, patches):
        return self.head(patches.mean(1))


def test_an_ordinary_module_is_scored_patch_by_patch():
    """Its weights stay as they were."""
    module = Pooled(10, 40)
    before = module.head.weight.clone()
    network = as_classifier(module, 10, n_frames=20, n_bands=40)
    network.initialise(torch.Generator())
    assert torch.equal(module.head.weight, before)
    assert not network.embeds
    assert [id(each) for each in network.kernels()] == [id(module.head.weight)]
    spectrograms = torch.rand(2, 25, 40)
    expected = torch.stack([module(spectrograms[:, i : i + 20]) for i in (0, 2, 4)], 1)
    assert torch.allclose(network.forward_dense(spectrograms, 2), expected)


def test_outputs_of_another_size_are_an_embedding():
    assert as_classifier(Pooled(7, 40), 10, 20, 40).embeds


def test_a_fixed_head_says_which_patches_it_refuses():
    with pytest.raises(
        ConfigError, match=r"Pooled does not take patches of 20 frames and 64 bands"
    ):
        as_classifier(Pooled(10, 40), 10, 20, 64)
    with pytest.raises(ConfigError, match=r"gives \(2, 1, 40\) for 2 patches .* expected logits"):
        as_classifier(nn.AvgPool2d((20, 1)), 10, 20, 40)
