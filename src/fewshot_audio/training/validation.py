"""Which epoch's weights are the best on the clips that validate."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any

import numpy as np
from torch import Tensor

from fewshot_audio.training.evaluate import dense_inputs, score_clips
from fewshot_audio.training.history import Progress
from fewshot_audio.training.methods.base import Method, TrainingSet
from fewshot_audio.training.metrics import ClipScores, higher_is_better
from fewshot_audio.training.network import Network
from fewshot_audio.types import Component


@dataclass(frozen=True)
class Validation:
    """The clips that validate, and the metric that chooses the best epoch."""

    rows: Sequence[np.ndarray]  # features of each clip
    targets: Tensor  # as ClipScores takes them
    metric: str
    metrics: Mapping[str, Component]  # all by name

    def after_epoch(
        self, progress: Progress, network: Network, method: Method, data: TrainingSet
    ) -> None:
        """Score the clips, note the metric, and keep the weights if they are the best so far."""
        scores = score_clips(network, method, data, dense_inputs(network, self.rows))
        network.train()
        component = self.metrics.get(self.metric)
        chosen = {} if component is None else {self.metric: component}
        value: Any = ClipScores(scores, self.targets).metrics(chosen)[self.metric]
        values = progress.validation.setdefault(f"valid {self.metric}", [])
        sign = 1 if higher_is_better(component, scores.shape[1]) else -1
        best = max((sign * each for each in values), default=-inf)
        values.append(value if isinstance(value, int | float) else -sign * inf)
        if progress.best is None or sign * values[-1] > best:
            weights = {name: each.clone() for name, each in network.state_dict().items()}
            progress.best = (progress.epochs, weights)
