"""How a training went."""

import math
from dataclasses import dataclass, field

import numpy as np
from torch import Tensor

from fewshot_audio.training.metrics import json_ready

HISTORY_POINTS = 25  # epochs of a history that holds learned scalars alone


@dataclass(frozen=True)
class TrainingHistory:
    """What is kept of a training.

    Args:
        epochs: Its length.
        updates: Updates of the weights.
        stop_reason: Why it ended, and whose epoch's weights were kept if not the last one's.
        history: "epoch", 0 being the start, with each learned scalar and validation metric;
            empty where there is none of these. A number that is not finite is None.
    """

    epochs: int
    updates: int
    stop_reason: str
    history: dict[str, list[float | None]]


@dataclass
class Progress:
    """How far one run of a stack is.

    Args:
        learned: The frontend's scalars at the start and after each epoch.
        updates: Updates so far.
        stop_reason: Why it ended, None while it goes on.
        validation: Metric on the clips that validate after each epoch, by its name.
        best: The epoch with the best validation and its weights.
    """

    learned: list[dict[str, float]]
    updates: int = 0
    stop_reason: str | None = None
    validation: dict[str, list[float]] = field(default_factory=dict)
    best: tuple[int, dict[str, Tensor]] | None = None

    @property
    def epochs(self) -> int:
        """Epochs so far."""
        return len(self.learned) - 1

    def history(self) -> TrainingHistory:
        """Return what is kept of it."""
        reason = self.stop_reason or f"{self.epochs} epochs, the number set"
        if self.best is not None:
            reason += f"; weights of epoch {self.best[0]} kept"
        series = {name: [each[name] for each in self.learned] for name in self.learned[0]}
        epochs = list(range(self.epochs + 1))
        if self.validation:
            series |= {name: [math.nan, *each] for name, each in self.validation.items()}
        else:
            epochs = thinned(self.epochs)
        kept = {name: [each[epoch] for epoch in epochs] for name, each in series.items()}
        history = json_ready({"epoch": epochs, **kept}) if kept else {}
        return TrainingHistory(self.epochs, self.updates, reason, history)


def thinned(last: int) -> list[int]:
    """Return a few evenly spaced epochs, 0 and the last among them."""
    return np.unique(np.linspace(0, last, HISTORY_POINTS).round().astype(int)).tolist()
