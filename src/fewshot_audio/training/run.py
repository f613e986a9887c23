"""Runs from their few-shot splits to their scores, one or a stack of them."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import zip_longest
from pathlib import Path

import torch

from fewshot_audio.progress import say_once
from fewshot_audio.training.history import TrainingHistory, Validation
from fewshot_audio.training.loop import fit
from fewshot_audio.training.methods.crops import trains_on_crops
from fewshot_audio.training.prepare import (
    JobData,
    Prepared,
    PreparedOnCrops,
    Stopwatch,
    prepare_on_crops,
    prepare_run,
    targets_of,
    waveforms_of,
)
from fewshot_audio.training.stack_limits import runs_that_fit, why_not_stacked
from fewshot_audio.training.watch import Watch
from fewshot_audio.training.whole import CropTraining, fit_on_crops
from fewshot_audio.types import Job

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Trained:
    """A run between its training, in a stack of so many, and its scores."""

    run: Prepared | PreparedOnCrops
    history: TrainingHistory
    stack: int


def train(
    job: Job,
    data: JobData,
    n_per_class: int | None,
    repeats: Sequence[int],
    accelerator: str,
    loaders: int = 0,
    states: Sequence[Path] = (),
    watches: Sequence[Watch] = (),
) -> list[Trained]:
    """Train runs of one n as a stack, or one after the other where their networks need that.

    Args:
        job: The settings.
        data: Clips and features.
        n_per_class: Training clips per class; None: all.
        repeats: The runs.
        accelerator: Lightning's name of what trains.
        loaders: Processes that cut crops for this one.
        states: For each run on crops the file of how far it is.
        watches: For each run what shows it while it trains; none: nothing does.
    """
    if trains_on_crops(job):
        done = []
        for repeat, state, watch in zip_longest(repeats, states, watches):
            run = prepare_on_crops(job, data, n_per_class, repeat)
            done.append(_train_on_crops(run, data, accelerator, loaders, state, watch))
        return done
    runs = [prepare_run(job, data, n_per_class, repeat) for repeat in repeats]
    if len(runs) > 1 and _must_train_alone(runs):
        return [
            trained
            for place, run in enumerate(runs)
            for trained in _train([run], data, accelerator, watches[place : place + 1])
        ]
    return _train(runs, data, accelerator, watches)


def _train(
    runs: Sequence[Prepared], data: JobData, accelerator: str, watches: Sequence[Watch]
) -> list[Trained]:
    training = Stopwatch()
    networks, methods = [run.network for run in runs], [run.method for run in runs]
    with training.part("train", len(runs)):
        validation = _validation(runs[0], data)
        optimizer = runs[0].job.optimizer
        histories = fit(networks, methods, optimizer, accelerator, validation, watches)
    for run in runs:
        run.watch.seconds |= training.seconds
    return [Trained(*each, len(runs)) for each in zip(runs, histories, strict=True)]


def _train_on_crops(
    run: PreparedOnCrops,
    data: JobData,
    accelerator: str,
    loaders: int,
    state: Path,
    watch: Watch | None,
) -> Trained:
    with run.watch.part("train"):
        train = waveforms_of(run.network, run.split.train, data)
        clips = data.dataset.fold(run.job.fold).valid
        valid = [clip.id for clip in clips], targets_of(clips, data.dataset)
        given = train, valid, run.names, loaders, state, watch
        training = CropTraining(run.network, run.job, *given)
        history = fit_on_crops(training, accelerator)
    return Trained(run, history, 1)


def _validation(run: Prepared, data: JobData) -> Validation | None:
    """Return what chooses the epoch whose weights are kept, None where the last one's are."""
    if run.method.keep_best is None:
        return None
    clips = data.dataset.fold(run.job.fold).valid
    targets, on_device = targets_of(clips, data.dataset), partial(data.batches, clips)
    return Validation(on_device, targets, run.method.keep_best, run.job.metrics)


def _must_train_alone(runs: Sequence[Prepared]) -> bool:
    """Return whether the runs cannot be a stack; the reason is logged once."""
    job = runs[0].job
    networks, data = [run.network for run in runs[:2]], runs[0].method.data
    reason = why_not_stacked(networks, job.mel.n_bands, data)
    if reason is not None:
        name = f"model={job.model.name} frontend={job.frontend.name}"
        say_once(log, logging.WARNING, f"{name}: its runs train one by one, because {reason}")
    return reason is not None


def max_stack_size(job: Job, data: JobData, n_per_class: int | None, accelerator: str) -> int:
    """Return how many runs of one n a stack may hold.

    On a GPU it is what its free memory takes; on a CPU, where a stack is no faster, 1.
    """
    if accelerator == "cpu" or not torch.cuda.is_available() or trains_on_crops(job):
        return 1
    runs = [prepare_run(job, data, n_per_class, 1) for _ in range(2)]
    if _must_train_alone(runs):
        return 1
    return runs_that_fit(runs[0].network, runs[0].method)
