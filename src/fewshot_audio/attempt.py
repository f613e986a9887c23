"""Runs tried: what a job has opened, a stack of its runs to lines, and why one failed."""

import errno
import gc
import logging
import pickle
import traceback
import warnings
from collections.abc import Sequence
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import torch

from fewshot_audio import process
from fewshot_audio.data.bank import open_bank
from fewshot_audio.job import Planner, silent_allowed, transform_of
from fewshot_audio.provenance import provenance
from fewshot_audio.study.plan import run_specs
from fewshot_audio.study.store import FAILED, FINISHED, Line, encoded
from fewshot_audio.train.run import Material, train_and_score
from fewshot_audio.types import DataError, Job, Machine, RunSpec

log = logging.getLogger(__name__)
ADVICE = {
    "worker killed": "often for want of memory: fewer workers=... need less",
    "out of memory": "a smaller stack=... or fewer workers=... need less",
    "disk full": "free space",
}
OUT_OF_MEMORY = ("out of memory", "can't allocate memory", "cannot allocate memory", "not enough memory", "alloc_failed")


@dataclass(frozen=True)
class Opened:
    """A job on a machine, with its data and its runs."""

    job: Job
    machine: Machine
    material: Material
    specs: Sequence[RunSpec]

    @property
    def pickled(self) -> bytes:
        """What another process needs to open the same."""
        threads = max(1, self.machine.threads // self.machine.workers)
        return pickle.dumps((self.job, replace(self.machine, threads=threads)))


def opened(job: Job, machine: Machine) -> Opened:
    """A job's data, its bank built where it is not there, and all its runs."""
    dataset, draws = Planner().data(job)
    bank = open_bank(dataset, transform_of(job), machine.cache, machine.builders, silent_allowed(job))
    return Opened(job, machine, Material(dataset, draws, bank), run_specs(job, bank.key, draws.digest))


def attempt_apart(pickled: bytes, specs: Sequence[RunSpec]) -> list[Line]:
    """`attempt` in a worker process."""
    return attempt(_opened_apart(pickled), specs)


@lru_cache(maxsize=1)
def _opened_apart(pickled: bytes) -> Opened:
    job, machine = pickle.loads(pickled)
    process.set_up(machine.threads, machine.keep_memory)
    logging.disable(logging.WARNING)  # what is special about the data has been said
    try:
        return opened(job, machine)
    finally:
        logging.disable(logging.NOTSET)


def attempt(here: Opened, specs: Sequence[RunSpec]) -> list[Line]:
    """Train runs of one n as a stack, and score them: the lines to store.

    Where a stack fails, its halves are tried, so that memory suffices or only the run at fault is recorded as failed.
    """
    started = _now()
    try:
        with warnings.catch_warnings(record=True) as caught:
            repeats = [spec.identity["repeat"] for spec in specs]
            found = train_and_score(here.job, here.material, specs[0].n_per_class, repeats, here.machine.accelerator)
        said = list(dict.fromkeys(str(each.message) for each in caught))
        pairs = zip(specs, found, strict=True)
        lines = [{**_about(here, spec, started), "status": FINISHED, **fields, "warnings": said} for spec, fields in pairs]
        encoded(lines)  # a frontend may report what cannot be stored
        return lines
    except Exception as error:  # the one place where a run's failure, whatever it is, is recorded instead of ending the job
        if len(specs) == 1:
            return [failed_line(here, specs[0], error)]
        log.warning("a stack of %d runs failed (%s: %s); its halves are tried", len(specs), cause(error), error)
    gc.collect()  # what the failed stack held
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    half = len(specs) // 2
    return attempt(here, specs[:half]) + attempt(here, specs[half:])


def failed_line(here: Opened, spec: RunSpec, error: BaseException) -> Line:
    """The line of a run that failed: why, what helps, and its traceback."""
    why = cause(error)
    what = {"cause": why, "error": "; ".join([f"{type(error).__name__}: {error}", *([ADVICE[why]] if why in ADVICE else [])])}
    told = {"status": FAILED, "stack": 1, "device": here.machine.accelerator, **what}  # the device that was asked for
    return {**_about(here, spec, _now()), **told, "traceback": "".join(traceback.format_exception(error))}


def cause(error: BaseException) -> str:
    """What kind of failure it was, for a user who asks what to change."""
    if isinstance(error, BrokenProcessPool):
        return "worker killed"
    if isinstance(error, MemoryError) or any(text in str(error).lower() for text in OUT_OF_MEMORY):
        return "out of memory"
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "disk full"
    return "data" if isinstance(error, OSError | DataError) else "error"


def _about(here: Opened, spec: RunSpec, started: str) -> dict[str, Any]:
    """What is known of a run whatever comes of it."""
    told = {"key": spec.key, "started": started, "stopped": _now(), "identity": spec.identity}
    return {**told, "threads": torch.get_num_threads(), "command": here.machine.command, **provenance()}


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
