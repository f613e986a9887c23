"""Metrics against scikit-learn and closed forms."""

import math

import numpy as np
import pytest
import torch
from scipy.stats import norm
from sklearn import metrics as reference

from fewshot_audio import compose, config
from fewshot_audio.training.metrics import ClipScores, check_metrics, lower_is_better
from fewshot_audio.types import Component, ConfigError


def chosen(name):
    return config.job(compose.composed(["dataset=synthetic", f"metrics={name}"])).metrics


def random_scores(clips, n_classes):
    return torch.rand(clips, n_classes, generator=torch.Generator().manual_seed(clips))


def test_one_label_per_clip():
    scores = random_scores(60, 4)
    labels = torch.arange(60) % 3 + (torch.arange(60) % 7 == 0).long()
    clip_scores = ClipScores(scores, labels)
    metrics, answers = clip_scores.metrics(chosen("multiclass")), scores.argmax(1)
    assert metrics["accuracy"] == reference.accuracy_score(labels, answers)
    expected = reference.balanced_accuracy_score(labels, answers)
    assert metrics["balanced_accuracy"] == pytest.approx(expected, rel=1e-6)
    expected = reference.f1_score(labels, answers, average="macro")
    assert metrics["macro_f1"] == pytest.approx(expected, rel=1e-6)
    expected = reference.recall_score(labels, answers, average=None)
    assert metrics["recall"] == pytest.approx(expected.tolist(), rel=1e-6)
    assert clip_scores.confusion_matrix() == reference.confusion_matrix(labels, answers).tolist()


def test_a_metric_of_somebody_else():
    words = ["dataset=synthetic", "+metrics.doubted={_target_: third_party.Doubted, limit: 0.5}"]
    components = config.job(compose.composed(words)).metrics
    scores = torch.tensor([[0.9, 0.1], [0.4, 0.3], [0.2, 0.6], [0.49, 0.51]])
    found = ClipScores(scores, torch.tensor([0, 0, 1, 0])).metrics(components)
    assert (found["doubted"], found["accuracy"]) == (0.25, 0.75)
    assert lower_is_better(components, 2) == ["doubted"]


@pytest.mark.parametrize("clips", [50, 5000])
def test_several_labels_per_clip(clips):
    scores, random = random_scores(clips, 4), np.random.default_rng(0)
    targets = torch.from_numpy(random.random((clips, 4)) < [0.1, 0.5, 0.3, 0.6]).float()
    metrics = ClipScores(scores, targets).metrics(chosen("multilabel"))
    auc = reference.roc_auc_score(targets, scores, average="macro")
    assert metrics["macro_auc"] == pytest.approx(auc, abs=1e-6)
    assert metrics["d_prime"] == pytest.approx(math.sqrt(2) * norm.ppf(auc), abs=1e-6)
    expected = reference.average_precision_score(targets, scores, average="macro")
    assert metrics["map"] == pytest.approx(expected, abs=1e-6)
    expected = reference.roc_auc_score(targets, scores, average=None)
    assert metrics["auc"] == pytest.approx(expected.tolist(), abs=1e-6)
    assert "accuracy" not in metrics
    assert ClipScores(scores, targets).confusion_matrix() == []


def test_d_prime_of_normal_scores_is_the_distance_of_their_means():
    """Scores of both kinds of clip at the quantiles of normals one apart: d' is 1."""
    uniform = (torch.arange(2000, dtype=torch.float64) + 0.5) / 2000
    normal = torch.special.ndtri(uniform)
    scores = torch.cat([normal, normal + 1]).float()[:, None].repeat(1, 2)
    targets = torch.cat([torch.zeros(2000), torch.ones(2000)])[:, None].repeat(1, 2)
    metrics = ClipScores(torch.sigmoid(scores), targets).metrics(chosen("multilabel"))
    assert metrics["d_prime"] == pytest.approx(1, abs=2e-3)
    assert metrics["macro_auc"] == pytest.approx(0.5 * (1 + math.erf(0.5)), abs=1e-3)


def test_multilabel_metrics_of_four_clips_by_hand():
    """Scores in order 1 0 1 0: three of four pairs are right, precision is 1 and 2/3 at hits."""
    scores, targets = torch.tensor([[4.0], [3], [2], [1]]), torch.tensor([[1.0], [0], [1], [0]])
    metrics = ClipScores(torch.sigmoid(scores), targets).metrics(chosen("multilabel"))
    assert metrics["macro_auc"] == pytest.approx(3 / 4, abs=1e-6)
    assert metrics["map"] == pytest.approx((1 + 2 / 3) / 2, abs=1e-6)
    assert metrics["d_prime"] == pytest.approx(0.9538725524, abs=1e-6)  # sqrt(2) * 0.6744897502


