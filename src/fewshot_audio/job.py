"""One job: what is missing, then draw, fit, score and store each run."""

import logging
import time
import traceback
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path

import torch
from filelock import FileLock, Timeout
from tqdm import tqdm

from fewshot_audio import process
from fewshot_audio.components import build
from fewshot_audio.data import tasks
from fewshot_audio.data.bank import Bank, bank_key, open_bank
from fewshot_audio.data.files import sha256
from fewshot_audio.data.mel import MelTransform
from fewshot_audio.provenance import provenance
from fewshot_audio.study.plan import missing, run_specs
from fewshot_audio.study.store import FAILED, FINISHED, Line, Store
from fewshot_audio.train.fit import fit, training_set
from fewshot_audio.train.method import Method, Randomness
from fewshot_audio.train.network import Network
from fewshot_audio.train.score import score
from fewshot_audio.types import Clip, Dataset, Fold, Job, Machine, RunSpec, Task

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Outcome:
    """What a job came to: runs asked for, finished before, trained now, and the failed ones' lines."""

    asked: int
    finished_before: int
    trained: int
    failed: tuple[Line, ...]


class Draws:
    """The tasks of one fold: seeded, or read from the job's file."""

    def __init__(self, job: Job, dataset: Dataset, fold: Fold):
        self.job, self.dataset, self.fold = job, dataset, fold
        self.from_file = None if job.draws is None else tasks.read(dataset, fold, job.draws)
        self.digest = None if job.draws is None else sha256(job.draws)[:16]

    def task(self, n_per_class: int, repeat: int) -> Task:
        """The draw for (n, repeat)."""
        if self.from_file is not None:
            return tasks.chosen(self.from_file, n_per_class, repeat, self.job.draws)
        return tasks.draw(self.dataset, self.fold, n_per_class, repeat, self.job.seed)

    def all(self) -> list[Task]:
        """Every draw of the job. ConfigError where one is impossible."""
        return [self.task(n, repeat) for n, m in sorted(self.job.repeats.items()) for repeat in range(1, m + 1)]


def open_data(job: Job) -> tuple[Dataset, Draws]:
    """A job's dataset and draws; says what is special about the data. Every impossible draw is an error here."""
    dataset = build(job.dataset)
    for note in dataset.notes:
        log.warning("%s: %s", dataset.name, note)
    draws = Draws(job, dataset, dataset.fold(job.fold))
    draws.all()
    return dataset, draws


def transform_of(job: Job) -> MelTransform:
    """What the job's bank holds."""
    return MelTransform(**asdict(job.mel))


def prepare(job: Job, machine: Machine) -> Bank:
    """The bank that a job reads, built where it is not there."""
    return open_bank(build(job.dataset), transform_of(job), machine.cache, machine.workers, _silent(job))


def _silent(job: Job) -> bool:
    return "silent" in job.dataset.arguments["tolerate"]


def plan(job: Job, machine: Machine) -> tuple[list[RunSpec], list[Line]]:
    """All runs of a job and the store's lines, without building a bank or training."""
    dataset, draws = open_data(job)
    key, _ = bank_key(dataset, transform_of(job), machine.cache, machine.workers)
    return run_specs(job, key, draws.digest), list(Store(machine.results).lines())


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
    """The time that missing runs will take, from the mean of finished ones of the same model and n."""
    times = defaultdict(list)
    for line in finished:
        times[line["identity"]["model"]["name"], line["identity"]["n_per_class"]].append(sum(line["seconds"].values()))
    wanted = [times.get((spec.identity["model"]["name"], spec.n_per_class)) for spec in todo]
    seconds = sum(sum(known) / len(known) for known in wanted if known)
    unknown = sum(not known for known in wanted)
    return f"about {seconds / 60:.0f} min" + (f" and {unknown} runs of unknown length" if unknown else "")


