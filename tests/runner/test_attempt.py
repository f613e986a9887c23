"""Runs in stacks and by worker processes, and what becomes of those that fail."""

import errno
import os
import shutil
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace

import numpy as np
import pytest
import torch

from fewshot_audio.components import build
from fewshot_audio.frontends.base import Frontend
from fewshot_audio.progress import RunBar
from fewshot_audio.record_fields import FINISHED
from fewshot_audio.runner import execute, messages
from fewshot_audio.runner.attempt import failed_record, now, open_job
from fewshot_audio.runner.failures import cause_of
from fewshot_audio.runner.queue import Queue
from fewshot_audio.runner.store import Store
from fewshot_audio.training import run as running
from fewshot_audio.types import ConfigError, DataError
from processes import workers_of
from stored import lines, outcomes


@pytest.mark.slow
def test_workers_do_what_one_process_does(job, machine, tmp_path):
    """They are no more than asked for."""
    wanted = replace(job, repeats={1: 3, 2: 2})
    machine = replace(machine, threads=2)
    execute.run(wanted, machine)
    apart = replace(machine, results=tmp_path / "apart", workers=2)
    seen = []
    with ThreadPoolExecutor(1) as pool:
        doing = pool.submit(execute.run, wanted, apart)
        while not doing.done():
            seen.append(len(workers_of(os.getpid())))
            time.sleep(0.05)
    assert (doing.result().trained, doing.result().failed) == (5, ())
    assert max(seen) == 2
    assert outcomes(lines(apart)) == outcomes(lines(machine))
    assert {line["threads"] for line in [*lines(machine), *lines(apart)]} == {2}
    assert workers_of(os.getpid()) == []


def test_a_report_that_cannot_be_stored_is_a_failure_of_its_run(job, machine, monkeypatch):
    reports = iter([{"largest": np.float32(1)}])
    monkeypatch.setattr(
        type(build(job.frontend, Frontend)), "report", lambda self: next(reports, {})
    )
    outcome = execute.run(job, machine)
    assert (outcome.trained, [line["cause"] for line in outcome.failed]) == (1, ["error"])
    assert "float32" in outcome.failed[0]["error"]


@pytest.mark.parametrize(("retry", "trained"), [(True, 1), (False, 0)])
def test_runs_that_another_process_failed_can_be_left(job, machine, monkeypatch, retry, trained):
    """The other one fails a run after this one has read the store and before it gets the lock."""
    one, other = replace(job, repeats={1: 1}), replace(machine, retry_failed=retry)
    monkeypatch.setattr(
        execute,
        "stack_size",
        lambda *_: pytest.fail("another process failed it") if not retry else 1,
    )
    read = Store.brief

    def and_then(store):
        found = list(read(store))
        store.prepare()
        spec = open_job(one, machine).specs[0]
        store.append(
            store.file_of(spec),
            [failed_record(open_job(one, machine), spec, now(), ValueError("by another"))],
        )
        return found

    monkeypatch.setattr(Store, "brief", and_then)
    outcome = execute.run(one, other)
    assert outcome.trained == trained
    assert [line["error"] for line in outcome.left] == ([] if retry else ["ValueError: by another"])


def test_a_file_locked_elsewhere_is_waited_for_last(job, machine, monkeypatch):
    specs = open_job(replace(job, repeats={1: 4, 2: 2}), machine).specs
    store = Store(machine.results)
    store.prepare()
    (first, *_, last) = files = [store.file_of(spec) for spec in specs]
    elsewhere = store.lock(first)
    elsewhere.acquire()
    with (
        closing(RunBar("", 6)) as bar,
        closing(Queue(store, specs, lambda n: 2, {FINISHED}, bar, lambda spec: True)) as queue,
    ):
        stack = queue.take(wait=False)
        assert (stack.file, stack.specs) == (last, specs[4:])
        queue.put_first(stack.halves())
        half = queue.take(wait=True)
        assert half.specs == specs[4:5]
        queue.release(last, [])
        assert queue.take(wait=True).specs == specs[5:]
        assert queue.take(wait=False) is None
        assert last in queue.locks  # until its last stack is done
        queue.release(last, [])
        assert last not in queue.locks
        elsewhere.release()
        assert queue.take(wait=True).specs == specs[:2]
        assert files[0] in queue.locks


def test_no_gpu_is_an_error_before_any_run(job, machine, monkeypatch):
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: False)
    with pytest.raises(ConfigError, match="accelerator=gpu: torch finds none"):
        execute.run(job, replace(machine, accelerator="gpu"))
    assert not list(machine.results.glob("runs/*.jsonl"))


def test_runs_of_other_code_are_counted(job, machine, monkeypatch, caplog):
    caplog.set_level("INFO")
    monkeypatch.setattr(
        "fewshot_audio.runner.attempt.provenance", lambda: {"commit": "1234567890", "dirty": False}
    )
    execute.run(replace(job, repeats={1: 2}), machine)
    assert "finished by other code" not in caplog.text
    monkeypatch.setattr(messages, "provenance", lambda: {"commit": "1234567890", "dirty": False})
    execute.run(replace(job, repeats={1: 2}), machine)
    assert "finished by other code" not in caplog.text
    monkeypatch.setattr(messages, "provenance", lambda: {"commit": "9876543210", "dirty": False})
    execute.run(replace(job, repeats={1: 2}), machine)
    assert "finished by other code: 2 at 1234567; remove their records" in caplog.text


def test_a_dataset_that_vanished_is_named_and_costs_no_result(job, machine, tmp_path):
    moved = tmp_path / "data"
    shutil.copytree(job.dataset.arguments["root"], moved)
    here = replace(
        job, dataset=replace(job.dataset, arguments={**job.dataset.arguments, "root": str(moved)})
    )
    execute.run(replace(here, repeats={1: 1}), machine)
    before = lines(machine)
    for file in moved.rglob("*.wav"):
        file.unlink()
    with pytest.raises(DataError, match="30 of 30 listed files are missing"):
        execute.run(here, machine)
    assert lines(machine) == before


def test_a_record_says_what_a_result_was_made_with(job, machine):
    execute.run(
        replace(job, repeats={1: 2}),
        replace(machine, stack=2, command="python scripts/run.py model=timbre"),
    )
    for line in lines(machine):
        assert {
            "commit",
            "dirty",
            "versions",
            "machine",
            "device",
            "started",
            "few_shot_split",
            "notes",
        } <= line.keys()
        assert (line["threads"], line["stack_size"], line["warnings"]) == (1, 2, [])
        assert line["command"] == "python scripts/run.py model=timbre"
        assert len(line["identity"]["features"]) == 16


def test_warnings_of_a_run_are_kept_with_it(job, machine, monkeypatch):
    real = running.fit

    def warning(*arguments):
        warnings.warn("look at this", UserWarning, stacklevel=1)
        return real(*arguments)

    monkeypatch.setattr(running, "fit", warning)
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        execute.run(replace(job, repeats={1: 1}), machine)
    assert [line["warnings"] for line in lines(machine)] == [["look at this"]]


def test_causes_of_failure_are_distinguished():
    full = OSError(28, "No space left on device")
    assert [
        cause_of(each)
        for each in (MemoryError(), full, OSError("gone"), DataError("gone"), ValueError("wrong"))
    ] == ["out of memory", "disk full", "data", "data", "error"]
    assert (
        cause_of(torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"))
        == "out of memory"
    )
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**50)
    assert cause_of(caught.value) == "out of memory"
    assert cause_of(OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))) == "out of memory"
    assert (
        cause_of(
            RuntimeError(
                "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"
            )
        )
        == "out of memory"
    )
