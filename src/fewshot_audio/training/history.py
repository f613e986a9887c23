"""How a training went, and which epoch's weights are the best on the clips that validate."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from fewshot_audio.frontends.diagnostics import five_digits
from fewshot_audio.training.clips import ClipBatches
from fewshot_audio.training.evaluate import dense_inputs, score_clips
from fewshot_audio.training.methods.base import Method, TrainingSet
from fewshot_audio.training.metrics import ClipScores, higher_is_better, json_ready
from fewshot_audio.training.network import Network
from fewshot_audio.types import Component

HISTORY_POINTS = 25  # epochs of a history without validation


@dataclass(frozen=True)
class TrainingHistory:
    """What is kept of a training.

    The history holds "epoch", 0 being the start, with "train loss", the mean over the epoch's
    updates, each learned scalar and each validation metric. A number that is not finite is None.
    """

    epochs: int
    updates: int
    stop_reason: str  # also whose epoch's weights were kept if not the last one's
    history: dict[str, list[float | None]]


@dataclass
class Progress:
    """How far one run of a stack is."""

    learned: list[dict[str, float]]  # the frontend's scalars at the start and after each epoch
    losses: list[float] = field(default_factory=list)  # means of each epoch
    updates: int = 0
    stop_reason: str | None = None  # None while it goes on
    validation: dict[str, list[float]] = field(default_factory=dict)  # a metric after each epoch
    best: tuple[int, dict[str, Tensor]] | None = None  # the epoch, and its weights

    @property
    def epochs(self) -> int:
        return len(self.learned) - 1

    def latest(self) -> dict[str, float]:
        """Return the learned scalars and the metrics of the last epoch."""
        metrics = {name: values[-1] for name, values in self.validation.items()}
        return {**self.learned[-1], **metrics}

    def note(
        self, metric: str, metrics: Mapping[str, Component], scores: ClipScores, network: nn.Module
    ) -> None:
        """Note a metric after an epoch, and keep the weights if it is the best so far.

        Args:
            metric: Its name.
            metrics: All metrics by name; accuracy need not be among them.
            scores: Of the clips that validate.
            network: The network after this epoch.
        """
        component = metrics.get(metric)
        chosen = {} if component is None else {metric: component}
        value: Any = scores.metrics(chosen)[metric]
        values = self.validation.setdefault(f"valid {metric}", [])
        sign = 1 if higher_is_better(component, scores.scores.shape[1]) else -1
        best = max((sign * each for each in values), default=-math.inf)
        values.append(value if isinstance(value, int | float) else -sign * math.inf)
        if self.best is None or sign * values[-1] > best:
            weights = {name: each.clone() for name, each in network.state_dict().items()}
            self.best = (self.epochs, weights)

    def history(self, max_epochs: int | None, updates_per_epoch: int) -> TrainingHistory:
        """Return how the training went, once it is sure that it was all there.

        Args:
            max_epochs: Those that are made unless there is a reason to stop.
            updates_per_epoch: What the method says.

        Raises:
            RuntimeError: Other epochs or updates were made.
        """
        expected = self.epochs if self.stop_reason else max_epochs
        updates = self.epochs * updates_per_epoch
        if self.epochs != expected or self.updates != updates or not self.updates:
            raise RuntimeError(
                f"expected {expected} epochs of {updates_per_epoch} updates, as the method says, "
                f"found {self.epochs} epochs and {self.updates} updates in all"
            )
        reason = self.stop_reason or f"{self.epochs} epochs, the number set"
        if self.best is not None:
            reason += f"; weights of epoch {self.best[0]} kept"
        series = {"train loss": [math.nan, *self.losses]} if self.losses else {}
        series |= {name: [each[name] for each in self.learned] for name in self.learned[0]}
        epochs = list(range(self.epochs + 1))
        if self.validation:
            series |= {name: [math.nan, *each] for name, each in self.validation.items()}
        else:
            points = np.linspace(0, self.epochs, HISTORY_POINTS).round().astype(int)
            epochs = np.unique(points).tolist()
        kept = {name: [each[epoch] for epoch in epochs] for name, each in series.items()}
        history = json_ready({"epoch": epochs, **kept}) if kept else {}
        return TrainingHistory(self.epochs, self.updates, reason, history)


class EpochLosses:
    """The mean loss of each run over the updates of an epoch.

    Sums stay on the device until they are asked for, so that training does not wait for them.
    """

    def __init__(self, runs: int):
        self.runs = runs
        self.sums: list[Tensor] = []  # of each epoch (runs,)
        self.counts: list[list[int]] = []

    def begin_epoch(self, device: torch.device) -> None:
        """Begin the next epoch."""
        self.sums.append(torch.zeros(self.runs, device=device))
        self.counts.append([0] * self.runs)

    def add(self, runs: Sequence[int], losses: Tensor) -> None:
        """Add the losses (runs,) of an update, of all runs or of some in order."""
        places = slice(None) if len(runs) == self.runs else list(runs)
        self.sums[-1][places] += losses.detach()
        for run in runs:
            self.counts[-1][run] += 1

    def last(self, run: int) -> float:
        """Return a run's mean of the last epoch."""
        return self.sums[-1][run].item() / self.counts[-1][run]

    def means(self, run: int, epochs: int) -> list[float]:
        """Return a run's means of its epochs, to five digits."""
        sums = [] if not epochs else torch.stack(self.sums[:epochs])[:, run].tolist()
        counts = [each[run] for each in self.counts[:epochs]]
        return [five_digits(total / n) for total, n in zip(sums, counts, strict=True)]


@dataclass(frozen=True)
class Validation:
    """The clips that validate, and the metric that chooses the best epoch."""

    clips: Callable[[Network], ClipBatches]  # where a network is
    targets: Tensor  # as ClipScores takes them
    metric: str
    metrics: Mapping[str, Component]  # all by name

    def after_epoch(
        self, progress: Progress, network: Network, method: Method, data: TrainingSet
    ) -> None:
        """Score the clips, note the metric, and keep the weights if they are the best so far."""
        scores = score_clips(network, method, data, dense_inputs(network, self.clips(network)))
        network.train()
        progress.note(self.metric, self.metrics, ClipScores(scores, self.targets), network)
