"""Runs tried: what a job has opened, a stack of its runs to lines, and why one failed."""

import errno
import gc
import logging
import pickle
import time
import traceback
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import torch

from fewshot_audio import processes as process
from fewshot_audio.datasets.splits import split_digest
from fewshot_audio.features.cache import open_cache
from fewshot_audio.provenance import provenance
from fewshot_audio.runner.identity import run_specs
from fewshot_audio.runner.plan import Planner, silent_allowed, transform_of
from fewshot_audio.runner.store import FAILED, FINISHED, SCHEMA, Line, encoded
from fewshot_audio.training.run import JobData, Trained, scored, train
from fewshot_audio.types import DataError, Job, Machine, RunSpec

log = logging.getLogger(__name__)
ADVICE = {
    "worker killed": "often for want of memory: fewer workers=... need less",
    "out of memory": "a smaller stack=... or fewer workers=... need less",
    "disk full": "free space",
}
OUT_OF_MEMORY = (
    "out of memory",
    "can't allocate memory",
    "cannot allocate memory",
    "not enough memory",
    "alloc_failed",
)


@dataclass(frozen=True)
class OpenJob:
    """A job on a machine, with its data and its runs."""

    job: Job
    machine: Machine
    material: JobData
    specs: Sequence[RunSpec]

    @property
    def threads(self) -> int:
        """Threads of torch that each worker has."""
        return max(1, self.machine.threads // self.machine.workers)

    @property
    def pickled(self) -> bytes:
        """The same for another process, which needs neither the dataset nor a look at the whole bank."""
        return pickle.dumps(replace(self, machine=replace(self.machine, threads=self.threads)))


def opened(job: Job, machine: Machine) -> OpenJob:
    """A job's data, its bank built where it is not there, and all its runs."""
    dataset, draws = Planner().data(job)
    bank = open_cache(
        dataset, transform_of(job), machine.cache, machine.builders, silent_allowed(job)
    )
    return OpenJob(
        job,
        machine,
        JobData(dataset, draws, bank),
        run_specs(job, dataset.fold(job.fold), bank.key, draws.digest),
    )


def attempt_apart(pickled: bytes, specs: Sequence[RunSpec]) -> list[Line]:
    """`attempt` in a worker process."""
    return attempt(_opened_apart(pickled), specs)


@lru_cache(maxsize=1)
def _opened_apart(pickled: bytes) -> OpenJob:
    here: OpenJob = pickle.loads(pickled)
    process.set_up(here.machine.threads, here.machine.keep_memory)
    return here


@dataclass(frozen=True)
class Tried:
    """What came of a call: a result or an error, the warnings on the way, and how long it took (s)."""

    result: Any
    error: Exception | None
    warnings: tuple[str, ...]
    seconds: float


def attempt(here: OpenJob, specs: Sequence[RunSpec]) -> list[Line]:
    """Train runs of one n as a stack, and score them: the lines to store.

    Where the training fails, the stack's halves are tried, so that memory suffices or only the run at fault is recorded as
    failed; a run that fails when it is scored costs no other.
    """
    started, repeats = now(), [spec.identity["repeat"] for spec in specs]
    training = _tried(
        train, here.job, here.material, specs[0].n_per_class, repeats, here.machine.accelerator
    )
    if training.error is None:
        return [
            _scored(here, spec, started, training, run)
            for spec, run in zip(specs, training.result, strict=True)
        ]
    if len(specs) == 1:
        told = {"warnings": list(training.warnings), "seconds": {"train": training.seconds}}
        return [failed_line(here, specs[0], started, training.error) | told]
    log.warning(
        "a stack of %d runs failed (%s: %s); its halves are tried",
        len(specs),
        cause(training.error),
        training.error,
    )
    del training  # whose error holds what the failed stack held
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    half = len(specs) // 2
    return attempt(here, specs[:half]) + attempt(here, specs[half:])


def _scored(here: OpenJob, spec: RunSpec, started: str, training: Tried, trained: Trained) -> Line:
    """A trained run's line."""
    scoring = _tried(_fields, trained, here.material)
    told = {
        "stack_size": trained.stack,
        "warnings": list(dict.fromkeys(training.warnings + scoring.warnings)),
    }
    if scoring.error is None:
        if nan_clips := scoring.result["unscored_clips"]:
            told["warnings"].append(f"no finite score for {nan_clips} clips, which count as wrong")
        return {**_about(here, spec, started), "status": FINISHED, **scoring.result, **told}
    seconds = {"train": trained.run.watch.seconds["train"], "score": scoring.seconds}
    return failed_line(here, spec, started, scoring.error) | told | {"seconds": seconds}


def _fields(trained: Trained, material: JobData) -> dict[str, Any]:
    found = scored(trained, material)
    encoded([found])  # a frontend may report what cannot be stored
    return found


def _tried(function: Callable, *arguments: Any) -> Tried:
    """A call that may fail: the one place where a failure of any kind is recorded instead of ending the job."""
    start, result, error = time.perf_counter(), None, None
    with warnings.catch_warnings(record=True) as caught:
        try:
            result = function(*arguments)
        except Exception as failure:
            error = failure
    said = dict.fromkeys(str(each.message) for each in caught)
    return Tried(result, error, tuple(said), round(time.perf_counter() - start, 4))


def failed_line(here: OpenJob, spec: RunSpec, started: str, error: BaseException) -> Line:
    """The line of a run that failed: why, what helps, and its traceback."""
    why = cause(error)
    what = {
        "cause": why,
        "error": "; ".join(
            [f"{type(error).__name__}: {error}", *([ADVICE[why]] if why in ADVICE else [])]
        ),
    }
    drawn = {
        "few_shot_split": split_digest(here.material.draws.task(spec.n_per_class, spec.repeat))
    }
    none = here.machine.accelerator == "cpu" or not torch.accelerator.is_available()
    device = "cpu" if none else str(torch.accelerator.current_accelerator())
    told = {"status": FAILED, "stack_size": 1, "device": device, "warnings": [], **what, **drawn}
    return {
        **_about(here, spec, started),
        **told,
        "traceback": "".join(traceback.format_exception(error)),
    }


def cause(error: BaseException) -> str:
    """What kind of failure it was, for a user who asks what to change."""
    if isinstance(error, BrokenProcessPool):
        return "worker killed"
    if isinstance(error, MemoryError) or any(text in str(error).lower() for text in OUT_OF_MEMORY):
        return "out of memory"
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "disk full"
    return "data" if isinstance(error, OSError | DataError) else "error"


def _about(here: OpenJob, spec: RunSpec, started: str) -> dict[str, Any]:
    """What is known of a run whatever comes of it."""
    told = {
        "schema": SCHEMA,
        "key": spec.key,
        "started": started,
        "stopped": now(),
        "identity": spec.identity,
    }
    return {
        **told,
        "threads": torch.get_num_threads(),
        "command": here.machine.command,
        **provenance(),
    }


def now() -> str:
    """The time, as lines hold it."""
    return datetime.now(UTC).isoformat(timespec="seconds")
