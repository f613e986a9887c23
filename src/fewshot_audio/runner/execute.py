"""A job's missing runs done: claimed file by file, trained in stacks, here or in worker processes, each stored at once."""

import logging
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Container, Iterator, Sequence
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from itertools import chain, groupby
from pathlib import Path
from statistics import fmean

import torch
from filelock import FileLock, Timeout
from tqdm import tqdm

from fewshot_audio import processes as process
from fewshot_audio.provenance import CHANGED, provenance, state
from fewshot_audio.runner.attempt import OpenJob, attempt, attempt_apart, failed_line, now, opened
from fewshot_audio.runner.identity import missing
from fewshot_audio.runner.plan import Planner, title
from fewshot_audio.runner.store import FAILED, FINISHED, Line, Store
from fewshot_audio.runner.workers import Apart, Here, in_turn
from fewshot_audio.training.run import max_stack_size
from fewshot_audio.types import ConfigError, Job, Machine, RunSpec

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class JobResult:
    """What a job came to: runs asked for, finished before, trained now; lines of failed ones, of those left alone."""

    asked: int
    finished_before: int
    trained: int
    failed: tuple[Line, ...]
    left: tuple[Line, ...]


@dataclass
class Claim:
    """A file whose lock is held until the last of its stacks is stored."""

    file: Path
    lock: FileLock
    stacks: int


Claimed = tuple[Claim, list[RunSpec]]  # a stack of runs of a locked file


def run(job: Job, machine: Machine) -> JobResult:
    """Train, score and store every run of the job that is not finished yet. A run that fails is recorded; the rest go on."""
    process.set_up(machine.threads, machine.keep_memory)
    process.catch_interrupts()
    if machine.accelerator == "gpu" and not torch.accelerator.is_available():
        raise ConfigError("accelerator=gpu: torch finds none here; choose auto or cpu")
    store = Store(machine.results)
    if not Planner().present([job], machine):
        log.info("%s: no such fold, nothing to do", title(job))
        return JobResult(0, 0, 0, (), ())
    here = opened(job, machine)
    stored = list(store.brief())
    finished = {line["key"]: state(line) for line in stored if line["status"] == FINISHED}
    unfinished = missing(here.specs, finished)
    todo = (
        unfinished
        if machine.retry_failed
        else missing(unfinished, {line["key"] for line in stored})
    )
    asked, before, leave = (
        len(here.specs),
        len(here.specs) - len(unfinished),
        len(unfinished) - len(todo),
    )
    log.info(
        "%s: %d runs, %d finished%s",
        title(job),
        asked,
        before,
        f", {leave} that failed are left" if leave else "",
    )
    if told := _other_code([finished[spec.key] for spec in here.specs if spec.key in finished]):
        log.info("finished by other code: %s; remove their lines to do them anew", told)
    if todo:
        store.prepare()
    with tqdm(desc=title(job), total=len(todo), unit="run", leave=False, disable=not todo) as bar:
        lines = _done(store, here, todo, bar) if todo else []
    left = () if machine.retry_failed else _left(store, unfinished, {line["key"] for line in lines})
    failed = tuple(line for line in lines if line["status"] == FAILED)
    if trained := [line for line in lines if line["status"] == FINISHED]:
        log.info(
            "%s: %d trained, in %s; mean accuracy: %s",
            title(job),
            len(trained),
            store.folder,
            _means(trained),
        )
    return JobResult(asked, before, len(lines) - len(failed), failed, left)


def _left(store: Store, unfinished: Sequence[RunSpec], tried: Container[str]) -> tuple[Line, ...]:
    """Lines of runs that failed before, or meanwhile in another process, and have not been tried here."""
    lines = list(store.brief())
    finished = {line["key"] for line in lines if line["status"] == FINISHED}
    failed = {
        line["key"]: line
        for line in lines
        if line["status"] == FAILED and line["key"] not in finished
    }
    return tuple(
        failed[spec.key] for spec in unfinished if spec.key in failed and spec.key not in tried
    )


def _means(lines: Sequence[Line]) -> str:
    """The mean accuracy at each n."""
    by_n = defaultdict(list)
    for line in lines:
        by_n[line["identity"]["n_per_class"]].append(line["metrics"]["accuracy"])
    return ", ".join(f"n = {n} {100 * fmean(found):.1f} %" for n, found in sorted(by_n.items()))


def _other_code(states: Sequence[str]) -> str:
    """What code finished runs come from other than the present: a run's key tells settings apart, not code."""
    now = state(provenance())
    others = Counter(each for each in states if each != now or each.endswith(CHANGED))
    return ", ".join(f"{count} at {name}" for name, count in sorted(others.items()))


