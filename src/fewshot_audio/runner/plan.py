"""One job: its data and draws, what is missing of it, and how long that will take."""

import logging
from collections import defaultdict
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import asdict, replace
from itertools import chain
from typing import Any

from fewshot_audio.components import build
from fewshot_audio.datasets import splits as tasks
from fewshot_audio.features.cache import (
    FeatureCache,
    Transform,
    cache_key,
    file_digests,
    open_cache,
)
from fewshot_audio.features.transforms import MelTransform
from fewshot_audio.features.waveform import Waveform
from fewshot_audio.frontends.base import Frontend
from fewshot_audio.runner.identity import missing, run_specs
from fewshot_audio.runner.store import FAILED, FINISHED, Line, Store
from fewshot_audio.training.network import Network, build_network, check_maps
from fewshot_audio.types import Component, ConfigError, Dataset, FewShotSplit, Job, Machine, RunSpec

log = logging.getLogger(__name__)
Times = Mapping[str, float]  # seconds of a run by what its time depends on
HOUR = 3600  # s
NOTHING = {"data": None, "generators": None}  # what a run gives its method; a plan has none


class Planner:
    """What jobs need before they train; what several jobs share is looked up, and said, once."""

    def __init__(self) -> None:
        self.known: dict[str, Any] = {}

    def data(self, job: Job) -> tuple[Dataset, tasks.FewShotSplits]:
        """A job's dataset and draws; says what is special about its data. Every impossible setting or draw is an error here."""
        dataset = self._once(_dataset, job.dataset)
        network = self._once(
            build_network,
            job,
            len(dataset.classes),
            "meta",
            by=(job.dataset, job.model, job.frontend),
        )
        for note in (*dataset.notes, *network.frontend.notes):
            self._once(
                log.warning,
                "%s: %s",
                (dataset if note in dataset.notes else job.frontend).name,
                note,
            )
        self._once(check_maps, network.frontend, job.frontend.name, by=(job.frontend,))
        self._once(
            _fits, job.method, network, by=(job.dataset, job.model, job.frontend, job.method)
        )
        where = (job.dataset, job.fold, job.seed, job.sampling, job.splits)
        draws = self._once(_draws, dataset, job, by=where)
        for n, repeats in job.repeats.items():
            self._once(draws.check, n, repeats, by=(*where, n, repeats))
        return dataset, draws

    def present(self, jobs: Iterable[Job], machine: Machine) -> list[Job]:
        """Jobs, where `absent_folds` is "skip" without those whose dataset has not their fold."""

        def has_fold(job: Job) -> bool:
            return any(fold.number == job.fold for fold in self._once(_dataset, job.dataset).folds)

        return [job for job in jobs if machine.absent_folds == "error" or has_fold(job)]

    def specs(self, job: Job, machine: Machine) -> list[RunSpec]:
        """All runs of a job, without building a bank or training."""
        dataset, draws = self.data(job)
        transform = self._once(transform_of, job, by=(job.frontend, job.mel))
        digests = self._once(
            file_digests, dataset, machine.cache, machine.builders, by=(job.dataset,)
        )
        key, _ = self._once(cache_key, dataset, transform, digests, by=(job.dataset, transform))
        return run_specs(job, dataset.fold(job.fold), key, draws.digest)

    def _once(self, find: Callable, *arguments: Any, by: tuple | None = None) -> Any:
        """What a function finds, called for the first of all jobs that agree in the settings `by` (None: its arguments)."""
        name = repr((find.__name__, arguments if by is None else by))
        if name not in self.known:
            self.known[name] = find(*arguments)
        return self.known[name]


def _dataset(component: Component) -> Dataset:
    return build(component, name=component.name)


def _fits(method: Component, network: Network) -> None:
    build(method, **NOTHING).adapt(deepcopy(network))


def _draws(dataset: Dataset, job: Job) -> tasks.FewShotSplits:
    return tasks.FewShotSplits(dataset, dataset.fold(job.fold), job.seed, job.sampling, job.splits)


def all_tasks(job: Job, draws: tasks.FewShotSplits) -> list[FewShotSplit]:
    """Every draw of a job. ConfigError where one is impossible."""
    return [
        draws.task(n, repeat) for n, m in sorted(job.repeats.items()) for repeat in range(1, m + 1)
    ]


