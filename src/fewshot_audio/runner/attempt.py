"""Runs tried: what a job has opened, a stack of its runs to records, and why one failed."""

import gc
import logging
import pickle
import time
import traceback
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import torch

from fewshot_audio.datasets.splits import split_digest
from fewshot_audio.features.cache import open_cache
from fewshot_audio.record_fields import FAILED, FINISHED, SCHEMA, Record
from fewshot_audio.records import encoded
from fewshot_audio.runner.checkpoints import check_same, state_file, write_checkpoint
from fewshot_audio.runner.environment import provenance, set_up
from fewshot_audio.runner.failures import ADVICE, cause_of, public
from fewshot_audio.runner.identity import run_specs
from fewshot_audio.runner.plan import Planner, transform_of
from fewshot_audio.runner.settings import all_settings
from fewshot_audio.training.prepare import JobData
from fewshot_audio.training.run import Trained, train
from fewshot_audio.training.score import score, trained_model
from fewshot_audio.training.watch import watching
from fewshot_audio.types import Job, Machine, RunSpec

log = logging.getLogger(__name__)
Earlier = Mapping[str, Record]  # records of finished runs, by key


@dataclass(frozen=True)
class OpenJob:
    """A job on a machine, with its data and its runs."""

    job: Job
    machine: Machine
    data: JobData
    specs: Sequence[RunSpec]


@dataclass(frozen=True)
class Attempt:
    """What came of a call: a result or an error, the warnings on the way, and its seconds."""

    result: Any
    error: Exception | None
    warnings: tuple[str, ...]
    seconds: float


def open_job(job: Job, machine: Machine, planner: Planner | None = None) -> OpenJob:
    """Return a job with its data and runs; its feature cache is built where it is not there."""
    dataset, splits = (planner or Planner()).data(job)
    features = open_cache(dataset, transform_of(job), machine.cache, machine.builders)
    specs = run_specs(job, dataset.fold(job.fold), features.key, splits.digest)
    return OpenJob(job, machine, JobData(dataset, splits, features), specs)


def attempt_in_worker(pickled: bytes, specs: Sequence[RunSpec], earlier: Earlier) -> list[Record]:
    """Do the same as `attempt`, in a worker process."""
    return attempt(_unpickled(pickled), specs, earlier)


@lru_cache(maxsize=1)
def _unpickled(pickled: bytes) -> OpenJob:
    opened: OpenJob = pickle.loads(pickled)
    set_up(opened.machine.threads, opened.machine.keep_memory)
    return opened


def attempt(opened: OpenJob, specs: Sequence[RunSpec], earlier: Earlier) -> list[Record]:
    """Train runs of one n as a stack, score them, and write their checkpoints if asked to.

    Where the training fails, the stack's halves are tried, so that memory suffices or only the run
    at fault is recorded as failed; a run that fails when it is scored costs no other.

    Returns:
        Their records, one for each run. Those of runs that train again for their checkpoints have
        the metrics of the earlier ones.
    """
    started = now()
    repeats = [spec.repeat for spec in specs]
    n_per_class, machine = specs[0].n_per_class, opened.machine
    how = machine.accelerator, machine.loaders, [state_file(machine, spec) for spec in specs]
    with watching(opened.job, machine, specs) as watches:
        training = _try(train, opened.job, opened.data, n_per_class, repeats, *how, watches)
    if training.error is None:
        pairs = zip(specs, training.result, strict=True)
        return [_score(opened, spec, started, training, run, earlier) for spec, run in pairs]
    if len(specs) == 1:
        record = failed_record(opened, specs[0], started, training.error)
        seconds = {"train": training.seconds}
        return [{**record, "warnings": list(training.warnings), "seconds": seconds}]
    message = "a stack of %d runs failed (%s: %s); its halves are tried"
    cause = cause_of(training.error)
    log.warning(message, len(specs), cause, training.error, exc_info=training.error)
    del training  # whose error holds what the failed stack held
    gc.collect()
    torch.cuda.empty_cache()
    half = len(specs) // 2
    return attempt(opened, specs[:half], earlier) + attempt(opened, specs[half:], earlier)


def _score(
    opened: OpenJob,
    spec: RunSpec,
    started: str,
    training: Attempt,
    trained: Trained,
    earlier: Earlier,
) -> Record:
    """Score a trained run, write its checkpoint if asked to, and return its record."""
    scoring = _try(_scored, opened, spec, started, trained, earlier)
    messages = list(dict.fromkeys(training.warnings + scoring.warnings))
    common = {"stack_size": trained.stack, "warnings": messages}
    if scoring.error is not None:
        seconds = {"train": trained.run.watch.seconds["train"], "score": scoring.seconds}
        record = failed_record(opened, spec, started, scoring.error)
        return {**record, **common, "seconds": seconds}
    if unscored := scoring.result["unscored_clips"]:
        messages.append(f"no finite score for {unscored} clips, which count as wrong")
    return {**_about(opened, spec, started), "status": FINISHED, **scoring.result, **common}


def _scored(
    opened: OpenJob, spec: RunSpec, started: str, trained: Trained, earlier: Earlier
) -> dict[str, Any]:
    """Return the fields of a run's result, once they can be stored and its checkpoint is kept."""
    fields, tested = score(trained, opened.data)
    encoded([fields])  # a frontend may report what cannot be stored
    check_same(opened.machine, spec, earlier.get(spec.key), fields["metrics"])
    if opened.machine.checkpoint:
        about = {"metrics": fields["metrics"], "started": started}
        model = trained_model(trained, opened.data)
        write_checkpoint(opened.machine, spec, about, model, tested)
    return fields


def _try(function: Callable, *arguments: Any) -> Attempt:
    """Make a call that may fail: the one place where a failure does not end the job.

    Models, frontends and metrics are anybody's, so that they may raise anything. The caller stores
    or logs the error with its traceback.
    """
    start, result, error = time.perf_counter(), None, None
    with warnings.catch_warnings(record=True) as caught:
        try:
            result = function(*arguments)
        except Exception as failure:
            error = failure
    messages = dict.fromkeys(str(warning.message) for warning in caught)
    return Attempt(result, error, tuple(messages), round(time.perf_counter() - start, 4))


def failed_record(opened: OpenJob, spec: RunSpec, started: str, error: BaseException) -> Record:
    """Return the record of a run that failed: why, what helps, and the traceback."""
    cause = cause_of(error)
    advice = f"; {ADVICE[cause]}" if cause in ADVICE else ""
    split = opened.data.splits.split(spec.n_per_class, spec.repeat)
    device = None
    if opened.machine.accelerator != "cpu":
        device = torch.accelerator.current_accelerator(check_available=True)
    return {
        **_about(opened, spec, started),
        "status": FAILED,
        "stack_size": 1,
        "device": str(device or "cpu"),
        "warnings": [],
        "cause": cause,
        "error": f"{type(error).__name__}: {error}{advice}",
        "few_shot_split": split_digest(split),
        "traceback": public("".join(traceback.format_exception(error))),
    }


def _about(opened: OpenJob, spec: RunSpec, started: str) -> Record:
    """Return what is known of a run whatever comes of it."""
    return {
        "schema": SCHEMA,
        "key": spec.key,
        "started": started,
        "stopped": now(),
        "identity": spec.identity,
        "settings": all_settings(opened.job),
        "partition": opened.data.dataset.partition,
        "threads": torch.get_num_threads(),
        "command": opened.machine.command,
        **provenance(),
    }


def now() -> str:
    """Return the time as records hold it."""
    return datetime.now(UTC).isoformat(timespec="seconds")
