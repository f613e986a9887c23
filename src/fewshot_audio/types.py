"""The nouns of the project: frozen, standard library only."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal


class FewshotAudioError(Exception):
    """An error that a user can mend: says what was expected, what was found, and the next step."""


class ConfigError(FewshotAudioError):
    """A setting is misspelt, missing, of the wrong type or impossible."""


class DataError(FewshotAudioError):
    """The dataset on disk is not what the run needs."""


class StoreError(FewshotAudioError):
    """The results on disk cannot be read or written."""


class NoRunsError(StoreError):
    """The store holds no runs that a table could be made of."""


@dataclass(frozen=True)
class Clip:
    """One labelled file. `path` is relative to the dataset's root and is the clip's identity."""

    path: str
    label: int
    fold: int
    group: str  # a recording, speaker or location: clips of one group are alike


@dataclass(frozen=True)
class Fold:
    """What trains, what validates and what tests; each sorted by path."""

    number: int
    train: tuple[Clip, ...]
    test: tuple[Clip, ...]
    valid: tuple[Clip, ...] = ()

    @cached_property
    def digest(self) -> str:
        """The first 16 hexadecimal digits of the SHA-256 over all clips with their labels and groups."""
        splits = (
            [[clip.path, clip.label, clip.group] for clip in self.train],
            [[clip.path, clip.label, clip.group] for clip in self.valid],
            [[clip.path, clip.label, clip.group] for clip in self.test],
        )
        return hashlib.sha256(json.dumps(splits).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Dataset:
    """All clips of a dataset as its folds, and what a reader of the results must know about them (`notes`)."""

    name: str
    root: Path
    classes: tuple[str, ...]
    folds: tuple[Fold, ...]
    notes: tuple[str, ...] = ()

    @cached_property
    def clips(self) -> tuple[Clip, ...]:
        """Every clip of every fold once, sorted by path."""
        return tuple(
            sorted(
                {clip for fold in self.folds for clip in fold.train + fold.valid + fold.test},
                key=lambda clip: clip.path,
            )
        )

    def fold(self, number: int) -> Fold:
        """The fold with that number. ConfigError where there is none."""
        for fold in self.folds:
            if fold.number == number:
                return fold
        raise ConfigError(
            f"fold={number}: {self.name} has the folds {', '.join(str(fold.number) for fold in self.folds)}"
        )


@dataclass(frozen=True)
class FewShotSplit:
    """One draw: the clips that train, the clips that test; the same for every model and frontend."""

    n_per_class: int
    repeat: int  # 1 ... m
    train: tuple[Clip, ...]
    test: tuple[Clip, ...]


@dataclass(frozen=True)
class Component:
    """A class or function by its dotted name, with its arguments: the choice made in a group of conf/."""

    group: str  # dataset, model, frontend, method, optimizer, report
    name: str
    target: str
    arguments: Mapping[str, Any]


def _check_positive(**numbers: int) -> None:
    for name, number in numbers.items():
        if number < 1:
            raise ConfigError(f"{name}={number}: expected at least 1")


@dataclass(frozen=True)
class Mel:
    """The mel spectrogram's settings: Hz, samples, samples."""

    sample_rate: int
    n_fft: int
    hop: int
    pad_mode: Literal["reflect", "constant"]

    def __post_init__(self):
        _check_positive(sample_rate=self.sample_rate, n_fft=self.n_fft, hop=self.hop)


@dataclass(frozen=True)
class OptimizerSettings:
    """An optimizer of torch, a learning-rate schedule, and the norm that gradients are clipped to.

    Args:
        optimizer: The optimizer's class with its options, without parameters.
        frontend: Options of the frontend's parameter group that differ, as {"lr": 0.01}.
        scheduler: A class of torch.optim.lr_scheduler with its options, stepped once an epoch.
        max_grad_norm: Largest norm of all gradients of a run together; None: not clipped.
    """

    optimizer: Component
    frontend: Mapping[str, float]
    scheduler: Component | None
    max_grad_norm: float | None

    def __post_init__(self):
        if self.max_grad_norm is not None and not self.max_grad_norm > 0:
            raise ConfigError(
                f"optimizer.max_grad_norm={self.max_grad_norm}: expected a number above 0, or null"
            )


@dataclass(frozen=True)
class Sampling:
    """How a class's training clips are drawn: clip by clip, or at most one of a recording while there are enough."""

    by: Literal["clip", "group"]


@dataclass(frozen=True)
class Job:
    """Dataset x fold x model x frontend, with all its n and repeats: every setting that can change a result."""

    dataset: Component
    fold: int
    model: Component
    frontend: Component
    method: Component
    optimizer: OptimizerSettings
    mel: Mel
    repeats: Mapping[int, int]  # n per class -> m
    seed: int
    sampling: Sampling
    splits: Path | None  # a CSV of few-shot splits to use instead of seeded ones


@dataclass(frozen=True)
class Machine:
    """Where and how a job runs: nothing here can change a result beyond rounding."""

    results: Path
    cache: Path
    accelerator: Literal["auto", "cpu", "gpu"]
    threads: int  # of torch, shared among the workers
    builders: int  # processes that build a bank
    workers: int  # processes that train, this one if it is one
    stack: int | None  # runs trained together; None: 1 on a CPU, on a GPU what its memory takes
    at_once: (
        int | None
    )  # jobs of one machine that work at the same time, the others wait; None: all
    absent_folds: Literal["error", "skip"]  # what a job is whose dataset has not its fold
    keep_memory: bool
    retry_failed: bool
    dry_run: bool
    command: str  # that does the job

    def __post_init__(self):
        _check_positive(threads=self.threads, workers=self.workers)
        limits = {"stack": self.stack, "at_once": self.at_once}
        _check_positive(**{name: limit for name, limit in limits.items() if limit is not None})


@dataclass(frozen=True)
class Statistics:
    """How sure answers are: what intervals are over, how they are made, and what is as good as no difference."""

    unit: Literal["fold", "draw"]
    interval: Literal["t", "bootstrap"]
    test: Literal["t", "wilcoxon"]
    confidence: float
    margin: float  # share of 1

    def __post_init__(self):
        if not (0 < self.confidence < 1 and self.margin > 0):
            found = f"confidence={self.confidence}, margin={self.margin}"
            raise ConfigError(
                f"statistics: {found}; expected a confidence between 0 and 1 and a margin above 0"
            )


@dataclass(frozen=True)
class ReportSettings:
    """What is shown of which runs, and how sure it is."""

    results: Path
    also: tuple[Path, ...]  # whose runs count as those of `results`
    partial: bool
    published: Path | None
    show: frozenset[Literal["tables", "figures", "page"]]
    how: Statistics
    schedule: Mapping[int, int]  # n per class -> m, of a complete study


@dataclass(frozen=True)
class RunSpec:
    """One training of one model with one frontend on one task; `identity` is all that its result depends on."""

    n_per_class: int
    repeat: int
    identity: Mapping[str, Any]
    key: str
