"""Training on crops: against plain PyTorch, after interruptions, and what chooses the weights."""

import copy
import csv
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from picture_logger import Pictures
from torch.nn.functional import cross_entropy
from whole_cases import RATE, job, tones, trained

from fewshot_audio.frontends import LogMel
from fewshot_audio.frontends.loudness import at_level
from fewshot_audio.frontends.mel import PowerMel
from fewshot_audio.training import whole
from fewshot_audio.training.crops import RandomCrops, window_starts
from fewshot_audio.training.prepare import prepare_on_crops, waveforms_of
from fewshot_audio.training.run import train
from fewshot_audio.training.score import score
from fewshot_audio.training.watch import Watch
from fewshot_audio.training.waveform_network import build_waveform_network, score_windows
from fewshot_audio.types import ConfigError


@pytest.fixture(scope="module")
def data():
    return tones()


def test_a_watched_training_has_the_same_weights(data, tmp_path):
    made = job(
        "method.max_epochs=2",
        "frontend/engine=exact",
        "frontend.filters.n_filters=16",
        model="Noisy",
        frontend="leaf",
    )
    plain = trained(made, data, tmp_path / "a.ckpt")
    logger = Pictures(tmp_path)
    (seen,) = train(made, data, None, [1], "cpu", 0, [tmp_path / "b.ckpt"], [Watch(logger)])
    assert plain.history == seen.history
    for name, weights in plain.run.network.state_dict().items():
        assert torch.equal(weights, seen.run.network.state_dict()[name])
    names = [(name, step) for name, step, _ in logger.pictures]
    assert names == [(name, step) for step in (0, 8) for name in ("spectrogram", "filters")]
    logger.save()
    rows = list(csv.DictReader((Path(logger.log_dir) / "metrics.csv").read_text().splitlines()))
    assert [row["step"] for row in rows if row["loss"]] == [str(step) for step in range(1, 9)]
    losses = [float(row["train loss"]) for row in rows if row["epoch"]]
    assert losses == pytest.approx(seen.history.history["train loss"][1:])
    accuracies = [float(row["valid accuracy"]) for row in rows if row["epoch"]]
    assert accuracies == pytest.approx(seen.history.history["valid accuracy"][1:])


