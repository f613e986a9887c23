"""Models of other projects: parameters by independent counts, sizes, starts, training."""

import builtins

import pytest
import timm
import torch
from torch import nn

from fewshot_audio import compose, config
from fewshot_audio.models import timm_model
from fewshot_audio.models.base import as_classifier
from fewshot_audio.models.cnn14 import CNN14
from fewshot_audio.models.conv_net import FILTERS, ConvNet
from fewshot_audio.models.timm_model import Timm
from fewshot_audio.runner import execute
from fewshot_audio.runner.store import Store
from fewshot_audio.training.network import build_network
from fewshot_audio.types import ConfigError
from marks import slow_but

NAMES = {
    "timm": ["model.architecture=test_efficientnet"],
    "conv_net": ["model.filters=[4,6,8]"],
    "cnn14": ["model.width=2"],
}


def count(module):
    return sum(each.numel() for each in module.parameters())


def job(name, *settings):
    where = ["dataset=synthetic", f"model={name}", *NAMES[name]]
    return config.job(compose.composed([*where, *settings]))


def test_cnn14_has_the_published_number_of_parameters():
    """Kong et al., arXiv 1912.10211, table XII: 527 classes, 64 bands."""
    assert count(CNN14(527, n_bands=64, n_frames=64)) == 80_753_615


def test_conv_net_has_what_its_layers_add_up_to():
    before, expected = 1, 0
    for filters in FILTERS:
        convolutions = 3 * filters * (before + filters)
        expected += convolutions + 2 * filters + 2 * 2 * filters  # biases, batch norms
        before = filters
    assert count(ConvNet(10, n_bands=40, n_frames=98)) == expected + 512 * 10 + 10


def test_efficientnet_b0_has_its_number_of_parameters():
    """timm's 5,288,548 less the head of 1000 classes and two of three colours of 32 filters 3x3."""
    network = Timm(10, 40, 98, "efficientnet_b0")
    expected = 5_288_548 - 1281 * 1000 - 2 * 32 * 9
    assert count(network) - 1281 * 10 == expected
    assert round(expected / 1e6, 1) == 4.0


@pytest.mark.slow
def test_leaf_is_a_hundredth_of_a_percent_of_an_efficientnet(machine, synthetic_root):
    """In the record of a run: 7 parameters of each of 40 filters."""
    settings = ["frontend=leaf", "n_bands=40", "sample_rate=8000", "hop=80"]
    short = ["n_per_class=1", "repeats=1", "method.max_epochs=1", "method.test_hop=256"]
    data = [f"dataset.root={synthetic_root}", "dataset.groups=3", "dataset.clips_per_class=2"]
    wanted = job("timm", "model.architecture=efficientnet_b0", *data, *settings, *short)
    assert execute.run(wanted, machine).failed == ()
    (record,) = Store(machine.results).records()
    assert record["identity"]["model"]["name"] == "efficientnet_b0"
    assert record["frontend_parameters"] == 280
    share = 100 * record["frontend_parameters"] / record["parameters"]
    assert round(share, 3) == 0.007


@pytest.mark.parametrize("name", slow_but("timm", of=NAMES))
def test_the_start_depends_on_the_seed_alone(name):
    def start(seed, world):
        torch.manual_seed(world)
        classifier = build_network(job(name), 3, seed=seed).classifier
        classifier.initialise(torch.Generator().manual_seed(seed))
        return nn.utils.parameters_to_vector(classifier.parameters())

    assert torch.equal(start(1, world=1), start(1, world=2))
    assert not torch.equal(start(1, world=1), start(2, world=1))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("n_frames", "n_bands"),
    [
        (32, 40),
        pytest.param(98, 64, marks=pytest.mark.slow),
        pytest.param(128, 128, marks=pytest.mark.slow),
        pytest.param(61, 33, marks=pytest.mark.slow),
    ],
)
def test_any_number_of_frames_and_bands(name, n_frames, n_bands):
    wanted = job(name, f"n_bands={n_bands}", f"patch_frames={n_frames}")
    network = build_network(wanted, 5).classifier
    patches = torch.rand(2, n_frames + 8, n_bands)
    with torch.inference_mode():
        dense = network.eval().forward_dense(patches, 4)
        one = network(patches[:, 4 : 4 + n_frames])
    assert dense.shape == (2, 3, 5)
    torch.testing.assert_close(dense[:, 1], one, atol=1e-4, rtol=1e-4)


def test_conv_net_convolves_frames_first_and_takes_maxima():
    """The largest value of all counts, wherever it is."""
    network = ConvNet(3, n_bands=16, n_frames=16).eval()
    assert [
        tuple(each.kernel_size) for each in network.blocks if hasattr(each, "padding_mode")
    ] == [(3, 1), (1, 3)] * 6
    pools = [place for place, each in enumerate(network.blocks) if isinstance(each, nn.MaxPool2d)]
    convolutions = [
        place for place, each in enumerate(network.blocks) if isinstance(each, nn.Conv2d)
    ]
    assert [sum(at < pool for at in convolutions) // 2 for pool in pools] == [1, 2, 4, 6]
    silence, late = torch.zeros(1, 64, 16), torch.zeros(1, 64, 16)
    silence[0, 8:24], late[0, 40:56] = 1, 1  # whole steps of all pools apart, far from the edges
    torch.testing.assert_close(network(silence), network(late))


def test_cnn14_norms_each_band_by_itself():
    network = CNN14(3, n_bands=40, n_frames=32, width=2)
    patches = torch.rand(4, 32, 40)
    scaled = patches * torch.logspace(0, 2, 40)
    torch.testing.assert_close(
        network.input_norm(patches.mT), network.input_norm(scaled.mT), atol=1e-3, rtol=1e-3
    )


def test_a_transformer_has_the_size_of_the_patches():
    network = as_classifier(Timm(5, 64, 96, "vit_tiny_patch16_224"), 5, 96, 64)
    assert network.module.network.patch_embed.grid_size == (6, 4)  # frames, bands
    assert network(torch.rand(2, 96, 64)).shape == (2, 5)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"architecture": "efficientnet_b00"}, "timm has none such; did you mean efficientnet_b0"),
        ({"architecture": "?"}, r"timm has none such; timm.list_models\(\) has them"),
        (
            {"architecture": "test_resnet", "options": {"checkpoint_path": "weights.pth"}},
            "model.options.checkpoint_path: expected options of the network alone",
        ),
        (
            {"architecture": "test_resnet", "options": {"drop": 1}},
            "timm cannot make test_resnet .* unexpected keyword argument 'drop'",
        ),
    ],
)
def test_what_timm_does_not_know(arguments, text):
    with pytest.raises(ConfigError, match=text):
        Timm(5, 64, 64, **arguments)


def test_weights_that_cannot_be_loaded_say_what_to_do(monkeypatch):
    def unreachable(*_, **__):
        raise OSError("no network")

    monkeypatch.setattr(timm.models._builder, "load_state_dict_from_hf", unreachable)
    with pytest.raises(ConfigError, match="no network; its weights need the network once, or"):
        Timm(5, 64, 64, "test_resnet", pretrained=True)


def test_without_timm_the_error_says_how_to_install_it(monkeypatch):
    def without(name, *rest):
        if name == "timm":
            raise ImportError("No module named 'timm'")
        return imported(name, *rest)

    imported = builtins.__import__
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ConfigError, match=r"pip install 'fewshot-audio\[models\]'"):
        timm_model.Timm(5, 64, 64, "test_resnet")
