"""A job's missing runs done, in this process or in workers, each stored at once."""

import logging
import pickle
from collections.abc import Collection, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from itertools import cycle, islice
from math import ceil

import torch

from fewshot_audio import processes, progress
from fewshot_audio.datasets.made_splits import setting_to_read, write_made_splits
from fewshot_audio.progress import RunBar, counted
from fewshot_audio.record_fields import FAILED, FINISHED, Record
from fewshot_audio.runner.attempt import (
    OpenJob,
    attempt,
    attempt_in_worker,
    failed_record,
    now,
    open_job,
)
from fewshot_audio.runner.checkpoints import is_kept, state_file
from fewshot_audio.runner.environment import gpus, set_up
from fewshot_audio.runner.identity import missing
from fewshot_audio.runner.messages import log_plan, log_problems, log_trained
from fewshot_audio.runner.plan import Planner, title
from fewshot_audio.runner.queue import Queue, Stack
from fewshot_audio.runner.store import Store, by_outcome
from fewshot_audio.runner.workers import EpochFinished, Outcome, Worker, WorkerKilled, with_news
from fewshot_audio.training.run import max_stack_size
from fewshot_audio.training.watch import check_logger
from fewshot_audio.types import ConfigError, Job, Machine, RunSpec

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class JobResult:
    """What a job came to.

    Args:
        trained: Number of runs that finished now for the first time.
        failed: Records of runs that failed.
        left: Records of runs that failed before and were not tried again.
    """

    trained: int = 0
    failed: tuple[Record, ...] = ()
    left: tuple[Record, ...] = ()


def run(job: Job, machine: Machine, bar: RunBar | None = None) -> JobResult:
    """Train, score and store every run that is not finished yet; a failure does not stop the rest.

    Args:
        job: The settings.
        machine: Where and how.
        bar: A bar over the runs of several jobs; None: one of this job's own.

    Raises:
        ConfigError: A setting is impossible.
        DataError: The dataset cannot be read.
        StoreError: Results cannot be read or written.
    """
    set_up(machine.threads, machine.keep_memory)
    processes.catch_interrupts()
    _check_devices(job, machine)
    check_logger(job, machine)
    planner = Planner()
    if not planner.present([job], machine):
        log.info("%s: no such fold, nothing to do", title(job))
        if bar is not None:
            bar.leave_out(sum(job.repeats.values()))
        return JobResult()
    store, opened = Store(machine.results), open_job(job, machine, planner)
    _keep_splits(opened)
    finished, failed_before = by_outcome(store.brief())
    unfinished = missing(opened.specs, finished)
    todo = unfinished if machine.retry_failed else missing(unfinished, failed_before)
    log_plan(opened, unfinished, todo, finished)
    todo = [*todo, *_without_checkpoint(opened, finished)]
    if bar is not None:
        bar.leave_out(len(opened.specs) - len(todo))
    records = _train(store, opened, todo, bar) if todo else []
    left = () if machine.retry_failed else _left(store, unfinished, records)
    failed = tuple(each for each in records if each["status"] == FAILED)
    trained = _new(records, finished)
    log_trained(job, trained, store.folder)
    return JobResult(len(trained), failed, left)


def _keep_splits(opened: OpenJob) -> None:
    for dataset in opened.data.dataset.parts.values():
        if made := write_made_splits(dataset, opened.machine.results / "splits"):
            hint = f" (read them with {setting})" if (setting := setting_to_read(dataset)) else ""
            log.info("%s: the splits that were made are in %s%s", dataset.name, made, hint)


def _new(records: Sequence[Record], finished: Collection[str]) -> list[Record]:
    """Return records of runs that finished now for the first time."""
    ended = [each for each in records if each["status"] == FINISHED]
    return [each for each in ended if each["key"] not in finished]


def _without_checkpoint(opened: OpenJob, finished: Collection[str]) -> list[RunSpec]:
    """Return the finished runs whose checkpoint is asked for and missing."""
    job, machine = opened.job, opened.machine
    unkept = [spec for spec in opened.specs if spec.key in finished and not is_kept(machine, spec)]
    if unkept:
        message = "%s: %s without a checkpoint, trained again for it"
        log.info(message, title(job), counted(len(unkept), "finished run"))
    return unkept


def _check_devices(job: Job, machine: Machine) -> None:
    if machine.accelerator == "gpu" and not torch.accelerator.is_available():
        raise ConfigError("accelerator=gpu: torch finds none; choose auto or cpu")
    devices = job.method.arguments.get("devices", 1)
    if devices != 1 and machine.workers > 1:
        raise ConfigError(
            f"workers={machine.workers}: each would train on the same method.devices={devices}; "
            "set workers=1"
        )


