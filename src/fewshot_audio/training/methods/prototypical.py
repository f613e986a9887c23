"""Prototypical networks as in the study: distances to the mean embedding of a few fixed patches per class."""

from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate

import torch
from pydantic import NonNegativeInt, PositiveInt
from torch import Tensor
from torch.nn.functional import cross_entropy

from fewshot_audio.models.base import patch_starts
from fewshot_audio.training.evaluate import best
from fewshot_audio.training.methods.base import Batch, Method, TrainingSet
from fewshot_audio.training.network import Network, Patches

AT_ONCE = 32  # patches embedded together when the training clips are scored


@dataclass(frozen=True)
class Prototypical(Method):
    """Each class is the mean embedding of its support; a query's logits are minus its mean squared distances to them.

    The support, one patch of up to `support` clips per class, is drawn once and serves in training and test; every update has
    new queries, `queries` patches per class. After each epoch the training clips are scored; training ends once the number
    of epochs without a new best, counted over the whole run, exceeds `patience`. A clip's score is the mean of its patches'
    log-probabilities. Source: Snell, Swersky & Zemel, arXiv 1703.05175, as configured in Pons, Serrà & Serra, arXiv 1810.10274.
    """

    support: PositiveInt  # clips per class
    queries: PositiveInt  # patches per class
    train_hop: PositiveInt  # frames between the patches of a training clip
    patience: NonNegativeInt  # epochs
    own_frontend: bool  # supports pass through a frontend of their own
    accuracies: list[float] = field(
        default_factory=list, init=False
    )  # on the training clips, epoch by epoch

    def adapt(self, network: Network) -> None:
        if self.own_frontend:
            network.support_frontend = deepcopy(network.frontend)

    @cached_property
    def windows(self) -> tuple[Tensor, Tensor]:
        """Clip (patches,) and first frame (patches,) of every patch of the training clips."""
        starts = [
            torch.tensor(patch_starts(frames, self.train_hop))
            for frames in self.data.lengths.tolist()
        ]
        clips = [torch.full_like(each, clip) for clip, each in enumerate(starts)]
        return torch.cat(clips), torch.cat(starts)

    @cached_property
    def windows_of_classes(self) -> list[Tensor]:
        """The numbers of each class's patches."""
        labels = self.data.labels[self.windows[0]]
        return [
            (labels == label).nonzero()[:, 0] for label in range(int(self.data.labels.max()) + 1)
        ]

    @cached_property
    def support_windows(self) -> Tensor:
        """The numbers of the support's patches (classes, up to `support`)."""
        random, clip_of = self.generators.support, self.windows[0]
        chosen = []
        for windows in self.windows_of_classes:
            clips = clip_of[windows].unique()
            for clip in clips[torch.randperm(len(clips), generator=random)][: self.support]:
                of_clip = windows[clip_of[windows] == clip]
                chosen.append(of_clip[torch.randint(len(of_clip), (1,), generator=random)])
        return torch.cat(chosen).unflatten(0, (len(self.windows_of_classes), -1))

    @property
    def supports(self) -> int:
        return self.support_windows.numel()

    def batches(self, dropout_sizes: tuple[int, ...]) -> Iterator[Batch]:
        per_update = sum(min(self.queries, len(windows)) for windows in self.windows_of_classes)
        for _ in range(len(self.windows[0]) // per_update):
            order = [
                windows[
                    torch.randperm(len(windows), generator=self.generators.patches)[: self.queries]
                ]
                for windows in self.windows_of_classes
            ]
            windows = torch.cat([self.support_windows.flatten(), *order])
            noise = tuple(
                torch.rand(len(windows), size, generator=self.generators.dropout)
                for size in dropout_sizes
            )
            yield Batch(self.windows[0][windows], self.windows[1][windows], noise)

    def loss(
        self, network: Network, patches: Patches | Tensor, labels: Tensor, noise: tuple[Tensor, ...]
    ) -> Tensor:
        """The batch holds the support, then the queries; each has batch statistics of its own, as in the original."""
        support = network(
            patches[: self.supports], tuple(each[: self.supports] for each in noise), support=True
        )
        queries = network(patches[self.supports :], tuple(each[self.supports :] for each in noise))
        return cross_entropy(
            -distances(queries, prototypes(support, len(self.support_windows))),
            labels[self.supports :],
        )

    def stop_reason(self, network: Network, data: TrainingSet) -> str | None:
        self.accuracies.append(self._training_accuracy(network, data))
        bests = len(set(accumulate(self.accuracies, max)))
        without = len(self.accuracies) - bests
        return f"{without} epochs without a new best" if without > self.patience else None

    def scorer(self, network: Network, data: TrainingSet) -> Callable[[Tensor], Tensor]:
        with torch.inference_mode():
            support = network(self._patches(data, self.support_windows.flatten()), support=True)
            centres = prototypes(support, len(self.support_windows))
        return lambda embeddings: (-distances(embeddings, centres)).log_softmax(-1)

    def _training_accuracy(self, network: Network, data: TrainingSet) -> float:
        """The share of training clips answered correctly; the network is in training mode again afterwards."""
        network.eval()
        scorer = self.scorer(network, data)
        with torch.inference_mode():
            chunks = torch.arange(len(self.windows[0])).split(AT_ONCE)
            scores = torch.cat(
                [scorer(network(self._patches(data, chunk))).cpu() for chunk in chunks]
            )
        network.train()
        clips = scores.new_zeros(len(self.data.labels), scores.shape[1]).index_add(
            0, self.windows[0], scores
        )
        counts = torch.bincount(self.windows[0])
        return (best(clips / counts[:, None]) == self.data.labels).double().mean().item()

    def _patches(self, data: TrainingSet, windows: Tensor) -> Patches:
        """The patches of these numbers, of the training set wherever it is."""
        return data.patches(
            Batch(self.windows[0][windows], self.windows[1][windows], ()).to(data.labels.device)
        )


def prototypes(embeddings: Tensor, classes: int) -> Tensor:
    """A support's embeddings (classes * clips, size), class by class, to their means (classes, size)."""
    return embeddings.unflatten(0, (classes, -1)).mean(1)


def distances(embeddings: Tensor, centres: Tensor) -> Tensor:
    """Embeddings (..., size) and prototypes (classes, size) to mean squared differences (..., classes)."""
    return (embeddings[..., None, :] - centres).square().mean(-1)
