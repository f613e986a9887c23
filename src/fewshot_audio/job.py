"""One job: its data and draws, what is missing of it, and how long that will take."""

import logging
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace
from typing import Any

from fewshot_audio.components import build
from fewshot_audio.data import tasks
from fewshot_audio.data.bank import Bank, Transform, bank_key, open_bank
from fewshot_audio.data.mel import MelTransform
from fewshot_audio.data.waveform import Waveform
from fewshot_audio.frontends.frontend import Frontend
from fewshot_audio.study.plan import missing, run_specs
from fewshot_audio.study.store import FAILED, FINISHED, Line, Store
from fewshot_audio.train.network import build_network
from fewshot_audio.types import ConfigError, Dataset, Job, Machine, RunSpec, Task

log = logging.getLogger(__name__)
NOTHING = {"data": None, "randomness": None}  # what a run gives its method; a plan has none


def open_data(job: Job) -> tuple[Dataset, tasks.Draws]:
    """A job's dataset and draws; says what is special about the data. Every impossible setting or draw is an error here."""
    dataset = build(job.dataset, name=job.dataset.name)
    for note in dataset.notes:
        log.warning("%s: %s", dataset.name, note)
    network = build_network(job, len(dataset.classes))
    for note in network.frontend.notes:
        log.warning("%s: %s", job.frontend.name, note)
    build(job.fit, **NOTHING).equip(network)
    draws = tasks.Draws(dataset, dataset.fold(job.fold), job.seed, job.draw, job.draws)
    all_tasks(job, draws)
    return dataset, draws


def all_tasks(job: Job, draws: tasks.Draws) -> list[Task]:
    """Every draw of a job. ConfigError where one is impossible."""
    return [draws.task(n, repeat) for n, m in sorted(job.repeats.items()) for repeat in range(1, m + 1)]


def transform_of(job: Job) -> Transform:
    """What the job's bank holds: what its frontend reads."""
    frontend: Frontend = build(job.frontend)
    return Waveform(frontend.sample_rate) if frontend.reads == "waveform" else MelTransform(**asdict(job.mel))


def prepare(job: Job, machine: Machine) -> Bank:
    """The bank that a job reads, built where it is not there."""
    return open_bank(
        build(job.dataset, name=job.dataset.name), transform_of(job), machine.cache, machine.builders, silent_allowed(job)
    )


def export_draws(job: Job) -> int:
    """Write a job's seeded draws, those of every fold, to the file `job.draws`; how many. ConfigError where it is not set."""
    if job.draws is None:
        raise ConfigError("draws is not set; add draws=FILE.csv, the file to write")
    dataset, _ = open_data(replace(job, draws=None))
    drawn = {fold: all_tasks(job, tasks.Draws(dataset, fold, job.seed, job.draw, None)) for fold in dataset.folds}
    tasks.export(dataset, drawn, job.draws)
    return sum(map(len, drawn.values()))


def silent_allowed(job: Job) -> bool:
    """Whether clips without any sound are accepted."""
    return "silent" in job.dataset.arguments["tolerate"]


def specs_of(job: Job, machine: Machine) -> list[RunSpec]:
    """All runs of a job, without building a bank or training."""
    dataset, draws = open_data(job)
    key, _ = bank_key(dataset, transform_of(job), machine.cache, machine.builders)
    return run_specs(job, key, draws.digest)


def plan(job: Job, machine: Machine) -> tuple[list[RunSpec], list[Line]]:
    """All runs of a job and the store's lines, without building a bank or training."""
    return specs_of(job, machine), list(Store(machine.results).lines())


def describe(job: Job, specs: list[RunSpec], lines: list[Line]) -> str:
    """A job's runs as a line: asked for, finished, failed, missing, and the time that they will take where it is known."""
    finished = {line["key"]: line for line in lines if line["status"] == FINISHED}
    failed = {line["key"] for line in lines if line["status"] == FAILED} - finished.keys()
    todo = missing(specs, finished)
    return (
        f"{title(job)}: {len(specs)} runs, {len(specs) - len(todo)} finished, {len(todo)} missing"
        f" ({sum(spec.key in failed for spec in todo)} of them failed before), {estimate(todo, finished.values())}"
    )


def estimate(todo: list[RunSpec], finished: Iterable[Line]) -> str:
    """The time that missing runs will take, from the mean of finished ones of the same model, frontend and n."""
    times = defaultdict(list)
    for line in finished:
        times[_alike(line["identity"])].append(sum(line["seconds"].values()))
    wanted = [times.get(_alike(spec.identity)) for spec in todo]
    seconds = sum(sum(each) / len(each) for each in wanted if each)
    unknown = sum(not each for each in wanted)
    known = [f"about {seconds / 60:.0f} min"] if unknown < len(todo) or not todo else []
    return " and ".join(known + ([f"{unknown} runs of unknown length"] if unknown else []))


def _alike(identity: Mapping[str, Any]) -> tuple[str, str, int]:
    """What the time of a run depends on."""
    return identity["model"]["name"], identity["frontend"]["name"], identity["n_per_class"]


def title(job: Job) -> str:
    """A job in a few words."""
    return f"{job.dataset.name} fold {job.fold} {job.model.name} {job.frontend.name}"
