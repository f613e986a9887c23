"""Predictions of a trained network for audio files, whole or in windows over time."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from fewshot_audio.features.audio import decode
from fewshot_audio.features.base import Transform
from fewshot_audio.runner.inputs import Given
from fewshot_audio.runner.plan import transform_of
from fewshot_audio.training.clip_model import ClipModel
from fewshot_audio.types import DataError

AT_ONCE = 2**28  # numbers of features: 1 GiB; clips of a fold that are scored together as in a run


@dataclass(frozen=True)
class Windows:
    """Windows of a length every so many seconds; the last one may be shorter."""

    seconds: float
    hop: float

    def of(self, samples: int, rate: int) -> Iterator[tuple[int, int]]:
        """Yield the first sample of each window, and the one after its last."""
        size, hop = max(1, round(self.seconds * rate)), max(1, round(self.hop * rate))
        for start in range(0, max(1, min(samples, samples - size + hop)), hop):
            yield start, min(start + size, samples)


@dataclass(frozen=True)
class Prediction:
    """What a network says of a clip, or of a window of it.

    Args:
        path: The file, as it was given.
        start: Seconds.
        end: Seconds.
        probabilities: Of each class (n_classes,).
        answer: The number of the most likely class, -1 where scores are not finite.
        label: That of the file, if one was given.
    """

    path: str
    start: float
    end: float
    probabilities: np.ndarray
    answer: int
    label: str | None = None


@dataclass(frozen=True)
class _Part:
    file: Given
    start: float
    end: float
    features: np.ndarray


def predictions(
    model: ClipModel,
    files: Iterable[Given],
    windows: Windows | None,
    failed: Callable[[str, DataError], None],
) -> Iterator[Prediction]:
    """Yield the predictions for files, in their order.

    Numbers are those of the run's test.csv, bit for bit, for the same files in the same order on
    the same machine; other clips beside them may change the rounding of float32.

    Args:
        model: The network.
        files: The files, or parts of files.
        windows: Parts of each file that stand alone; None: whole files.
        failed: Is called with each file that cannot be decoded, and why.
    """
    transform, block, size = transform_of(model.recipe), list[_Part](), 0
    for file in files:
        try:
            parts = _parts(transform, file, windows)
        except DataError as error:
            failed(file.name, error)
            continue
        block += parts
        size += sum(part.features.size for part in parts)
        if size > AT_ONCE:
            yield from _predicted(model, block)
            block, size = [], 0
    yield from _predicted(model, block)


def _parts(transform: Transform, file: Given, windows: Windows | None) -> list[_Part]:
    samples, rate = decode(file.path, file.start, file.end)
    first, seconds = file.start, len(samples) / rate
    samples, rate = transform.resample(samples, rate, transform.sample_rate), transform.sample_rate
    if windows is None:
        return [_Part(file, first, first + seconds, transform(samples))]
    return [
        _Part(file, first + start / rate, first + end / rate, transform(samples[start:end]))
        for start, end in windows.of(len(samples), rate)
    ]


def _predicted(model: ClipModel, parts: Sequence[_Part]) -> Iterator[Prediction]:
    if not parts:
        return
    scores = model.scores([part.features for part in parts])
    answers = torch.where(scores.isfinite().all(1), scores.argmax(1), -1).tolist()
    probabilities = model.probabilities(scores).numpy()
    for part, answer, row in zip(parts, answers, probabilities, strict=True):
        place = part.file.name, part.start, part.end
        yield Prediction(*place, row, answer, part.file.label)
