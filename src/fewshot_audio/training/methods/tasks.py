"""Training on random crops of clips of several tasks, one head for each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import fmean
from typing import Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from fewshot_audio.datasets.tasks import tasks_of
from fewshot_audio.training.methods.crops import Crops
from fewshot_audio.training.metrics import ClipScores, Metrics, Value
from fewshot_audio.types import Component, ConfigError


@dataclass(frozen=True, kw_only=True)
class TaskCrops(Crops):
    """Cross-entropy among the classes of a clip's own task, which also is what it is scored by.

    A classifier that ends in a linear layer so has one linear head per task.

    Args:
        class_names: As "digits/zero", task by task.
        sampling: "even": an epoch holds as many crops of each task, in all as many as there are
            clips that train, times `crops_per_clip`: clips of small tasks come several times, of
            large ones some. "proportional": every clip as often.
    """

    class_names: tuple[str, ...]
    sampling: Literal["even", "proportional"] = "even"

    def __post_init__(self) -> None:
        super().__post_init__()
        try:
            _ = self.tasks
        except ConfigError as error:
            raise ConfigError(f"method=crops_tasks: {error}") from error

    @cached_property
    def tasks(self) -> dict[str, slice]:
        """The places of each task's classes among the logits."""
        return tasks_of(self.class_names)

    def cost(self, logits: Tensor, targets: Tensor) -> Tensor:
        places = self.tasks.values()
        sums = [cross_entropy(logits[:, own], targets[:, own], reduction="sum") for own in places]
        return torch.stack(sums).sum() / len(logits)

    def scores(self, logits: Tensor) -> Tensor:
        """Return the probabilities (..., n_classes), whose sum is 1 in each task."""
        return torch.cat([logits[..., own].softmax(-1) for own in self.tasks.values()], -1)

    def clip_scores(self, scores: Tensor, targets: Tensor) -> ClipScores:
        sizes = torch.tensor([own.stop - own.start for own in self.tasks.values()])
        task_of = torch.arange(len(sizes)).repeat_interleave(sizes)
        own = task_of == task_of[targets][:, None]
        return TaskScores(scores.where(own, 0.0), targets, self.tasks)

    def groups(self, targets: Tensor) -> Sequence[np.ndarray]:
        if self.balanced or self.sampling == "proportional":
            return super().groups(targets)
        of_tasks = (targets[:, own].any(1).nonzero()[:, 0].numpy() for own in self.tasks.values())
        return [clips for clips in of_tasks if len(clips)]


@dataclass(frozen=True)
class TaskScores(ClipScores):
    """Scores of clips of several tasks, 0 for the classes of others than the clip's own task."""

    tasks: Mapping[str, slice]  # the places of a task's classes

    def names_of(self, metric: str) -> list[str]:
        return [metric, *(f"{task} {metric}" for task in self.tasks)]

    def metrics(self, components: Mapping[str, Component]) -> Metrics:
        """Return the metrics of each task, as "digits accuracy", and as "accuracy" their mean.

        The numbers for each class are one list over the classes of all tasks. A task without clips
        has no metrics, and no part in the mean.
        """
        of_tasks = {task: self._of(place).metrics(components) for task, place in self._present()}
        metrics: Metrics = {}
        for name in next(iter(of_tasks.values())):
            values = {task: each[name] for task, each in of_tasks.items()}
            numbers = [each for each in values.values() if isinstance(each, float)]
            if any(isinstance(each, list) for each in values.values()):
                metrics[name] = self._every_class(values)
                continue
            metrics[name] = fmean(numbers) if len(numbers) == len(values) else None
            metrics |= {f"{task} {name}": each for task, each in values.items()}
        return metrics

    def _present(self) -> list[tuple[str, slice]]:
        return [(task, place) for task, place in self.tasks.items() if self._clips(place).any()]

    def _clips(self, place: slice) -> Tensor:
        return (self.targets >= place.start) & (self.targets < place.stop)

    def _of(self, place: slice) -> ClipScores:
        clips = self._clips(place)
        return ClipScores(self.scores[clips][:, place], self.targets[clips] - place.start)

    def _every_class(self, values: Mapping[str, Value]) -> list[float | None]:
        every: list[float | None] = []
        for task, place in self.tasks.items():
            own = values.get(task)
            every += own if isinstance(own, list) else [None] * (place.stop - place.start)
        return every
