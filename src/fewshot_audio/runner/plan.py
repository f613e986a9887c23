"""What jobs need before they train: their data, checked, and their runs."""

import logging
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from fewshot_audio.components import build
from fewshot_audio.datasets.base import Dataset
from fewshot_audio.datasets.listing import SHOWN
from fewshot_audio.datasets.split_files import write_splits
from fewshot_audio.datasets.splits import FewShotSplits
from fewshot_audio.features.base import Features, Transform
from fewshot_audio.features.cache import Cache, cache_key, file_digests, open_cache
from fewshot_audio.frontends.base import Frontend
from fewshot_audio.progress import counted, say_once
from fewshot_audio.runner.identity import run_specs
from fewshot_audio.training.checks import check_job
from fewshot_audio.training.methods.crops import trains_on_crops
from fewshot_audio.training.waveform_network import crop_rate
from fewshot_audio.types import Component, ConfigError, Job, Machine, Recipe, RunSpec

CURES = "dataset.split.make=folds of own data keeps groups whole, sampling.by=group draws n of them"
log = logging.getLogger(__name__)


class Planner:
    """Looks up what jobs need; what several jobs share is looked up, and said, once."""

    def __init__(self) -> None:
        self.known: dict[str, Any] = {}

    def data(self, job: Job) -> tuple[Dataset, FewShotSplits]:
        """Return a job's dataset and few-shot splits; say what is special about its data.

        Raises:
            ConfigError: A setting or split is impossible.
            DataError: The dataset cannot be read.
        """
        dataset = self.dataset(job.dataset)
        choices = (job.dataset, job.fold, job.model, job.frontend, job.method)
        others = (job.optimizer, job.metrics, job.mel, job.patch_frames, job.augmentations)
        notes = self._once(check_job, job, dataset, by=(*choices, *others))
        for note in dataset.notes:
            say_once(log, logging.WARNING, f"{dataset.name}: {note}")
        for note in notes:
            say_once(log, logging.WARNING, f"{job.frontend.name}: {note}")
        drawn_by = (job.dataset, job.fold, job.seed, job.sampling, job.splits, job.method)
        splits = self._once(_splits, dataset, job, by=drawn_by)
        for note in splits.notes:
            text = f"{dataset.name} fold {job.fold}: {note}; {CURES}"
            say_once(log, logging.WARNING, text)
        for n_per_class, repeats in job.repeats.items():
            sizes = (n_per_class, repeats)
            self._once(splits.check, *sizes, by=(*drawn_by, *sizes))
        line = self._once(classes_of, dataset, by=(job.dataset,))
        say_once(log, logging.INFO, line)
        return dataset, splits

    def dataset(self, component: Component) -> Dataset:
        """Return a dataset; its files are listed, not read."""
        return self._once(_dataset, component)

    def present(self, jobs: Iterable[Job], machine: Machine) -> list[Job]:
        """Return the jobs; where missing folds are skipped, those whose dataset has their fold."""
        if machine.missing_folds == "error":
            return list(jobs)
        return [
            job
            for job in jobs
            if job.fold in {fold.number for fold in self.dataset(job.dataset).folds}
        ]

    def specs(self, job: Job, machine: Machine) -> list[RunSpec]:
        """Return all runs of a job, without building a feature cache or training."""
        dataset, splits = self.data(job)
        transform = self._once(transform_of, job, by=(job.frontend, job.mel, job.features))
        hashing = (machine.cache, machine.builders)
        digests = self._once(file_digests, dataset, *hashing, by=(job.dataset,))
        key, _ = self._once(cache_key, dataset, transform, digests, by=(job.dataset, transform))
        return run_specs(job, dataset.fold(job.fold), key, splits.digest)

    def _once(self, find: Callable, *arguments: Any, by: tuple | None = None) -> Any:
        """Return what a function returns for the first of all calls that agree in `by`.

        Without `by` they must agree in all arguments.
        """
        name = repr((find.__name__, arguments if by is None else by))
        if name not in self.known:
            self.known[name] = find(*arguments)
        return self.known[name]


def _dataset(component: Component) -> Dataset:
    return build(component, Dataset, name=component.name)


def classes_of(dataset: Dataset) -> str:
    """Return a line of the first classes of a dataset, each with the number of its clips."""
    counts = Counter(label for clip in dataset.clips for label in clip.labels)
    shown = [f"{name} {counts[label]:,}" for label, name in enumerate(dataset.classes[:SHOWN])]
    number = len(dataset.classes)
    more = f" and {number - SHOWN:,} more" if number > SHOWN else ""
    return f"{dataset.name}: {counted(number, 'class', 'classes')}: {', '.join(shown)}{more}"


def _splits(dataset: Dataset, job: Job) -> FewShotSplits:
    fold, validates = dataset.fold(job.fold), job.method.arguments.get("keep_best") is not None
    return FewShotSplits(dataset, fold, job.seed, job.sampling, job.splits, validates)


def transform_of(job: Recipe) -> Transform:
    """Return what a job's feature cache is computed by: what its method and frontend read."""
    frontend = build(job.frontend, Frontend)
    features = build(job.features, Features)
    if trains_on_crops(job) or frontend.reads == "waveform":
        return features.waveform(crop_rate(frontend, job))
    return features.mel(job.mel)


def prepare(job: Job, machine: Machine) -> Cache:
    """Return the feature cache that a job reads, built where it is not there."""
    return open_cache(_dataset(job.dataset), transform_of(job), machine.cache, machine.builders)


def export_splits(job: Job) -> int:
    """Write a job's seeded splits of every fold to the file `job.splits`; return their number.

    Raises:
        ConfigError: The file is not set, or a split is impossible.
    """
    if job.splits is None:
        raise ConfigError("splits is not set; add splits=FILE.csv, the file to write")
    if None in job.repeats:
        raise ConfigError("protocol=full draws no few-shot splits; choose another protocol")
    dataset, _ = Planner().data(replace(job, splits=None))
    runs = [(n, repeat) for n, m in job.repeats.items() for repeat in range(1, m + 1)]
    splits = {}
    for fold in dataset.folds:
        seeded = FewShotSplits(dataset, fold, job.seed, job.sampling, None)
        splits[fold] = [seeded.split(n, repeat) for n, repeat in runs]
    write_splits(dataset, splits, job.splits)
    return len(runs) * len(splits)


def title(job: Job) -> str:
    """Return a job in a few words."""
    return f"{job.dataset.name} fold {job.fold} {job.model.name} {job.frontend.name}"
