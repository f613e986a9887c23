"""Prototypical networks: distances to the mean embedding of a few fixed patches per class."""

from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate
from math import inf

import torch
from pydantic import NonNegativeInt, PositiveInt
from torch import Tensor
from torch.nn.functional import cross_entropy

from fewshot_audio.models.base import patch_starts
from fewshot_audio.training.methods.base import Batch, Method, TrainingSet
from fewshot_audio.training.metrics import ClipScores
from fewshot_audio.training.network import Network, Patches
from fewshot_audio.types import ConfigError

CLIPS = 8  # training clips that are scored together after an epoch
BATCH = 8  # patches of theirs that pass together: what stays in a processor's cache


@dataclass(frozen=True, kw_only=True)
class Prototypical(Method):
    """A query's logits are minus its mean squared distances to the prototypes of the classes.

    A class's prototype is the mean embedding of its support: one patch of each of up to `support`
    clips, as many of every class, drawn once, the same in training and test. Training ends once the
    number of epochs without a new best accuracy on the training clips, counted over the whole run,
    exceeds `patience`; after each epoch these clips are scored as far as it takes to know that. A
    clip's score is the mean of its patches' log-probabilities. Source: Snell, Swersky & Zemel,
    arXiv 1703.05175, as configured in Pons, Serrà & Serra, arXiv 1810.10274.

    Args:
        support: Clips per class.
        queries: Patches per class, new in every update.
        train_hop: Frames between the patches of a training clip.
        patience: Epochs without a new best accuracy on the training clips.
        own_frontend: Whether the support passes through a frontend of its own.
    """

    support: PositiveInt
    queries: PositiveInt
    train_hop: PositiveInt
    patience: NonNegativeInt
    own_frontend: bool = False
    right: list[int] = field(default_factory=list, init=False)  # see `_right_answers`, by epoch

    def adapt(self, network: Network) -> None:
        if self.own_frontend:
            network.support_frontend = deepcopy(network.frontend)

    @cached_property
    def windows(self) -> tuple[Tensor, Tensor]:
        """Clip (patches,) and first frame (patches,) of every patch of the training clips."""
        clips, starts = [], []
        for clip, frames in enumerate(self.data.lengths.tolist()):
            starts.append(torch.tensor(patch_starts(frames, self.data.n_frames, self.train_hop)))
            clips.append(torch.full_like(starts[-1], clip))
        return torch.cat(clips), torch.cat(starts)

    @cached_property
    def windows_of_classes(self) -> list[Tensor]:
        """The numbers of each class's patches."""
        labels = self.data.labels[self.windows[0]]
        n_classes = int(self.data.labels.max()) + 1
        return [(labels == label).nonzero()[:, 0] for label in range(n_classes)]

    @cached_property
    def support_windows(self) -> Tensor:
        """The numbers of the support's patches (classes, up to `support`)."""
        random, clip_of = self.generators.support, self.windows[0]
        chosen = []
        clips_of = [clip_of[windows].unique() for windows in self.windows_of_classes]
        count = min(self.support, *map(len, clips_of))
        if count == 0:
            raise ConfigError("prototypical networks: a class has no clip that trains")
        for windows, clips in zip(self.windows_of_classes, clips_of, strict=True):
            for clip in clips[torch.randperm(len(clips), generator=random)][:count]:
                of_clip = windows[clip_of[windows] == clip]
                chosen.append(of_clip[torch.randint(len(of_clip), (1,), generator=random)])
        return torch.cat(chosen).unflatten(0, (len(self.windows_of_classes), -1))

    @cached_property
    def order(self) -> list[int]:
        """The training clips in the order in which they are scored after the next epoch."""
        return list(range(len(self.data.labels)))

    @property
    def supports(self) -> int:
        return self.support_windows.numel()

    @property
    def updates_per_epoch(self) -> int:
        per_update = sum(min(self.queries, len(windows)) for windows in self.windows_of_classes)
        return len(self.windows[0]) // per_update

    def batches(self, dropout_sizes: tuple[int, ...]) -> Iterator[Batch]:
        """Yield batches that hold the support, then new queries."""
        for _ in range(self.updates_per_epoch):
            chosen = [self.support_windows.flatten()]
            for windows in self.windows_of_classes:
                order = torch.randperm(len(windows), generator=self.generators.patches)
                chosen.append(windows[order[: self.queries]])
            numbers = torch.cat(chosen)
            noise = self.generators.noise(len(numbers), dropout_sizes)
            yield Batch(self.windows[0][numbers], self.windows[1][numbers], noise)

    def loss(
        self, network: Network, patches: Patches | Tensor, labels: Tensor, noise: tuple[Tensor, ...]
    ) -> Tensor:
        """Return the queries' mean cross-entropy.

        Support and queries have batch statistics of their own, as in the original.
        """
        count = self.supports
        support_noise = tuple(each[:count] for each in noise)
        query_noise = tuple(each[count:] for each in noise)
        support = network(patches[:count], support_noise, support=True)
        queries = network(patches[count:], query_noise)
        centres = prototypes(support, len(self.support_windows))
        return cross_entropy(-distances(queries, centres), labels[count:])

    def stop_reason(self, network: Network, data: TrainingSet) -> str | None:
        best = max(self.right, default=-1)
        known = best == len(self.data.labels) or self._cap_comes_first()
        self.right.append(best if known else self._right_answers(network, data, best))
        without = self._epochs_without_a_new_best()
        return f"{without} epochs without a new best" if without > self.patience else None

    def _epochs_without_a_new_best(self) -> int:
        return len(self.right) - len(set(accumulate(self.right, max)))

    def _cap_comes_first(self) -> bool:
        """Return whether training ends at `max_epochs` even if no further epoch is a new best."""
        left = inf if self.max_epochs is None else self.max_epochs - len(self.right)
        return self._epochs_without_a_new_best() + left <= self.patience

    @torch.inference_mode()
    def scoring_state(self, network: Network, data: TrainingSet) -> dict[str, Tensor]:
        """Return the prototypes (n_classes, size)."""
        support = network(self._patches(data, self.support_windows.flatten()), support=True)
        return {"prototypes": prototypes(support, len(self.support_windows))}

    def scorer(self, state: Mapping[str, Tensor]) -> Callable[[Tensor], Tensor]:
        centres = state["prototypes"]
        return lambda embeddings: (-distances(embeddings, centres)).log_softmax(-1)

    def logits(self, scores: Tensor) -> Tensor:
        return scores

    def probabilities(self, scores: Tensor) -> Tensor:
        return scores.softmax(-1)

    @torch.inference_mode()
    def _right_answers(self, network: Network, data: TrainingSet, best: int) -> int:
        """Return how many training clips are answered right if more than `best` are.

        If not, the result is at most `best`: scoring ends once enough are wrong, and begins with
        those that were wrong the last time. The network is left in training mode.
        """
        network.eval()
        labels, clip_of, support = self.data.labels, self.windows[0], self.support_windows.flatten()
        parts = [self._patches(data, part) for part in support.split(BATCH)]
        embedded = torch.cat([network(part, support=True) for part in parts])
        scorer = self.scorer({"prototypes": prototypes(embedded, len(self.support_windows))})
        sums = embedded.new_zeros(len(labels), len(self.support_windows), device="cpu")
        left = torch.ones(len(clip_of), dtype=torch.bool)
        if network.support_frontend is None:  # the support's patches need not pass again
            sums.index_add_(0, clip_of[support], scorer(embedded).cpu())
            left[support] = False
        wrong: set[int] = set()
        for clips in torch.tensor(self.order).split(CLIPS):
            for numbers in (left & torch.isin(clip_of, clips)).nonzero()[:, 0].split(BATCH):
                scores = scorer(network(self._patches(data, numbers)))
                sums.index_add_(0, clip_of[numbers], scores.cpu())
            scores = sums[clips] / clip_of.bincount()[clips, None]
            answers = ClipScores(scores, labels[clips]).answers
            wrong.update(clips[answers != labels[clips]].tolist())
            if len(labels) - len(wrong) <= best:
                break
        network.train()
        self.order.sort(key=lambda clip: clip not in wrong)
        return len(labels) - len(wrong)

    def _patches(self, data: TrainingSet, numbers: Tensor) -> Patches:
        """Return the patches with these numbers, of the training set wherever it is."""
        batch = Batch(self.windows[0][numbers], self.windows[1][numbers], ())
        return data.patches(batch.to(data.labels.device))


def prototypes(embeddings: Tensor, n_classes: int) -> Tensor:
    """Return the means (n_classes, size) of a support's embeddings (n_classes * clips, size)."""
    return embeddings.unflatten(0, (n_classes, -1)).mean(1)


def distances(embeddings: Tensor, centres: Tensor) -> Tensor:
    """Return mean squared differences (..., n_classes) to prototypes (n_classes, size)."""
    return (embeddings[..., None, :] - centres).square().mean(-1)
