"""Fitting and scoring against plain loops."""

import math

import numpy as np
import pytest
import torch

from defaults import SGD, clipped
from fewshot_audio.frontends.log import LogFixed, LogLearn
from fewshot_audio.models.base import patchwise
from fewshot_audio.models.sb_cnn import SBCNN
from fewshot_audio.models.timbre import Timbre
from fewshot_audio.models.vgg import VGG
from fewshot_audio.training.batchnorm import PASSES, reestimate
from fewshot_audio.training.evaluate import clip_batches, score_clips
from fewshot_audio.training.loop import fit, training_set
from fewshot_audio.training.methods.base import Generators
from fewshot_audio.training.methods.supervised import Supervised
from fewshot_audio.training.network import Network, cut
from fewshot_audio.training.score import patch_statistics
from marks import slow_but

MODELS = {"timbre": lambda: Timbre(3), "vgg": lambda: VGG(3, width=4), "sb_cnn": lambda: SBCNN(3)}
every_model = pytest.mark.parametrize("name", slow_but("timbre", "vgg", of=MODELS))


def method(data=None, **changes):
    """Supervised training of a run with its own generators."""
    settings = {"max_epochs": 3, "batch_size": 4, "weight_decay": 0.001, "test_hop": 1}
    given = {"data": data, "generators": Generators.named("run")}
    return Supervised(**{**given, **settings, **changes})


@pytest.fixture
def data():
    """Six clips of three classes, of three lengths, one under a patch."""
    random = torch.Generator().manual_seed(0)
    maps = [
        torch.rand(frames, 128, generator=random) * (1 + label)
        for label in range(3)
        for frames in (40, 130, 173)[:2]
    ]
    return training_set(LogFixed(1, 1e-6, 10), maps, [0, 0, 1, 1, 2, 2])


def network(name, frontend=LogFixed):
    return Network(LogFixed(1, 1e-6, 10) if frontend is LogFixed else LogLearn(), MODELS[name]())


def weights(net):
    return {name: value.clone() for name, value in net.state_dict().items()}


