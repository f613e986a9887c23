"""From patches to clips to an accuracy."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import torch
from torch import Tensor

from fewshot_audio.training.methods.base import Method, TrainingSet
from fewshot_audio.training.network import Network

FRAMES_AT_ONCE = {"cpu": 700}  # a few clips: what stays in a processor's cache
FRAMES_AT_ONCE_ELSEWHERE = 40_000
NO_ANSWER = -1


@dataclass(frozen=True)
class Score:
    """Answers for a test set: `confusion[label][answer]`; clips without a finite score have no answer and count as wrong."""

    correct: int
    clips: int
    unscored_clips: int
    confusion: tuple[tuple[int, ...], ...]

    @property
    def accuracy(self) -> float:
        """The share of clips answered correctly."""
        return self.correct / self.clips

    def metrics(self) -> dict[str, float]:
        """Return the metrics by name."""
        return {"accuracy": self.accuracy}


@torch.inference_mode()
def filtered(network: Network, rows: Sequence[np.ndarray]) -> Sequence[np.ndarray]:
    """A bank's rows of clips to what `score` takes: their maps where the frontend needs whole clips, else the rows."""
    if network.frontend.pointwise:
        return rows
    network.eval()
    maps: list[np.ndarray] = [np.empty(0)] * len(rows)
    for numbers, batch in _batches(rows, network.frontend.frames, network.device):
        for number, each in zip(numbers, network.ready(batch).cpu().numpy(), strict=True):
            maps[number] = each
    return maps


@torch.inference_mode()
def score(
    network: Network,
    method: Method,
    data: TrainingSet,
    maps: Sequence[np.ndarray],
    labels: Sequence[int],
    classes: int,
) -> Score:
    """Score what `filtered` gave of clips (frames, bands), of any lengths, by all their patches, where the network is.

    `data` is what the method trained on, on the network's device.
    """
    network.eval()
    scorer = method.scorer(network, data)
    answers = np.full(len(maps), NO_ANSWER)
    for numbers, batch in _batches(maps, int, network.device):
        with torch.autocast(network.device.type, torch.bfloat16, enabled=method.score_in_bfloat16):
            outputs = network.forward_dense(batch, method.test_hop)
        answers[numbers] = best(scorer(outputs.float()).mean(1)).cpu().numpy()
    return tally(np.asarray(labels), answers, classes)


def best(scores: Tensor) -> Tensor:
    """Clips' scores (clips, classes) to the class with the largest (clips,), -1 where one is not finite."""
    return torch.where(scores.isfinite().all(1), scores.argmax(1), NO_ANSWER)


def tally(truth: np.ndarray, answers: np.ndarray, classes: int) -> Score:
    """Labels and answers (clips,) to the score."""
    answered = answers != NO_ANSWER
    confusion = np.zeros((classes, classes), int)
    np.add.at(confusion, (truth[answered], answers[answered]), 1)
    table = tuple(tuple(row) for row in confusion.tolist())
    return Score(int((truth == answers).sum()), len(truth), int((~answered).sum()), table)


def _batches(
    rows: Sequence[np.ndarray], frames: Callable[[int], int], device: torch.device
) -> Iterator[tuple[list[int], Tensor]]:
    """Clips of one length at a time, in order of length, as their numbers, their rows on the device."""
    at_once = FRAMES_AT_ONCE.get(device.type, FRAMES_AT_ONCE_ELSEWHERE)
    lengths = [len(each) for each in rows]
    for length, group in groupby(
        sorted(range(len(rows)), key=lengths.__getitem__), key=lengths.__getitem__
    ):
        numbers = list(group)
        size = max(1, at_once // frames(length))
        for some in (numbers[i : i + size] for i in range(0, len(numbers), size)):
            yield some, torch.from_numpy(np.stack([rows[i] for i in some])).to(device)