def transform_of(job: Job) -> Transform:
    """What the job's bank holds: what its frontend reads."""
    frontend: Frontend = build(job.frontend)
    return (
        Waveform(frontend.sample_rate)
        if frontend.reads == "waveform"
        else MelTransform(**asdict(job.mel))
    )


def prepare(job: Job, machine: Machine) -> FeatureCache:
    """The bank that a job reads, built where it is not there."""
    return open_cache(
        build(job.dataset, name=job.dataset.name),
        transform_of(job),
        machine.cache,
        machine.builders,
        silent_allowed(job),
    )


def export_splits(job: Job) -> int:
    """Write a job's seeded draws, those of every fold, to the file `job.splits`; how many. ConfigError where it is not set."""
    if job.splits is None:
        raise ConfigError("splits is not set; add splits=FILE.csv, the file to write")
    dataset, _ = Planner().data(replace(job, splits=None))
    drawn = {
        fold: all_tasks(job, tasks.FewShotSplits(dataset, fold, job.seed, job.sampling, None))
        for fold in dataset.folds
    }
    tasks.export(dataset, drawn, job.splits)
    return sum(map(len, drawn.values()))


def silent_allowed(job: Job) -> bool:
    """Whether clips without any sound are accepted."""
    return "silent" in job.dataset.arguments["tolerate"]


def plans(jobs: Sequence[Job], machine: Machine) -> str:
    """Jobs to what a dry run says: a line for each, and their sum where there are several."""
    planner, lines = Planner(), list(Store(machine.results).brief())
    finished = {line["key"]: line for line in lines if line["status"] == FINISHED}
    failed = {line["key"] for line in lines if line["status"] == FAILED} - finished.keys()
    times = durations(finished.values())
    named = [(title(job), planner.specs(job, machine)) for job in planner.present(jobs, machine)]
    if len(named) > 1:
        named.append((f"{len(named)} jobs", list(chain.from_iterable(specs for _, specs in named))))
    leave = () if machine.retry_failed else failed
    return "\n".join(
        _described(name, missing(specs, finished), failed, leave, times, len(specs))
        for name, specs in named
    )


def _described(
    name: str,
    unfinished: Sequence[RunSpec],
    failed: Container[str],
    leave: Container[str],
    times: Times,
    asked: int,
) -> str:
    """Runs as a line: asked for, finished, missing, failed before, and the time that they will take where it is known."""
    before, todo = sum(spec.key in failed for spec in unfinished), missing(unfinished, leave)
    again = f"{before} of them failed before" + (
        ", and are left" if len(todo) < len(unfinished) else ""
    )
    counts = (
        f"{asked} runs, {asked - len(unfinished)} finished, {len(unfinished)} missing ({again})"
    )
    return f"{name}: {counts}, {estimate(todo, times)}"


def durations(finished: Iterable[Line]) -> Times:
    """Lines of finished runs to the mean seconds of those that take equally long."""
    found = defaultdict(list)
    for line in finished:
        found[_alike(line["identity"])].append(sum(line["seconds"].values()))
    return {alike: sum(seconds) / len(seconds) for alike, seconds in found.items()}


def estimate(todo: Sequence[RunSpec], times: Times) -> str:
    """The time that missing runs will take one after the other, as far as it is known."""
    wanted = [times.get(_alike(spec.identity)) for spec in todo]
    unknown = wanted.count(None)
    seconds = sum(each for each in wanted if each is not None)
    length = f"{seconds / 60:.0f} min" if seconds < 2 * HOUR else f"{seconds / HOUR:.0f} h"
    known = [f"about {length}"] if unknown < len(todo) or not todo else []
    return " and ".join(known + ([f"{unknown} runs of unknown length"] if unknown else []))


def _alike(identity: Mapping[str, Any]) -> str:
    """What the time of a run depends on."""
    names = [identity[part]["name"] for part in ("dataset", "model", "frontend")]
    return repr((*names, identity["n_per_class"], identity.get("mel"), identity.get("method")))


def title(job: Job) -> str:
    """A job in a few words."""
    return f"{job.dataset.name} fold {job.fold} {job.model.name} {job.frontend.name}"
