"""Prototypical training: a plain loop, scores by hand."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from prototypical_cases import CLIPS, method, network, training_clips
from torch.nn.functional import elu, max_pool2d

from defaults import SGD, clipped
from fewshot_audio import compose, config
from fewshot_audio.frontends.log import LogFixed, LogLearn
from fewshot_audio.models.base import patchwise
from fewshot_audio.runner import execute as work
from fewshot_audio.runner.store import Store
from fewshot_audio.training.evaluate import clip_batches, score_clips
from fewshot_audio.training.loop import fit, training_set
from fewshot_audio.training.methods.base import Generators
from fewshot_audio.types import ConfigError


@pytest.fixture
def data():
    return training_clips()


def test_the_support_is_fixed_patches_of_different_clips(data):
    for size, expected in ((2, 2), (5, 4)):  # four clips per class are there
        settings = method(data, support=size)
        batches = [batch for _ in range(3) for batch in settings.batches(())]
        supports = [
            list(zip(batch.clips.tolist(), batch.starts.tolist(), strict=True))[: 3 * expected]
            for batch in batches
        ]
        assert all(support == supports[0] for support in supports)
        clips = [clip for clip, _ in supports[0]]
        assert len(set(clips)) == 3 * expected
        assert [clip // 4 for clip in clips] == [
            label for label in range(3) for _ in range(expected)
        ]
        assert all(
            start % 42 == 0 and start + 128 <= max(128, CLIPS[clip][1])
            for clip, start in supports[0]
        )


def test_every_support_is_as_likely_as_any_other(data):
    """Two of four clips in 300 runs: each clip in half of them, within five standard deviations."""
    counts = np.zeros(12)
    for run in range(300):
        settings = replace(method(data), generators=Generators.named(run))
        counts[settings.windows[0][settings.support_windows.flatten()]] += 1
    assert np.abs(counts - 150).max() < 5 * (300 * 0.25) ** 0.5


def test_queries_are_different_patches_of_every_class(data):
    """They are new in each update."""
    settings = method(data)
    epochs = [list(settings.batches((3,))) for _ in range(50)]
    assert {len(epoch) for epoch in epochs} == {27 // 6}  # nine patches per class, two per update
    seen = set()
    for batch in (batch for epoch in epochs for batch in epoch):
        assert [tuple(each.shape) for each in batch.noise] == [(12, 3)]
        queries = list(zip(batch.clips.tolist(), batch.starts.tolist(), strict=True))[6:]
        assert [clip // 4 for clip, _ in queries] == [0, 0, 1, 1, 2, 2]
        assert len(set(queries)) == 6
        seen |= set(queries)
    assert len(seen) == 27


def test_fewer_patches_than_asked_for_are_all_taken():
    data = training_set(LogFixed(1, 1e-6, 10), [torch.rand(50, 128), torch.rand(173, 128)], [0, 1])
    (batch,) = method(data, queries=5).batches(())
    assert sorted(batch.clips.tolist()[2:]) == [0, 1, 1]


def test_every_class_has_as_much_support():
    rows = [torch.rand(50, 128) for _ in range(8)]
    data = training_set(LogFixed(1, 1e-6, 10), rows, [0, 0, 0, 1, 1, 1, 1, 1])
    support = data.labels[method(data, support=5).support_windows]
    assert support.tolist() == [[0, 0, 0], [1, 1, 1]]
    data = training_set(LogFixed(1, 1e-6, 10), rows, [0, 0, 0, 2, 2, 2, 2, 2])
    with pytest.raises(ConfigError, match="a class has no clip"):
        list(method(data, support=5).batches(()))


def embed(net, patches, noise):
    """The network in training mode, written out: batch statistics, dropout by its noise."""
    x = net.frontend.compute(patches)[:, None]

    def normalised(x, norm):
        mean, variance = (
            x.mean((0, 2, 3), keepdim=True),
            x.var((0, 2, 3), correction=0, keepdim=True),
        )
        return (x - mean) / (variance + 1e-3).sqrt() * norm.weight[:, None, None] + norm.bias[
            :, None, None
        ]

    x = normalised(x, net.classifier.input_norm)
    for block in net.classifier.blocks:
        x = torch.nn.functional.conv2d(x, block.conv.weight, block.conv.bias, padding=1)
        x = max_pool2d(normalised(elu(x), block.norm), 2)
    x = x.flatten(1) * (noise >= 0.5) * 2
    return x @ net.classifier.output.weight.T + net.classifier.output.bias


def test_a_fit_is_the_plain_loop(data):
    ours, plain = network(), network()
    (history,) = fit([ours], [method(data, max_epochs=1)], clipped(0.5), "cpu")
    found = history.epochs, history.updates, history.stop_reason
    assert found == (1, 4, "1 epochs, the number set")
    settings = method(data)
    plain.classifier.initialise(settings.generators.init)
    for batch in settings.batches(plain.classifier.dropout_sizes):
        patches = []
        for clip, start in zip(batch.clips.tolist(), batch.starts.tolist(), strict=True):
            whole = data.inputs[0][clip, : data.lengths[clip]]
            patches.append((whole.repeat(4, 1) if len(whole) < 128 else whole)[start : start + 128])
        patches, noise = torch.stack(patches), batch.noise[0]
        support, queries = (
            embed(plain, patches[:6], noise[:6]),
            embed(plain, patches[6:], noise[6:]),
        )
        centres = torch.stack([support[2 * label : 2 * label + 2].mean(0) for label in range(3)])
        distances = torch.stack([((query - centres) ** 2).mean(1) for query in queries])
        odds = torch.exp(-distances)
        loss = -torch.log(odds[range(6), [0, 0, 1, 1, 2, 2]] / odds.sum(1)).mean()
        gradients = torch.autograd.grad(loss, list(plain.parameters()))
        norm = math.sqrt(sum((g.double() ** 2).sum().item() for g in gradients))
        with torch.no_grad():
            for parameter, gradient in zip(plain.parameters(), gradients, strict=True):
                parameter -= 0.1 * gradient * min(1, 0.5 / norm)
    for (name, one), other in zip(ours.named_parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(
            one, other, atol=1e-4, rtol=1e-3, msg=lambda text, name=name: f"{name}: {text}"
        )


def by_hand(net, data, settings, maps):
    """Log-probabilities of clips (clips, classes): patch by patch, the mean over patches."""
    net.eval()
    support = settings.support_windows.flatten()
    clips, starts = (each[support].tolist() for each in settings.windows)
    found = []
    with torch.inference_mode():
        patches = [
            data.inputs[0][c, : data.lengths[c]].repeat(4, 1)[s : s + 128]
            for c, s in zip(clips, starts, strict=True)
        ]
        frontend = net.support_frontend or net.frontend
        centres = (
            net.classifier(frontend.compute(torch.stack(patches))).unflatten(0, (3, -1)).mean(1)
        )
        for each in maps:
            whole = torch.from_numpy(
                np.tile(each, (128 // len(each) + 1, 1))[:128] if len(each) < 128 else each
            )
            embedded = patchwise(net.classifier, net.frontend.compute(whole[None]), 128, 42)[0]
            scores = torch.exp(-((embedded[:, None] - centres) ** 2).mean(2))
            found.append((scores / scores.sum(1, keepdim=True)).log().mean(0))
    return torch.stack(found)


@pytest.mark.parametrize(
    ("frames", "own"),
    [
        pytest.param(False, False, marks=pytest.mark.slow),
        pytest.param(True, False, marks=pytest.mark.slow),
        (True, True),
    ],
)
def test_clips_are_scored_by_mean_log_probability(data, frames, own):
    """The mean is that over patches at hop 42."""
    net, settings = network(LogLearn(), frames), method(data, own_frontend=own)
    settings.adapt(net)
    fit([net], [settings], SGD, "cpu")
    if own:
        torch.nn.init.constant_(net.support_frontend.a, -2)
    random = np.random.default_rng(1)
    maps = [
        random.random((n, 128), dtype=np.float32) * scale
        for n in (30, 128, 173, 431)
        for scale in (1, 2, 3)
    ]
    expected = by_hand(net, data, settings, maps)
    scores = score_clips(net, settings, data, clip_batches(net, maps))
    torch.testing.assert_close(scores, expected, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("own", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_right_training_answers_are_those_of_the_patches(data, own):
    net, settings = network(LogLearn()), method(data, own_frontend=own)
    settings.adapt(net)
    fit([net], [settings], SGD, "cpu")
    if own:
        torch.nn.init.constant_(net.support_frontend.a, -2)
    maps = [data.inputs[0][clip, :frames].numpy() for clip, (_, frames) in enumerate(CLIPS)]
    right = (by_hand(net, data, settings, maps).argmax(1) == data.labels).sum().item()
    assert 0 < right < 12
    seen = []
    net.classifier.register_forward_hook(lambda _, given, __: seen.append(len(given[0])))
    for best in (*range(-1, 12), right):
        seen.clear()
        found = settings._right_answers(net.train(), data, best)
        assert net.training
        assert found == right if best < right else found <= best
    assert sum(seen) < 27  # patches: those of the support, then clips that were wrong before


@pytest.mark.slow
def test_supports_may_have_a_frontend_of_their_own(data):
    shared, own = network(LogLearn()), network(LogLearn())
    for net, settings in ((shared, method(data)), (own, method(data, own_frontend=True))):
        settings.adapt(net)
        (history,) = fit([net], [settings], SGD, "cpu")
        assert history.history["alpha"][0] == pytest.approx(1096.633, abs=1e-3)
    assert (
        sum(p.numel() for p in own.parameters()) == sum(p.numel() for p in shared.parameters()) + 2
    )
    learned = own.learned_scalars()
    assert len({learned["alpha"], learned["support alpha"], shared.learned_scalars()["alpha"]}) == 3
    patch = torch.rand(1, 128, 128)
    assert not torch.equal(own(patch), own(patch, support=True))
    assert torch.equal(shared.eval()(patch), shared(patch, support=True))


@pytest.mark.parametrize("model", [pytest.param("proto", marks=pytest.mark.slow), "proto_original"])
def test_a_job_trains_and_stores_it_like_any_other(synthetic_root, machine, model, tmp_path):
    """Twice, with the same numbers to the last bit."""
    data = ["dataset=synthetic", "dataset.groups=3", "dataset.clips_per_class=2"]
    data.append(f"dataset.root={synthetic_root}")
    quick = [f"model={model}", "model.width=2", "method.max_epochs=2", "sample_rate=16000"]
    quick += ["n_per_class=2", "repeats=1", "hop=512"]
    job = config.job(compose.composed([*data, *quick, "frontend=log_learn"]))
    assert work.run(job, machine).failed == ()
    (line,) = Store(machine.results).records()
    assert (line["epochs"], line["stop_reason"]) == (2, "2 epochs, the number set")
    assert line["updates"] >= 2
    assert ("support alpha" in line["learned"]) == (model == "proto_original")
    assert line["identity"]["method"].get("own_frontend", False) == (model == "proto_original")
    assert line["history"]["epoch"] == [0, 1, 2]
    assert line["clips_per_class"] == [2] * 5
    again = replace(machine, results=tmp_path / "again")
    work.run(job, again)
    (other,) = Store(again.results).records()
    same = ("key", "metrics", "confusion_matrix", "learned", "history", "patch_statistics")
    assert {name: line[name] for name in same} == {name: other[name] for name in same}