@every_model
def test_a_fit_is_the_plain_loop(name, data):
    """Clipping included: the gradients of the first updates are longer than 0.1."""
    ours, plain = network(name), network(name)
    (history,) = fit([ours], [method(data)], clipped(0.1), "cpu")
    assert (history.epochs, history.updates, history.stop_reason) == (
        3,
        6,
        "3 epochs, the number set",
    )
    assert set(history.history) == {"epoch", "train loss"}
    settings = method(data)
    plain.classifier.initialise(settings.generators.init)
    plain.train()
    for _ in range(settings.max_epochs):
        for batch in settings.batches(plain.classifier.dropout_sizes):
            patches = torch.stack(
                [
                    data.inputs[0][c, :n].repeat(128 // n + 1, 1)[s : s + 128]
                    if n < 128
                    else data.inputs[0][c, s : s + 128]
                    for c, s, n in zip(
                        batch.clips.tolist(),
                        batch.starts.tolist(),
                        data.lengths[batch.clips].tolist(),
                        strict=True,
                    )
                ]
            )
            logits = plain(patches, batch.noise)
            kernels = [p for n, p in plain.classifier.named_parameters() if p.ndim > 1]
            loss = torch.nn.functional.cross_entropy(logits, data.labels[batch.clips])
            loss = loss + 0.001 * sum((kernel**2).sum() / 2 for kernel in kernels)
            gradients = torch.autograd.grad(loss, list(plain.parameters()))
            norm = math.sqrt(sum((g.double() ** 2).sum().item() for g in gradients))
            assert norm > 0.1
            with torch.no_grad():
                for parameter, gradient in zip(plain.parameters(), gradients, strict=True):
                    parameter -= 0.1 * gradient * min(1, 0.1 / norm)
    for key, value in weights(plain).items():
        torch.testing.assert_close(ours.state_dict()[key], value, atol=1e-5, rtol=1e-4, msg=key)


@every_model
def test_the_same_run_twice_is_the_same_to_the_bit(name, data):
    first, second = network(name), network(name)
    for net in (first, second):
        torch.rand(7)  # the global generator plays no part
        fit([net], [method(data)], SGD, "cpu")
    assert all(
        torch.equal(a, b)
        for a, b in zip(weights(first).values(), weights(second).values(), strict=True)
    )


def test_every_frontend_sees_the_same_start_patches_and_dropout(data):
    starts, batches = [], []
    for frontend in (LogFixed, LogLearn):
        net, settings = network("vgg", frontend), method(data)
        net.classifier.initialise(settings.generators.init)
        starts.append(weights(net.classifier))
        batches.append([list(settings.batches(net.classifier.dropout_sizes)) for _ in range(2)])
    assert all(
        torch.equal(a, b) for a, b in zip(starts[0].values(), starts[1].values(), strict=True)
    )
    for one, other in zip(batches[0][1], batches[1][1], strict=True):
        assert torch.equal(one.clips, other.clips)
        assert torch.equal(one.starts, other.starts)
        assert torch.equal(one.noise[0], other.noise[0])


def test_an_epoch_shows_each_clip_once_from_any_frame(data):
    """Any frame that leaves a patch may be the first."""
    settings = method(data)
    seen = {clip: set() for clip in range(6)}
    for _ in range(300):
        batches = list(settings.batches((5,)))
        assert sorted(torch.cat([batch.clips for batch in batches]).tolist()) == list(range(6))
        assert [len(batch.clips) for batch in batches] == [4, 2]
        assert [tuple(batch.noise[0].shape) for batch in batches] == [(4, 5), (2, 5)]
        for batch in batches:
            for clip, start in zip(batch.clips.tolist(), batch.starts.tolist(), strict=True):
                seen[clip].add(start)
    assert [seen[clip] for clip in range(6)] == [{0}, {0, 1, 2}] * 3


def test_a_short_map_is_repeated_from_its_start():
    maps = torch.arange(50.0)[None, :, None].expand(1, 50, 128)
    patch = cut(
        torch.nn.functional.pad(maps, (0, 0, 0, 99)),
        torch.tensor([50]),
        torch.tensor([0]),
        torch.tensor([0]),
        128,
    )
    np.testing.assert_array_equal(patch[0, :, 3], np.tile(np.arange(50.0), 3)[:128])


@every_model
def test_scores_are_the_mean_probabilities_of_all_patches(name):
    random = torch.Generator().manual_seed(3)
    net = network(name)
    net.classifier.initialise(random)
    net.eval()
    maps = [
        torch.rand(frames, 128, generator=random).numpy() for frames in (173, 20, 173, 128, 140, 20)
    ]
    expected = []
    for each in maps:
        whole = torch.from_numpy(
            np.tile(each, (128 // len(each) + 1, 1))[:128] if len(each) < 128 else each
        )[None]
        with torch.inference_mode():
            logits = (
                patchwise(net.classifier, net.frontend.compute(whole), 128, 1)[0].double().numpy()
            )
        odds = np.exp(logits)
        expected.append((odds / odds.sum(1, keepdims=True)).mean(0))
    np.testing.assert_allclose(
        score_clips(net, method(), None, clip_batches(net, maps)), expected, atol=1e-5
    )


def test_mean_probability_is_not_the_vote_nor_the_mean_logit():
    logits = torch.log(torch.tensor([[[0.5, 0.4, 0.1], [0.5, 0.4, 0.1], [0.001, 0.4, 0.599]]]))
    assert method().scorer({})(logits).mean(1).argmax(1).item() == 1


@every_model
def test_reestimated_statistics_are_means_over_batches(name, data):
    """The batches are those of some epochs."""
    net, settings = network(name), method(data)
    fit([net], [settings], SGD, "cpu")
    before = weights(net)
    twin = method(data)  # the generators after three epochs, as those of `settings` are now
    for _ in range(3):
        list(twin.batches(net.classifier.dropout_sizes))
    seen = []
    for _ in range(PASSES):
        for batch in twin.batches(net.classifier.dropout_sizes):
            inputs = net.frontend.compute(
                cut(data.inputs[0], data.lengths, batch.clips, batch.starts, 128)
            ).double()
            seen.append((inputs.mean().item(), inputs.var().item()))
    reestimate(net, settings, data)
    mean, variance = np.mean(seen, 0)
    assert net.classifier.input_norm.running_mean.item() == pytest.approx(mean, rel=1e-5)
    assert net.classifier.input_norm.running_var.item() == pytest.approx(variance, rel=1e-5)
    assert not net.training
    changed = {key for key, value in weights(net).items() if not torch.equal(value, before[key])}
    assert changed == {key for key in before if "running" in key or "num_batches" in key}
    assert {
        layer.momentum for layer in net.modules() if isinstance(layer, torch.nn.BatchNorm2d)
    } == {0.01}


def test_the_path_of_what_is_learned_has_both_ends(data):
    net = network("timbre", LogLearn)
    start = net.learned_scalars()
    path = fit([net], [method(data, max_epochs=60)], SGD, "cpu")[0].history
    assert len(path.pop("train loss")) == 25
    assert (path["epoch"][0], path["epoch"][-1], len(path["epoch"])) == (0, 60, 25)
    assert {name: values[0] for name, values in path.items() if name != "epoch"} == start
    assert {
        name: values[-1] for name, values in path.items() if name != "epoch"
    } == net.learned_scalars()
    assert start != net.learned_scalars()
    assert all(len(values) == 25 for values in path.values())
    other = network("timbre", LogLearn)
    fit([other], [method(data, max_epochs=path["epoch"][1])], SGD, "cpu")
    assert other.learned_scalars() == {
        name: values[1] for name, values in path.items() if name != "epoch"
    }


def test_the_share_below_the_floor_is_of_training_patches():
    random = torch.Generator().manual_seed(0)
    data = training_set(
        LogFixed(1, 1e-6, 10),
        [torch.rand(frames, 128, generator=random) for frames in (20, 128, 500)],
        [0, 1, 2],
    )
    data.inputs[0][2] *= 10
    net = Network(LogFixed(2, 0.5, "e"), Timbre(3))
    found = patch_statistics(net, method(data, batch_size=2), data)
    shares = [
        (data.inputs[0][0, :20].repeat(7, 1)[:128] < 0.25).float().mean(),
        (data.inputs[0][1, :128] < 0.25).float().mean(),
    ]
    assert found["below beta/alpha"] == pytest.approx((sum(shares).item() + 0.025) / 3, abs=0.003)
