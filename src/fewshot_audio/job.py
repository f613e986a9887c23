"""One job: what is missing, then draw, fit, score and store each run."""

import logging
import traceback
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import Timeout
from tqdm import tqdm

from fewshot_audio import process
from fewshot_audio.components import build
from fewshot_audio.data import tasks
from fewshot_audio.data.bank import Bank, Transform, bank_key, open_bank
from fewshot_audio.data.mel import MelTransform
from fewshot_audio.data.waveform import Waveform
from fewshot_audio.frontends.frontend import Frontend
from fewshot_audio.provenance import command, provenance
from fewshot_audio.study.plan import missing, run_specs
from fewshot_audio.study.store import FAILED, FINISHED, Line, Store
from fewshot_audio.train.network import build_network
from fewshot_audio.types import ConfigError, Dataset, Job, Machine, RunSpec, Task

if TYPE_CHECKING:
    from fewshot_audio.train.run import Material

log = logging.getLogger(__name__)
NOTHING = {"data": None, "randomness": None}  # what a run gives its method; a plan has none


@dataclass(frozen=True)
class Outcome:
    """What a job came to: runs asked for, finished before, trained now, the failed ones' lines, failed ones left alone."""

    asked: int
    finished_before: int
    trained: int
    failed: tuple[Line, ...]
    left: int


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
    return open_bank(build(job.dataset, name=job.dataset.name), transform_of(job), machine.cache, machine.workers, _silent(job))


def export_draws(job: Job) -> int:
    """Write a job's seeded draws, those of every fold, to the file `job.draws`; how many. ConfigError where it is not set."""
    if job.draws is None:
        raise ConfigError("draws is not set; add draws=FILE.csv, the file to write")
    dataset, _ = open_data(replace(job, draws=None))
    drawn = {fold: all_tasks(job, tasks.Draws(dataset, fold, job.seed, job.draw, None)) for fold in dataset.folds}
    tasks.export(dataset, drawn, job.draws)
    return sum(map(len, drawn.values()))


def _silent(job: Job) -> bool:
    return "silent" in job.dataset.arguments["tolerate"]


def specs_of(job: Job, machine: Machine) -> list[RunSpec]:
    """All runs of a job, without building a bank or training."""
    dataset, draws = open_data(job)
    key, _ = bank_key(dataset, transform_of(job), machine.cache, machine.workers)
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


def run(job: Job, machine: Machine) -> Outcome:
    """Train, score and store every run of the job that is not finished yet. A run that fails is recorded; the rest go on."""
    from fewshot_audio.train.run import Material  # here: its imports take seconds that a plan need not wait for

    process.set_up(machine.threads, machine.keep_memory)
    store = Store(machine.results)
    store.prepare()
    dataset, draws = open_data(job)
    material = Material(dataset, draws, open_bank(dataset, transform_of(job), machine.cache, machine.workers, _silent(job)))
    specs = run_specs(job, material.bank.key, draws.digest)
    unfinished = missing(specs, store.keys({FINISHED}))
    todo = unfinished if machine.retry_failed else missing(unfinished, store.keys({FAILED}))
    left = len(unfinished) - len(todo)
    note = f", {left} that failed are left" if left else ""
    log.info("%s: %d runs, %d finished%s", title(job), len(specs), len(specs) - len(unfinished), note)
    lines = []
    with tqdm(desc=title(job), total=len(todo), unit="run", leave=False, disable=not todo) as bar:
        for file, group in _one_process_each(store, todo):
            already = {line["key"] for line in store.lines_of(file) if line["status"] == FINISHED}
            bar.update(len(group) - len(missing(group, already)))
            for spec in missing(group, already):
                lines.append(_attempt(job, machine, material, spec))
                store.append(file, lines[-1])
                if lines[-1].get("nan_clips"):
                    log.warning("%s, repeat %d: no finite score for %d clips", file.stem, spec.repeat, lines[-1]["nan_clips"])
                bar.update()
    failed = tuple(line for line in lines if line["status"] == FAILED)
    return Outcome(len(specs), len(specs) - len(unfinished), len(lines) - len(failed), failed, left)


def title(job: Job) -> str:
    """A job in a few words."""
    return f"{job.dataset.name} fold {job.fold} {job.model.name} {job.frontend.name}"


def _one_process_each(store: Store, specs: list[RunSpec]) -> Iterator[tuple[Path, list[RunSpec]]]:
    """Files and their runs, each under its lock; those that another process works on come last, once it is through."""
    groups = [(file, list(group)) for file, group in groupby(specs, store.file_of)]
    waiting = []
    for file, group in groups:
        try:
            lock = store.lock(file).acquire(timeout=0)
        except Timeout:
            waiting.append((file, group))
            continue
        with lock:
            yield file, group
    for file, group in waiting:
        log.info("waiting for another process that works on %s", file.name)
        with store.lock(file):
            yield file, group


def _attempt(job: Job, machine: Machine, material: "Material", spec: RunSpec) -> Line:
    """Do one run; the line to store, which after a failure holds its traceback, printed as well."""
    from fewshot_audio.train.run import train_and_score

    started = datetime.now(UTC).isoformat(timespec="seconds")
    about = {
        "key": spec.key,
        "started": started,
        "identity": spec.identity,
        "threads": machine.threads,
        "command": command(),
        **provenance(),
    }
    try:
        fields = train_and_score(job, material, spec.n_per_class, spec.repeat, machine.accelerator)
    except Exception as error:  # the one place where a run's failure, whatever it is, is recorded instead of ending the job
        log.exception("%s, n %d, repeat %d failed", title(job), spec.n_per_class, spec.repeat)
        reason = f"{type(error).__name__}: {error}"
        return {**about, "status": FAILED, "error": reason, "traceback": traceback.format_exc()}
    return {**about, "status": FINISHED, **fields}