def test_a_clip_without_a_finite_score_counts_as_wrong():
    scores = torch.tensor([[math.nan, 1.0, 2.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    clip_scores = ClipScores(scores, torch.tensor([0, 0, 1]))
    metrics = clip_scores.metrics(chosen("multiclass"))
    assert clip_scores.answers.tolist() == [-1, 0, 1]
    assert clip_scores.unscored_clips == 1
    assert metrics["accuracy"] == 2 / 3
    assert metrics["recall"][:2] == [0.5, 1.0]
    assert clip_scores.confusion_matrix() == [[1, 0, 0], [0, 1, 0], [0, 0, 0]]


def test_clips_without_finite_scores_are_right_in_no_metric():
    scores, targets = torch.full((5, 5), math.nan), torch.arange(5)
    kinds = "torchmetrics.classification.Multiclass"
    top = component(f"{kinds}Accuracy", top_k=4, average="micro")["m"]
    area = component(f"{kinds}AUROC")["m"]
    found = ClipScores(scores, targets).metrics({"top": top, "area": area})
    assert found == {"accuracy": 0, "top": 0, "area": 0}


def test_multilabel_clips_without_finite_scores_rank_worst():
    scores = torch.tensor([[0.9, 0.1], [0.1, 0.9], [math.nan, 0.5]])
    targets = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]])
    metrics = ClipScores(scores, targets).metrics(chosen("multilabel"))
    assert metrics["auc"] == [0.5, 0.5]


def test_classes_that_no_test_clip_or_every_one_has_are_left_out():
    scores = random_scores(20, 4)
    targets = torch.zeros(20, 4)
    targets[::2, 1], targets[:, 2], targets[::3, 3] = 1, 1, 1
    metrics = ClipScores(scores, targets).metrics(chosen("multilabel"))
    kept = [1, 3]
    expected = reference.roc_auc_score(targets[:, kept], scores[:, kept], average=None)
    assert [metrics["auc"][0], metrics["auc"][2]] == [None, None]
    assert [metrics["auc"][k] for k in kept] == pytest.approx(expected.tolist(), rel=1e-5)
    assert metrics["macro_auc"] == pytest.approx(expected.mean(), rel=1e-5)
    nothing = ClipScores(scores, torch.zeros(20, 4)).metrics(chosen("multilabel"))
    assert set(nothing.values()) == {None}


def test_accuracy_is_a_quotient_in_double_precision():
    scores = torch.eye(10)
    labels = torch.tensor([0, *[0] * 9])
    assert ClipScores(scores, labels).metrics({})["accuracy"] == 1 / 10


def component(target, **arguments):
    return {"m": Component("metrics.m", "m", target, arguments)}


@pytest.mark.parametrize(
    ("metrics", "keep_best", "text"),
    [
        ({}, "macro_f", "keep_best=macro_f: no metric"),
        (chosen("multiclass"), "recall", "gives one number"),
        (
            component("torchmetrics.classification.MulticlassAccuracy", average="x"),
            None,
            "metrics.m",
        ),
        (
            component("torchmetrics.classification.MulticlassConfusionMatrix"),
            None,
            r"values of shape \(5, 5\)",
        ),
        (component("torchmetrics.classification.MulticlassAccuracy", topk=2), None, "topk"),
        (component("third_party.Several"), None, "metrics.m: it gives a dict; expected a number"),
    ],
)
def test_metrics_that_cannot_be_are_said_before_training(metrics, keep_best, text):
    with pytest.raises(ConfigError, match=text):
        check_metrics(metrics, 5, keep_best, multi_label=False)


@pytest.mark.parametrize(
    ("name", "keep_best", "targets"),
    [("multiclass", "macro_f1", torch.arange(10) % 5), ("multilabel", "macro_auc", torch.eye(5))],
)
def test_the_metrics_of_the_configuration_pass_and_are_numbers(name, keep_best, targets):
    check_metrics(chosen(name), 5, keep_best, multi_label=targets.dim() == 2)
    check_metrics({}, 5, None if targets.dim() == 2 else "accuracy", multi_label=False)
    values = ClipScores(random_scores(len(targets), 5), targets).metrics(chosen(name))
    assert set(chosen(name)) <= values.keys()
    assert 0 <= values[keep_best] <= 1


def test_metrics_know_which_way_is_better():
    error = "torchmetrics.classification.MulticlassCalibrationError"
    components = {**chosen("multiclass"), "ece": Component("metrics.ece", "ece", error, {})}
    assert lower_is_better(components, 3) == ["ece"]
    assert lower_is_better(chosen("multilabel"), 3) == []
