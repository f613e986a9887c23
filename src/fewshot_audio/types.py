"""Settings, runs and errors: frozen; the bounds of a setting stand in its type."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, PositiveFloat


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
class Component:
    """A choice of a group of conf/: a class or function by its dotted name, with arguments."""

    group: str  # dataset, model, frontend, method, optimizer, report
    name: str
    target: str
    arguments: Mapping[str, Any]


Rate = Annotated[int, Field(ge=1000, le=1_000_000)]  # Hz
Size = Annotated[int, Field(ge=1, le=65_536)]  # samples, frames
Count = Annotated[int, Field(ge=1, le=10_000)]  # processes, runs


@dataclass(frozen=True)
class Mel:
    """Settings of the mel spectrogram: rate (Hz), FFT size and hop (samples), padding, bands."""

    sample_rate: Rate
    n_fft: Annotated[int, Field(ge=2, le=65_536, multiple_of=2)]
    hop: Size
    pad_mode: Literal["reflect", "constant"]
    n_bands: Annotated[int, Field(ge=1, le=1024)] = 128


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
    max_grad_norm: PositiveFloat | None


@dataclass(frozen=True)
class Sampling:
    """How training clips are drawn: clip by clip, or one of each group while there are enough."""

    by: Literal["clip", "group"]


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What a network is built from; a trained one has no augmentations."""

    model: Component
    frontend: Component
    method: Component
    features: Component  # how waveforms and mel spectrograms are computed
    mel: Mel
    patch_frames: Size  # frames of a patch
    augmentations: Mapping[str, Component] = field(default_factory=dict)  # by name, in order


@dataclass(frozen=True, kw_only=True)
class Job(Recipe):
    """Every setting that can change a result, of one dataset, fold, model and frontend."""

    dataset: Component
    fold: int
    optimizer: OptimizerSettings
    metrics: Mapping[str, Component]  # by the name that results have
    repeats: Mapping[int | None, int]  # n per class -> m; None: all training clips
    seed: int
    sampling: Sampling
    splits: Path | None  # a CSV of few-shot splits to use instead of seeded ones


@dataclass(frozen=True)
class Machine:
    """Where and how a job runs; nothing here can change a result beyond rounding.

    Args:
        results: Folder of the results.
        cache: Folder of feature caches.
        accelerator: What trains.
        threads: Threads of torch in each process that trains.
        builders: Processes that build a feature cache.
        workers: Processes that train, this one if it is one.
        stack: Runs trained together; None: 1 on a CPU, on a GPU what its memory takes.
        max_jobs: Jobs that work at the same time on a machine, the others wait; None: all.
        missing_folds: What becomes of a job whose dataset has not its fold.
        keep_memory: Whether freed memory is kept for reuse.
        retry_failed: Whether runs that failed before are tried again.
        checkpoint: Whether each trained network is kept.
        dry_run: Whether to say only what would be done.
        command: The command that does the job.
        loaders: Processes that cut crops for one that trains; 0: itself.
        logger: What shows runs while they train; None: nothing.
    """

    results: Path
    cache: Path
    accelerator: Literal["auto", "cpu", "gpu"]
    threads: Count
    builders: Count
    workers: Count
    stack: Count | None
    max_jobs: Count | None
    missing_folds: Literal["error", "skip"]
    keep_memory: bool
    retry_failed: bool
    checkpoint: bool
    dry_run: bool
    command: str
    loaders: Annotated[int, Field(ge=0, le=10_000)] = 0
    logger: Component | None = None


@dataclass(frozen=True)
class Statistics:
    """How sure answers are: what intervals are over, their level, what counts as no difference."""

    unit: Literal["fold", "split"]
    confidence: Annotated[float, Field(gt=0, lt=1)]
    margin: PositiveFloat  # in units of the metric: 0.01 is a point of accuracy


@dataclass(frozen=True)
class ReportSettings:
    """What is shown of which runs, and how sure it is.

    Args:
        results: A results folder, or a folder of results folders.
        also: Folders whose runs count as those of `results`.
        partial: Whether tables are made of an incomplete grid.
        published: A CSV of published numbers.
        show: What is written.
        how: How sure the answers are.
        metric: Name of the metric; None: accuracy, or the first that is one number.
        compare: The setting whose values are the rows, by its dotted name.
        where: Settings of the runs that are reported, by dotted names, each a value or several.
        pool: Settings that may differ as if they were further repeats.
        baseline: What the others are compared with; None: log_eps, log_mel, or the first.
        audio: Whether the page has the sound of the worst clips.
        audio_root: The folder in which their paths begin.
        usual: The settings of a run for which none is chosen, of which runs are preferred.
    """

    results: Path
    also: tuple[Path, ...]
    partial: bool
    published: Path | None
    show: frozenset[Literal["tables", "figures", "page"]]
    how: Statistics
    metric: str | None = None
    compare: str = "frontend"
    where: Mapping[str, Any] | None = None
    pool: tuple[str, ...] = ()
    baseline: str | float | None = None
    audio: bool = False
    audio_root: Path | None = None
    usual: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        root = self.audio_root
        if self.audio and not (root and root.is_dir()):
            raise ConfigError(
                f"report.audio=true: expected report.audio_root=FOLDER, the dataset's root; {root} "
                "is no folder"
            )


@dataclass(frozen=True)
class RunSpec:
    """One training on one few-shot split; its result depends on `identity` alone."""

    n_per_class: int | None
    repeat: int
    identity: Mapping[str, Any]
    key: str