def test_the_weights_are_those_of_plain_pytorch(data, tmp_path):
    made = job("method.keep_best=null", "optimizer.max_grad_norm=0.5", "method.level=peak")
    ours = trained(made, data, tmp_path / "a.ckpt").run.network
    run = prepare_on_crops(made, data, None, 1)
    dense = run.network.network.classifier.module.dense
    layer = LogMel(mel=PowerMel(RATE, 16, 128, 40, pad_mode="reflect"))
    optimizer = torch.optim.Adam(dense.parameters(), lr=0.03)
    train_clips = run.split.train
    lengths = np.array([len(data.features[clip.path]) for clip in train_clips])
    for epoch in range(4):
        for batch in RandomCrops(lengths, RATE, 4, 1, run.names, partial(int, epoch)):
            crops, labels = [], []
            for number, start in batch:
                samples = data.features[train_clips[number].path][start : start + RATE, 0]
                crops.append(np.pad(samples, (0, RATE - len(samples))) / np.abs(samples).max())
                labels.append(train_clips[number].label)
            frames = layer(torch.tensor(np.stack(crops))).mT
            loss = cross_entropy(dense(frames.mean(1) / 10), torch.tensor(labels))
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(dense.parameters(), 0.5)
            optimizer.step()
    found = ours.network.classifier.module.dense
    torch.testing.assert_close(found.weight, dense.weight, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(found.bias, dense.bias, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("momentum", [None, 0.25])
def test_statistics_of_batch_norm_are_averages_with_its_momentum(data, tmp_path, momentum):
    words = [] if momentum is None else [f"method.batch_norm_momentum={momentum}"]
    made = job("method.keep_best=null", *words, model="Normed")
    ours = trained(made, data, tmp_path / "a.ckpt").run
    layer = LogMel(mel=PowerMel(RATE, 16, 128, 40, pad_mode="reflect"))
    clips, weight, mean = ours.split.train, momentum or 0.01, torch.zeros(16)
    lengths = np.array([len(data.features[clip.path]) for clip in clips])
    for epoch in range(4):
        for batch in RandomCrops(lengths, RATE, 4, 1, ours.names, partial(int, epoch)):
            crops = [data.features[clips[one].path][at : at + RATE, 0] for one, at in batch]
            padded = torch.tensor(np.stack([np.pad(x, (0, RATE - len(x))) for x in crops]))
            mean = (1 - weight) * mean + weight * layer(padded).mean((0, 2))
    found = ours.network.network.classifier.module.norm.running_mean
    torch.testing.assert_close(found, mean, atol=1e-4, rtol=1e-4)


def test_a_clip_is_scored_by_the_mean_logits_of_its_windows(data):
    made = job("method.window_hop=0.4", "method.level=loudness")
    network = build_waveform_network(made, data.dataset.classes, seed=5).eval()
    clips = [clip.path for clip in data.dataset.clips]
    found = score_windows(network, data.features.of(clips))
    for clip, scores in zip(clips, found, strict=True):
        samples = data.features[clip][:, 0]
        windows = []
        for start in window_starts(len(samples), RATE, 800):
            window = samples[start : start + RATE]
            windows.append(np.pad(window, (0, RATE - len(window))))
        with torch.no_grad():
            logits = network(torch.tensor(np.stack(windows)))
        torch.testing.assert_close(scores, logits.mean(0).softmax(0), atol=1e-5, rtol=1e-4)


def test_levels():
    crops = torch.randn(3, 1000) * torch.tensor([[0.001], [0.5], [0.0]])
    levelled = partial(at_level, crops)
    assert levelled("none") is crops
    torch.testing.assert_close(levelled(-20), 0.1 * crops)
    peak = levelled("peak")
    assert peak.abs().amax(1).tolist() == [1, 1, 0]
    loud = levelled("loudness")
    assert loud[0].std(correction=0) == pytest.approx(crops[0].std(correction=0) * 10**1.5)
    assert loud[1].std(correction=0) == pytest.approx(10**0.75, rel=1e-4)
    assert not loud[2].any()


class Killed(BaseException):
    """Stands for the end of a process."""


ALL = (
    "augmentation=[gain,time_shift,mixup]",
    "method.max_epochs=6",
    "method.accumulate=2",
    "optimizer.scheduler={_target_: torch.optim.lr_scheduler.StepLR, step_size: 2}",
)


@pytest.mark.parametrize(
    ("after", "frontend"),
    [
        (1, "log_learn"),
        pytest.param(1, "leaf", marks=pytest.mark.slow),
        pytest.param(3, "log_learn", marks=pytest.mark.slow),
        (3, "leaf"),
        (6, "log_learn"),
        pytest.param(6, "leaf", marks=pytest.mark.slow),
    ],
)
def test_a_run_that_goes_on_gives_the_same_numbers(data, tmp_path, monkeypatch, after, frontend):
    made = job(*ALL, model="Noisy", frontend=frontend)
    undisturbed = trained(made, data, tmp_path / "undisturbed.ckpt")
    monkeypatch.setattr(whole, "SAVING_SHARE", float("inf"))  # after each epoch
    save, saved = whole.CropTraining._save, []

    def save_and_die(training, last):
        save(training, last)
        saved.append(training)
        if len(saved) == after:
            raise Killed

    state = tmp_path / "state.ckpt"
    monkeypatch.setattr(whole.CropTraining, "_save", save_and_die)
    with pytest.raises(Killed):
        trained(made, data, state)
    again = trained(made, data, state)
    assert len(saved) == 6
    assert again.history == undisturbed.history
    expected = undisturbed.run.network.state_dict()
    for name, weight in again.run.network.state_dict().items():
        assert torch.equal(weight, expected[name]), name
    assert score(again, data)[0]["metrics"] == score(undisturbed, data)[0]["metrics"]


def test_the_best_epoch_is_kept_and_patience_ends_training(data, tmp_path):
    made = job("method.max_epochs=40", "method.patience=3", "optimizer.lr=0.005")
    one = trained(made, data, tmp_path / "a.ckpt")
    values = one.history.history["valid accuracy"][1:]
    best = values.index(max(values)) + 1
    assert one.history.epochs == best + 3
    reason = f"3 epochs without a better accuracy; weights of epoch {best} kept"
    assert one.history.stop_reason == reason
    shorter = trained(
        job(f"method.max_epochs={best}", "method.keep_best=null", "optimizer.lr=0.005"),
        data,
        tmp_path / "b.ckpt",
    )
    expected = shorter.run.network.state_dict()
    for name, weight in one.run.network.state_dict().items():
        assert torch.equal(weight, expected[name])
    assert shorter.history.updates == best * 4
    losses = one.history.history["train loss"]
    assert losses[0] is None
    assert losses[-1] < losses[1]
    assert best > 1


def test_accumulated_batches_make_one_update(data, tmp_path):
    together = trained(job("method.batch_size=8", "method.keep_best=null"), data, tmp_path / "a")
    words = "method.batch_size=4", "method.accumulate=2", "method.keep_best=null"
    apart = trained(job(*words), data, tmp_path / "b")
    assert together.history.updates == apart.history.updates == 8
    pairs = zip(together.run.network.parameters(), apart.run.network.parameters(), strict=True)
    for one, other in pairs:  # the last batch of an epoch is one short of eight
        torch.testing.assert_close(one, other, atol=0.02, rtol=0.05)


def test_mixed_precision_is_another_training_of_the_same_kind(data, tmp_path):
    whole_precision = trained(job(), data, tmp_path / "a")
    mixed = trained(job("method.precision=bf16-mixed"), data, tmp_path / "b")
    losses = [each.history.history["train loss"][1:] for each in (whole_precision, mixed)]
    assert losses[0] != losses[1]
    np.testing.assert_allclose(losses[0], losses[1], rtol=0.05)


@pytest.mark.slow
def test_two_processes_train_as_one_with_batches_of_both(data, tmp_path):
    words = "method.keep_best=null", "optimizer=sgd", "optimizer.lr=0.1"
    alone = trained(job(*words, "method.batch_size=15"), data, tmp_path / "a.ckpt")
    pair = job(*words, "method.batch_size=8", "method.devices=2")
    together = trained(pair, data, tmp_path / "b.ckpt")
    assert together.history.updates == alone.history.updates == 4
    pairs = zip(alone.run.network.parameters(), together.run.network.parameters(), strict=True)
    for one, other in pairs:  # one clip of fifteen is there twice
        torch.testing.assert_close(one, other, atol=0.02, rtol=0.1)


def test_impossible_settings():
    with pytest.raises(ConfigError, match="set method.keep_best"):
        build_waveform_network(job("method.keep_best=null", "method.patience=3"), "abc")


def test_targets_of_several_labels(data):
    fold = data.dataset.folds[0]
    several = replace(fold.train[0], labels=(0, 2))
    dataset = replace(
        data.dataset, folds=(replace(fold, train=(several, *fold.train[1:])),), multi_label=True
    )
    network = build_waveform_network(job(), "abc")
    made = waveforms_of(network, [several, fold.train[1]], replace(data, dataset=dataset))
    assert made.targets.tolist() == [[1, 0, 1], [0, 1, 0]]


def test_the_network_that_is_built_twice_is_the_same():
    first, second = (build_waveform_network(job(), "abc", seed=7) for _ in range(2))
    for one, other in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(one, other)
    assert copy.deepcopy(first).method == second.method
