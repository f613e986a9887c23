"""Several labels per clip, from labels to macro AUC."""

from dataclasses import replace

import pytest
import torch
from memory_data import job_data

from fewshot_audio import compose, config
from fewshot_audio.training.checks import check_job
from fewshot_audio.training.prepare import prepare_run, targets_of
from fewshot_audio.training.run import train
from fewshot_audio.training.score import score
from fewshot_audio.types import Component, ConfigError

LABELS = [(0,), (1, 2), (), (0, 1), (2,), (0, 1, 2), (1,), (0, 2)] * 2


def job(*settings):
    shapes = ["dataset=synthetic", "n_bands=40", "patch_frames=16", "method.max_epochs=12"]
    quick = [
        "frontend=log_10000",
        "protocol=full",
        "method=supervised",
        "method.keep_best=null",
        "repeats=2",
    ]
    made = config.job(compose.composed([*shapes, *quick, *settings]))
    return replace(made, model=Component("model", "norms", "third_party.WithNorms", {}))


MULTI = ("method=multilabel", "metrics=multilabel", "optimizer=adam", "optimizer.lr=0.02")


def test_targets_are_ones_at_the_labels():
    data = job_data([(0,), (1, 2), ()], multi_label=True)
    clips = data.dataset.fold(1).train
    assert targets_of(clips, data.dataset).tolist() == [[1, 0, 0], [0, 1, 1], [0, 0, 0]]


def test_it_learns_and_is_scored_by_auc():
    data = job_data(LABELS, multi_label=True)
    check_job(job(*MULTI), data.dataset)
    (trained,) = train(job(*MULTI), data, None, [1], "cpu")
    fields = score(trained, data)[0]
    assert fields["metrics"]["macro_auc"] > 0.9
    assert fields["metrics"]["d_prime"] > 1.5
    assert len(fields["metrics"]["auc"]) == 3
    assert fields["confusion_matrix"] == []
    assert fields["clips_per_class"] == [8, 8, 8]


def test_a_stack_learns_what_single_runs_learn():
    data = job_data(LABELS, multi_label=True)
    together = train(job(*MULTI), data, None, [1, 2], "cpu")
    assert [run.stack for run in together] == [2, 2]
    for run, other in zip(together, train(job(*MULTI), data, None, [2], "cpu") * 2, strict=True):
        pairs = zip(run.run.network.parameters(), other.run.network.parameters(), strict=True)
        close = all(torch.allclose(one, two, atol=1e-4) for one, two in pairs)
        assert close == (run is together[1])


def test_the_loss_is_the_binary_cross_entropy_of_each_class():
    data = job_data(LABELS, multi_label=True)
    run = prepare_run(job(*MULTI, "method.weight_decay=0"), data, None, 1)
    (batch,) = run.method.batches(())
    labels = run.method.data.labels[batch.clips]
    patches = run.method.data.patches(batch)
    odds = torch.sigmoid(run.network(patches).double())
    expected = -torch.where(labels == 1, odds, 1 - odds).log().mean()
    assert run.method.loss(run.network, patches, labels, ()).item() == pytest.approx(
        expected.item(), rel=1e-5
    )


def test_a_clips_score_is_the_mean_of_its_patches_probabilities():
    data = job_data(LABELS, multi_label=True)
    scorer = prepare_run(job(*MULTI), data, None, 1).method.scorer({})
    logits = torch.tensor([[[0.0, 9.0], [2.0, -9.0]]])
    assert torch.allclose(scorer(logits).mean(1), (1 / (1 + torch.exp(-logits))).mean(1))


@pytest.mark.parametrize("settings", [(), ("model=proto",)])
def test_other_methods_say_that_they_take_one_label(settings):
    with pytest.raises(ConfigError, match="noise has several labels per clip; choose method=multi"):
        check_job(job(*settings), job_data(LABELS, multi_label=True).dataset)


def test_one_label_per_clip_is_for_other_methods():
    with pytest.raises(ConfigError, match="noise has one label per clip; choose method=supervised"):
        check_job(job(*MULTI), job_data([(0,), (1,), (2,)]).dataset)


def test_metrics_of_one_label_are_not_for_several():
    """Nor is it allowed the other way round."""
    several, one = job_data(LABELS, multi_label=True), job_data([(0,), (1,), (2,)])
    with pytest.raises(ConfigError, match="MulticlassAccuracy is .*; choose metrics=multilabel$"):
        check_job(job("method=multilabel"), several.dataset)
    with pytest.raises(ConfigError, match="macro_auc: MultilabelAUROC .* metrics=multiclass$"):
        check_job(job("metrics=multilabel"), one.dataset)
    check_job(job(), one.dataset)


def test_the_best_epoch_of_all_clips_is_chosen_by_macro_auc():
    settings = ["method=crops_multilabel", "metrics=multilabel", "protocol=full"]
    full = config.job(compose.composed(["dataset=synthetic", *settings]))
    assert full.method.arguments["keep_best"] == "macro_auc"
    wanted = replace(job(*MULTI), method=full.method)
    check_job(wanted, job_data(LABELS, multi_label=True).dataset)