def _train(
    store: Store, opened: OpenJob, todo: Sequence[RunSpec], bar: RunBar | None
) -> list[Record]:
    """Do runs and return their records, stored."""
    store.prepare()
    machine = opened.machine
    n_workers = min(machine.workers, len(todo))
    done = {FINISHED} if machine.retry_failed else {FINISHED, FAILED}
    with ExitStack() as cleanup:
        if bar is None:
            bar = cleanup.enter_context(closing(RunBar(title(opened.job), len(todo))))

        def size(n_per_class: int | None) -> int:
            return stack_size(opened, n_workers, n_per_class)

        kept = partial(is_kept, machine)
        queue = cleanup.enter_context(closing(Queue(store, todo, size, done, bar, kept)))
        training = Training(store, opened, queue, bar)
        if n_workers > 1:
            training.in_workers(n_workers)
        else:
            training.in_this_process()
    return training.records


class Training:
    """Trains stacks of runs, one after the other or by several workers, into `records`."""

    def __init__(self, store: Store, opened: OpenJob, queue: Queue, bar: RunBar):
        self.store, self.opened, self.queue, self.bar = store, opened, queue, bar
        self.records: list[Record] = []

    def in_this_process(self) -> None:
        """Train all stacks one after the other."""
        while stack := self.queue.take(wait=True):
            with progress.listening(partial(self.bar.advance, stack.name)):
                records = attempt(self.opened, stack.specs, stack.finished)
            self._store(stack, records, under_way=[])

    def in_workers(self, n_workers: int) -> None:
        """Train all stacks by worker processes."""
        pickled = pickle.dumps(self.opened)  # a worker need not open the data again
        under_way: dict[Worker, Stack] = {}
        with ExitStack() as cleanup:
            each = islice(cycle(gpus(self.opened.machine.accelerator) or [None]), n_workers)
            free = [cleanup.enter_context(closing(Worker(gpu))) for gpu in each]
            while True:
                while free and (stack := self.queue.take(wait=not under_way)):
                    worker, stack.started = free.pop(), now()
                    worker.start(attempt_in_worker, pickled, stack.specs, stack.finished)
                    under_way[worker] = stack
                if not under_way:
                    return
                for worker in with_news(list(under_way)):
                    news = worker.receive()
                    if isinstance(news, EpochFinished):
                        self.bar.advance(under_way[worker].name, news.runs)
                    else:
                        free.append(worker)
                        self._settle(under_way.pop(worker), news, under_way.values())

    def _settle(self, stack: Stack, outcome: Outcome, under_way: Collection[Stack]) -> None:
        """Store what came of a worker's stack; if the worker was killed, put its halves first."""
        error = outcome.error
        if isinstance(error, WorkerKilled) and len(stack.specs) > 1:
            message = "the worker with a stack of %d runs was killed; its halves are tried"
            log.warning(message, len(stack.specs))
            self.queue.put_first(stack.halves())
        elif isinstance(error, WorkerKilled):
            self._store(stack, [self._killed_record(stack, error)], under_way)
        elif error is not None:
            raise error
        else:
            self._store(stack, outcome.value, under_way)

    def _killed_record(self, stack: Stack, error: WorkerKilled) -> Record:
        record = failed_record(self.opened, stack.specs[0], stack.started, error)
        seconds = (datetime.now(UTC) - datetime.fromisoformat(stack.started)).total_seconds()
        seconds = max(seconds, 0)  # the clock may have been set back
        return {**record, "threads": self.opened.machine.threads, "seconds": {"train": seconds}}

    def _store(self, stack: Stack, records: Sequence[Record], under_way: Collection[Stack]) -> None:
        for record in records:
            log_problems(self.opened.job, record)
        new = [record for record in records if record["key"] not in stack.finished]
        self.store.append(stack.file, new)
        for spec, record in zip(stack.specs, records, strict=True):
            if record["status"] == FINISHED:
                state_file(self.opened.machine, spec).unlink(missing_ok=True)
        self.records += records
        self.bar.finish(stack.name, len(records))
        processes.raise_if_interrupted()
        self.queue.release(stack.file, under_way)


def stack_size(opened: OpenJob, n_workers: int, n_per_class: int | None) -> int:
    """Return the runs of a stack: what is set, or what fits beside those of the other workers."""
    machine = opened.machine
    if machine.stack is not None:
        return machine.stack
    fitting = max_stack_size(opened.job, opened.data, n_per_class, machine.accelerator)
    of_one_gpu = ceil(n_workers / max(1, len(gpus(machine.accelerator))))
    return max(1, fitting // of_one_gpu)


def _left(
    store: Store, unfinished: Sequence[RunSpec], tried: Sequence[Record]
) -> tuple[Record, ...]:
    """Return records of runs that failed before, or meanwhile in another process."""
    finished, failed = by_outcome(store.brief())
    done = finished.keys() | {each["key"] for each in tried}
    return tuple(failed[spec.key] for spec in missing(unfinished, done) if spec.key in failed)
