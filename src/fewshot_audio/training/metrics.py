"""Metrics of torchmetrics, computed from the scores and labels of clips."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from inspect import signature
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import one_hot
from torchmetrics import Metric
from torchmetrics.classification import MultilabelAUROC

from fewshot_audio.components import build_for, locate, near
from fewshot_audio.types import Component, ConfigError

ACCURACY = "accuracy"
Value = float | list[float | None] | None
Metrics = dict[str, Value]


@dataclass(frozen=True)
class ClipScores:
    """Scores of clips and what they should be."""

    scores: Tensor  # (clips, n_classes), the larger the likelier
    targets: Tensor  # (clips,), or for several labels per clip 0 and 1 (clips, n_classes)

    @property
    def multi_label(self) -> bool:
        """Whether clips have several labels."""
        return self.targets.dim() == 2

    @property
    def scored(self) -> Tensor:
        """Which clips (clips,) have finite scores; the others count as wrong."""
        return self.scores.isfinite().all(1)

    @property
    def unscored_clips(self) -> int:
        """How many clips have no finite score."""
        return int((~self.scored).sum())

    @property
    def answers(self) -> Tensor:
        """The class (clips,) with the largest score, -1 where a clip has no finite score."""
        return torch.where(self.scored, self.scores.argmax(1), -1)

    @property
    def accuracy(self) -> float:
        """The share of clips that are answered correctly, of clips with one label."""
        return int((self.answers == self.targets).sum()) / len(self.targets)

    def confusion_matrix(self) -> list[list[int]]:
        """Return counts by label, then answer, of scored clips; empty for several labels."""
        if self.multi_label:
            return []
        n_classes, scored = self.scores.shape[1], self.scored
        pairs = self.targets[scored] * n_classes + self.answers[scored]
        counts = torch.bincount(pairs, minlength=n_classes**2)
        return counts.reshape(n_classes, n_classes).tolist()

    def names_of(self, metric: str) -> list[str]:
        """Return the names under which `metrics` gives a metric."""
        return [metric]

    def metrics(self, components: Mapping[str, Component]) -> Metrics:
        """Return the metrics by name: a number, or a list with one for each class.

        For several labels per clip they are over the classes that some clips have and some have
        not; the others have None in a list.
        """
        n_classes = self.scores.shape[1]
        if self.multi_label:
            scores = torch.where(self.scored[:, None], self.scores, 1 - self.targets)
            targets, positives = self.targets.long(), self.targets.sum(0)
            usable = ((positives > 0) & (positives < len(targets))).nonzero()[:, 0]
            metrics: Metrics = {}
        else:
            wrong = 1 - one_hot(self.targets, n_classes).to(self.scores.dtype)
            scores = torch.where(self.scored[:, None], self.scores, wrong)
            targets, usable = self.targets, torch.arange(n_classes)
            metrics = {ACCURACY: self.accuracy}
        for name, component in components.items():
            if name not in metrics:
                metrics[name] = compute(name, component, scores, targets, usable)
        return metrics


def compute(
    name: str, component: Component, scores: Tensor, targets: Tensor, classes: Tensor
) -> Value:
    """Return one metric, a class of torchmetrics, over some of the classes.

    Scores are finite; for one label per clip classes are all numbers.

    Raises:
        ConfigError: The metric is neither a number nor one number per class.
    """
    if len(classes) == 0:
        return None
    if targets.dim() == 2 and len(classes) == 1:
        classes = classes.repeat(2)  # torchmetrics takes no single label; means stay as they are
    metric = make_metric(component, len(classes))
    metric.update(scores[:, classes], targets if targets.dim() == 1 else targets[:, classes])
    value = metric.compute()
    if not isinstance(value, Tensor):
        kind = type(value).__name__
        raise ConfigError(f"metrics.{name}: it gives a {kind}; expected a number, or one per class")
    if value.dim() == 0:
        return _number(value)
    if value.shape != classes.shape:
        raise ConfigError(
            f"metrics.{name}: values of shape {tuple(value.shape)}; expected one, or one per class"
        )
    numbers = dict(zip(classes.tolist(), map(_number, value), strict=True))
    return [numbers.get(number) for number in range(scores.shape[1])]


def make_metric(component: Component, n_classes: int) -> Metric:
    """Build a metric, with the number of classes under the name that its class has for it."""
    return build_for(component, Metric, num_classes=n_classes, num_labels=n_classes)


def check_labels_of(components: Mapping[str, Component], multi_label: bool) -> None:
    """Raise ConfigError for metrics of another number of labels than clips have.

    Those of one label take `num_classes`, those of several `num_labels`.
    """
    for name, component in components.items():
        takes = signature(locate(component.target, f"metrics.{name}")).parameters
        one, several = "num_classes" in takes, "num_labels" in takes
        kind = component.target.rpartition(".")[2]
        if multi_label and one and not several:
            labels, choice = "one label per clip, these have several", "multilabel"
        elif not multi_label and several and not one:
            labels, choice = "several labels per clip, these have one", "multiclass"
        else:
            continue
        raise ConfigError(f"metrics.{name}: {kind} is of {labels}; choose metrics={choice}")


def check_metrics(
    components: Mapping[str, Component], n_classes: int, keep_best: str | None, multi_label: bool
) -> None:
    """Try metrics on a few scores, and look for the one that chooses the best epoch.

    Raises:
        ConfigError: A metric is of clips with more or fewer labels, it cannot be computed, or none
            of that name gives one number.
    """
    check_labels_of(components, multi_label)
    scores = torch.eye(max(2, n_classes))
    targets = scores if multi_label else torch.arange(len(scores))
    values = ClipScores(scores, targets).metrics({})
    for name, component in components.items():
        try:
            values |= ClipScores(scores, targets).metrics({name: component})
        except (ValueError, RuntimeError) as error:
            raise ConfigError(f"metrics.{name}: {error}") from error
    names = [name for name, value in values.items() if not isinstance(value, list)]
    if keep_best is not None and keep_best not in names:
        raise ConfigError(
            f"method.keep_best={keep_best}: no metric of that name gives one number"
            f"{near(keep_best, names)}"
        )


def _number(value: Tensor) -> float | None:
    """Return a value with the seven digits that float32 has, None for one that is not finite."""
    number = float(f"{value.item():.7g}")
    return number if math.isfinite(number) else None


class MultilabelDPrime(MultilabelAUROC):
    """Sensitivity index d' = sqrt(2) * quantile of the normal distribution at the macro AUC.

    Source: Hershey et al., arXiv 1609.09430, who report it for AudioSet's predecessor.
    """

    def __init__(self, num_labels: int):
        super().__init__(num_labels, average="macro")

    def compute(self) -> Tensor:  # type: ignore[override]  # its base gives curves
        return math.sqrt(2) * torch.special.ndtri(super().compute())


def higher_is_better(component: Component | None, n_classes: int) -> bool:
    """Return whether larger values of a metric are better; accuracy's are."""
    if component is None:
        return True
    return make_metric(component, n_classes).higher_is_better is not False


def lower_is_better(components: Mapping[str, Component], n_classes: int) -> list[str]:
    """Return the names of the metrics of which small values are the good ones."""
    return [name for name, each in components.items() if not higher_is_better(each, n_classes)]


def json_ready(value: Any) -> Any:
    """Return a number, or numbers in dicts and lists, as JSON holds them: None if not finite."""
    if isinstance(value, dict):
        return {name: json_ready(each) for name, each in value.items()}
    if isinstance(value, list):
        return [json_ready(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