def run(job: Job, machine: Machine) -> Outcome:
    """Train, score and store every run of the job that is not finished yet. A run that fails is recorded; the rest go on."""
    process.set_up(machine.threads)
    store = Store(machine.results)
    store.prepare()
    dataset, draws = open_data(job)
    bank = open_bank(dataset, transform_of(job), machine.cache, machine.workers, _silent(job))
    specs = run_specs(job, bank.key, draws.digest)
    done = store.finished()
    todo = missing(specs, done)
    log.info("%s: %d runs, %d finished", title(job), len(specs), len(specs) - len(todo))
    trained, failed = 0, []
    with tqdm(desc=title(job), total=len(todo), unit="run", leave=False, disable=not todo) as bar:
        for file, group in _one_process_each(store, todo):
            already = {line["key"] for line in store.lines_of(file) if line["status"] == FINISHED}
            bar.update(len(group) - len(missing(group, already)))
            for spec in missing(group, already):
                line = _attempt(job, machine, dataset, draws, bank, spec, store, file)
                trained += line["status"] == FINISHED
                failed += [line] if line["status"] == FAILED else []
                bar.update()
    return Outcome(len(specs), len(specs) - len(todo), trained, tuple(failed))


def title(job: Job) -> str:
    """A job in a few words."""
    return f"{job.dataset.name} fold {job.fold} {job.model.name} {job.frontend.name}"


def _one_process_each(store: Store, specs: list[RunSpec]) -> Iterator[tuple[Path, list[RunSpec]]]:
    """Files and their runs, each under its lock; those that another process works on come last, once it is through."""
    groups = [(file, list(group)) for file, group in groupby(specs, store.file_of)]
    waiting = []
    for file, group in groups:
        try:
            lock: FileLock = store.lock(file).acquire(timeout=0)
        except Timeout:
            waiting.append((file, group))
            continue
        with lock:
            yield file, group
    for file, group in waiting:
        log.info("waiting for another process that works on %s", file.name)
        with store.lock(file):
            yield file, group


def _attempt(
    job: Job, machine: Machine, dataset: Dataset, draws: Draws, bank: Bank, spec: RunSpec, store: Store, file: Path
) -> Line:
    """Do one run and store its line; a failure is a line too, with its traceback, and is printed."""
    started = datetime.now(UTC).isoformat(timespec="seconds")
    about = {"key": spec.key, "started": started, "identity": spec.identity, "threads": machine.threads, **provenance()}
    try:
        line = {**about, "status": FINISHED, **_run(job, machine, dataset, draws, bank, spec)}
    except Exception as error:  # the one place where a run's failure, whatever it is, is recorded instead of ending the job
        log.exception("%s, n %d, repeat %d failed", title(job), spec.n_per_class, spec.repeat)
        reason = f"{type(error).__name__}: {error}"
        line = {**about, "status": FAILED, "error": reason, "traceback": traceback.format_exc()}
    store.append(file, line)
    return line


class Stopwatch:
    """Seconds by part."""

    def __init__(self):
        self.seconds: dict[str, float] = {}

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Count the block's time under a name."""
        start = time.perf_counter()
        yield
        self.seconds[name] = round(time.perf_counter() - start, 4)


def _run(job: Job, machine: Machine, dataset: Dataset, draws: Draws, bank: Bank, spec: RunSpec) -> Line:
    """One run from its draw to its score, as the fields of its line."""
    watch = Stopwatch()
    with watch.part("draw"):
        task = draws.task(spec.n_per_class, spec.repeat)
        data = training_set([torch.from_numpy(bank[clip.path].copy()) for clip in task.train], _labels(task.train))
    method: Method = build(job.fit)
    network = Network(build(job.frontend), build(job.model, classes=len(dataset.classes)))
    names = (job.seed, dataset.name, job.fold, spec.n_per_class, spec.repeat)
    with watch.part("train"):
        device = fit(network, method, data, Randomness.named(*names), machine.accelerator)
    with watch.part("score"):
        maps = [bank[clip.path] for clip in task.test]
        result = score(network, method, maps, _labels(task.test), len(dataset.classes), device)
    return {
        **asdict(result),
        "accuracy": result.accuracy,
        "learned": network.frontend.learned(),
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
        "draw": tasks.task_hash(task),
        "notes": dataset.notes,
        "seconds": watch.seconds,
        "device": str(device),
    }


def _labels(clips: tuple[Clip, ...]) -> list[int]:
    return [clip.label for clip in clips]
