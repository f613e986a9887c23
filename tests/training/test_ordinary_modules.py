"""Ordinary PyTorch modules as models: same command, same numbers, alone and stacked."""

import logging
import random
from dataclasses import replace

import numpy as np
import pytest
import torch
from stack_cases import assert_same, job, runs

from defaults import SGD
from fewshot_audio.runner import execute
from fewshot_audio.runner.store import Store
from fewshot_audio.training.loop import fit
from fewshot_audio.training.network import build_network
from fewshot_audio.training.stack_limits import why_not_stacked
from fewshot_audio.types import Component, ConfigError
from marks import slow_but

ALONE = {
    "WithDropout": "it draws random numbers while it trains",
    "WithNumpyNoise": "it draws random numbers while it trains",
    "Recurrent": "torch.func.vmap cannot run it",
    "tied": "it uses one weight in several places",
}
STACKED = ("WithNorms", "Pretrained", "OwnStart")


def with_model(base, name, **arguments):
    return replace(base, model=Component("model", name, f"third_party.{name}", arguments))


def small(name, *settings):
    return with_model(job("vgg", "log_learn", "method.max_epochs=2", *settings), name)


@pytest.mark.parametrize("name", slow_but("WithDropout", "WithNorms", of=[*ALONE, *STACKED]))
def test_the_same_run_twice_is_the_same_to_the_bit(name):
    states = []
    for seed in (1, 2):
        torch.manual_seed(seed)  # global generators play no part
        np.random.seed(seed)
        random.seed(seed)
        networks, methods = runs(small(name), 1, torch.float32)
        fit(networks, methods, SGD, "cpu")
        states.append(networks[0].state_dict())
    assert all(torch.equal(value, states[1][key]) for key, value in states[0].items())
    assert all(value.isfinite().all() for value in states[0].values())


def test_the_global_generators_are_left_as_they_were():
    def draw():
        return torch.rand(()).item(), np.random.rand(), random.random()

    def seed():
        torch.manual_seed(3)
        np.random.seed(3)
        random.seed(3)

    seed()
    expected = draw()
    seed()
    fit(*runs(small("WithNumpyNoise"), 1, torch.float32), SGD, "cpu")
    assert draw() == expected


@pytest.mark.parametrize("name", ALONE)
def test_what_a_stack_cannot_train_exactly(name):
    networks, methods = runs(small(name), 2, torch.float32)
    before = {key: value.clone() for key, value in networks[0].state_dict().items()}
    assert why_not_stacked(networks, 128, methods[0].data).startswith(ALONE[name])
    assert all(torch.equal(value, before[key]) for key, value in networks[0].state_dict().items())


@pytest.mark.parametrize("name", STACKED)
def test_what_a_stack_trains_like_single_runs(name):
    networks, methods = runs(small(name), 2, torch.float32)
    assert why_not_stacked(networks, 128, methods[0].data) is None
    together, methods = runs(small(name), 2)
    fit(together, methods, SGD, "cpu")
    apart, methods = runs(small(name), 2)
    for network, method, other in zip(apart, methods, together, strict=True):
        fit([network], [method], SGD, "cpu")
        assert_same(network, other, 1e-9)


@pytest.mark.parametrize("model", ["vgg", "sb_cnn", "timbre", "proto_original", "timm"])
def test_models_without_own_random_numbers_are_stacked(model):
    networks, methods = runs(job(model, "log_learn"), 2, torch.float32)
    assert why_not_stacked(networks, 128, methods[0].data) is None


@pytest.mark.parametrize("model", ["cnn14", pytest.param("conv_net", marks=pytest.mark.slow)])
def test_models_with_dropout_of_their_own_train_alone(model):
    networks, methods = runs(job(model, "log_learn"), 2, torch.float32)
    found = why_not_stacked(networks, 128, methods[0].data)
    assert found == "it draws random numbers while it trains"


def test_efficientnet_trains_as_a_stack():
    """Some of its batch norms see a mean that is zero but for rounding."""
    settings = ["model.architecture=efficientnet_b0"]
    networks, methods = runs(job("timm", "log_learn", *settings), 2, torch.float32)
    assert why_not_stacked(networks, 128, methods[0].data) is None


@pytest.mark.parametrize(("dropout", "reason"), [(0.5, "it draws random numbers"), (0.0, None)])
def test_a_frontend_of_whole_clips_is_tried_too(dropout, reason):
    frontend = Component("frontend", "dropped", "third_party.Dropped", {"p": dropout})
    networks, methods = runs(replace(job("vgg", "log_eps"), frontend=frontend), 2, torch.float32)
    found = why_not_stacked(networks, 128, methods[0].data)
    assert found is None if reason is None else found.startswith(reason)


def test_given_weights_are_kept_and_a_start_of_its_own_is_used():
    networks, methods = runs(small("Pretrained"), 1, torch.float32)
    fit(networks, methods, SGD, "cpu")
    encoder = networks[0].classifier.module.encoder
    assert torch.equal(encoder.bias, torch.ones(8))
    assert encoder.weight[0, 0] == -1
    assert networks[0].classifier.module.head.weight.any()
    one, other = (runs(small("OwnStart"), 1, torch.float32) for _ in range(2))
    for (network,), (method,) in (one, other):
        fit([network], [replace(method, max_epochs=1)], SGD, "cpu")
    assert one[0][0].classifier.module.head.weight.std() > 2


def test_every_frontend_sees_the_same_start_of_a_module():
    starts = [
        build_network(with_model(job("vgg", frontend), "WithNorms"), 3, seed=5).classifier
        for frontend in ("log_eps", "mel_pcen")
    ]
    for one, other in zip(*(each.parameters() for each in starts), strict=True):
        assert torch.equal(one, other)


def test_runs_that_must_train_alone_say_so_once(job, machine, caplog):
    """Asked for as a stack, they train one by one with the numbers that they have alone."""
    wanted = with_model(replace(job, repeats={1: 2, 2: 2}), "WithDropout")
    found = []
    for stack in (2, None):
        results = machine.results / str(stack)
        with caplog.at_level(logging.WARNING):
            execute.run(wanted, replace(machine, results=results, stack=stack))
        found.append(sorted(Store(results).records(), key=lambda record: record["key"]))
    assert [text for text in caplog.messages if "one by one" in text] == [
        "model=WithDropout frontend=log_eps: its runs train one by one, because it draws random "
        "numbers while it trains"
    ]
    for one, other in zip(*found, strict=True):
        assert one["stack_size"] == 1
        assert one["confusion_matrix"] == other["confusion_matrix"]
        assert one["metrics"] == other["metrics"]


def test_bands_frames_and_rate_are_settings(job, machine):
    mel = replace(job.mel, n_bands=40, sample_rate=8000, hop=160)
    wanted = replace(with_model(job, "WithNorms"), mel=mel, patch_frames=50, repeats={1: 1})
    assert execute.run(wanted, machine).failed == ()


def test_a_fixed_head_says_which_patches_it_does_not_take(job, machine):
    with pytest.raises(ConfigError, match="FixedHead does not take patches of 128 frames and 128"):
        execute.run(with_model(job, "FixedHead"), machine)


def test_an_embedding_is_not_trained_by_cross_entropy():
    (network,), (method,) = runs(small("WithNorms"), 1, torch.float32)
    network.classifier.embeds = True
    with pytest.raises(ConfigError, match="method=prototypical"):
        method.adapt(network)