def _done(store: Store, here: OpenJob, todo: Sequence[RunSpec], bar: tqdm) -> list[Line]:
    """Do runs and store their lines."""
    count = min(here.machine.workers, len(todo))
    lines = []
    with ExitStack() as held:
        workers = (
            [held.enter_context(closing(Apart())) for _ in range(count)] if count > 1 else [Here()]
        )
        call = partial(attempt_apart, here.pickled) if count > 1 else partial(attempt, here)
        halves: deque[Claimed] = deque()  # of stacks whose worker was killed
        done = {FINISHED} if here.machine.retry_failed else {FINISHED, FAILED}
        stacks = _and_halves(
            _claimed(store, todo, partial(_size, here, count), bar, held, done), halves
        )
        tasks = (None if task is None else ((*task, now()), (call, task[1])) for task in stacks)
        for (claim, specs, started), future in in_turn(workers, tasks):
            if len(specs) > 1 and isinstance(future.exception(), BrokenProcessPool):
                log.warning(
                    "the worker with a stack of %d runs was killed; its halves are tried",
                    len(specs),
                )
                halves += [(claim, specs[: len(specs) // 2]), (claim, specs[len(specs) // 2 :])]
                claim.stacks += 1
                continue
            found = _lines(here, specs, started, future)
            store.append(claim.file, found)
            lines += found
            bar.update(len(specs))
            process.raise_if_interrupted()
            claim.stacks -= 1
            if claim.stacks == 0:
                claim.lock.release()
    return lines


def _and_halves(
    stacks: Iterator[Claimed | None], halves: deque[Claimed]
) -> Iterator[Claimed | None]:
    """Stacks, and before every wait (None) and at the end the halves that have come to be meanwhile.

    Before, not after: who waits for a file while work on another one is left would hold that one's lock.
    """
    for stack in chain(stacks, [None]):
        yield stack
        while stack is None and halves:
            yield halves.popleft()
            if not halves:
                yield None


def _size(here: OpenJob, workers: int, n_per_class: int) -> int:
    """Runs of a stack: what is set, or what fits beside those of the other workers."""
    fit = (
        here.machine.stack
        or max_stack_size(here.job, here.material, n_per_class, here.machine.accelerator) // workers
    )
    return max(1, fit)


def _lines(here: OpenJob, specs: Sequence[RunSpec], started: str, future: Future) -> list[Line]:
    """What came of a stack; says what a user should look at."""
    try:
        lines = future.result()
    except BrokenProcessPool as error:
        told = {
            "threads": here.threads,
            "seconds": {
                "train": (datetime.now(UTC) - datetime.fromisoformat(started)).total_seconds()
            },
        }
        lines = [failed_line(here, spec, started, error) | told for spec in specs]
    for line in lines:
        name = f"{title(here.job)}, n {line['identity']['n_per_class']}, repeat {line['identity']['repeat']}"
        if line["status"] == FAILED:
            log.error(
                "%s failed (%s): %s\n%s", name, line["cause"], line["error"], line["traceback"]
            )
        elif line["unscored_clips"]:
            log.warning("%s: no finite score for %d clips", name, line["unscored_clips"])
    return lines


def _claimed(
    store: Store,
    specs: Sequence[RunSpec],
    size: Callable[[int], int],
    bar: tqdm,
    held: ExitStack,
    done: Container[str],
) -> Iterator[Claimed | None]:
    """Stacks of runs, each under the lock of its file; those that another process works on come last, once it is through.

    None comes before every wait. `held` releases what is locked when all is over; runs with a line of a status `done` are left.
    """
    waiting = []
    for file, group in [(file, list(group)) for file, group in groupby(specs, store.file_of)]:
        lock = store.lock(file)
        held.callback(lock.release)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            waiting.append((file, lock, group))
            continue
        yield from _of_file(store, file, lock, group, size, bar, done)
    for file, lock, group in waiting:
        yield None
        log.info("waiting for another process that works on %s", file.name)
        lock.acquire()
        yield from _of_file(store, file, lock, group, size, bar, done)


def _of_file(
    store: Store,
    file: Path,
    lock: FileLock,
    group: list[RunSpec],
    size: Callable[[int], int],
    bar: tqdm,
    done: Container[str],
) -> Iterator[Claimed]:
    """The stacks of a locked file's runs that are still missing."""
    todo = missing(group, {line["key"] for line in store.brief_of(file) if line["status"] in done})
    bar.update(len(group) - len(todo))
    if not todo:
        lock.release()
        return
    count = -(-len(todo) // size(todo[0].n_per_class))
    step = -(-len(todo) // count)  # as few stacks as can be, of nearly one size
    stacks = [todo[i : i + step] for i in range(0, len(todo), step)]
    claim = Claim(file, lock, len(stacks))
    yield from ((claim, stack) for stack in stacks)
