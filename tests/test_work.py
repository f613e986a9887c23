"""Runs in stacks and by worker processes, and what becomes of those that fail."""

import errno
import os
import shutil
import time
import warnings
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
import torch

from disturbing import disturbing
from fewshot_audio.components import build
from fewshot_audio.runner import execute as work
from fewshot_audio.runner.attempt import cause, failed_line, now, opened
from fewshot_audio.runner.store import FAILED, FINISHED, Store
from fewshot_audio.runner.workers import Here
from fewshot_audio.training import run as running
from fewshot_audio.types import ConfigError, DataError
from processes import workers_of
from stored import lines, told


def test_workers_do_what_one_process_does_and_are_no_more_than_asked(job, machine, tmp_path):
    wanted = replace(job, repeats={1: 3, 2: 2})
    work.run(wanted, machine)
    apart = replace(machine, results=tmp_path / "apart", workers=2, threads=2)
    seen = []
    with ThreadPoolExecutor(1) as pool:
        doing = pool.submit(work.run, wanted, apart)
        while not doing.done():
            seen.append(len(workers_of(os.getpid())))
            time.sleep(0.05)
    assert (doing.result().trained, doing.result().failed) == (5, ())
    assert max(seen) == 2
    assert told(lines(apart)) == told(lines(machine))
    assert {line["threads"] for line in lines(apart)} == {1}  # they share them
    assert workers_of(os.getpid()) == []


def test_a_report_that_cannot_be_stored_is_a_failure_of_its_run(job, machine, monkeypatch):
    reports = iter([{"largest": np.float32(1)}])
    monkeypatch.setattr(type(build(job.frontend)), "report", lambda self: next(reports, {}))
    outcome = work.run(job, machine)
    assert (outcome.trained, [line["cause"] for line in outcome.failed]) == (1, ["error"])
    assert "float32" in outcome.failed[0]["error"]


@pytest.mark.parametrize(("retry", "trained"), [(True, 1), (False, 0)])
def test_runs_that_another_process_failed_meanwhile_are_left_alone_if_so_asked(
    job, machine, monkeypatch, retry, trained
):
    """The other one fails a run after this one has read the store and before it gets the lock."""
    one, other = replace(job, repeats={1: 1}), replace(machine, retry_failed=retry)
    monkeypatch.setattr(
        work, "_size", lambda *_: pytest.fail("another process failed it") if not retry else 1
    )
    read = Store.brief

    def and_then(store):
        found = list(read(store))
        store.prepare()
        spec = opened(one, machine).specs[0]
        store.append(
            store.file_of(spec),
            [failed_line(opened(one, machine), spec, now(), ValueError("by another"))],
        )
        return found

    monkeypatch.setattr(Store, "brief", and_then)
    outcome = work.run(one, other)
    assert outcome.trained == trained
    assert [line["error"] for line in outcome.left] == ([] if retry else ["ValueError: by another"])


def test_halves_of_killed_stacks_come_before_any_wait_for_a_file():
    halves, order = deque(), []
    for stack in work._and_halves(iter(["abcd", "e", None, "fg"]), halves):
        order.append(stack)
        if stack in ("abcd", "cd", "fg"):  # whose workers are killed
            halves += [stack[: len(stack) // 2], stack[len(stack) // 2 :]]
    assert order == ["abcd", "e", None, "ab", "cd", "c", "d", None, "fg", None, "f", "g", None]


def test_no_gpu_is_an_error_before_any_run(job, machine, monkeypatch):
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: False)
    with pytest.raises(ConfigError, match="accelerator=gpu: torch finds none"):
        work.run(job, replace(machine, accelerator="gpu"))
    assert not list(machine.results.glob("runs/*.jsonl"))


def test_runs_of_other_code_are_told_of(job, machine, monkeypatch, caplog):
    caplog.set_level("INFO")
    monkeypatch.setattr(
        "fewshot_audio.runner.attempt.provenance", lambda: {"commit": "1234567890", "dirty": False}
    )
    work.run(replace(job, repeats={1: 2}), machine)
    assert "finished by other code" not in caplog.text
    monkeypatch.setattr(work, "provenance", lambda: {"commit": "1234567890", "dirty": False})
    work.run(replace(job, repeats={1: 2}), machine)
    assert "finished by other code" not in caplog.text
    monkeypatch.setattr(work, "provenance", lambda: {"commit": "9876543210", "dirty": False})
    work.run(replace(job, repeats={1: 2}), machine)
    assert "finished by other code: 2 at 1234567; remove their lines" in caplog.text


def test_a_stack_without_memory_is_halved(job, machine, tmp_path, caplog):
    flag = tmp_path / "flag"
    flag.touch()
    outcome = work.run(
        disturbing(replace(job, repeats={1: 4}), flag, "memory"), replace(machine, stack=4)
    )
    assert (outcome.trained, outcome.failed) == (4, ())
    assert [line["stack_size"] for line in lines(machine)] == [2, 2] * 2
    assert (
        "a stack of 4 runs failed (out of memory: made to fail); its halves are tried"
        in caplog.text
    )


def test_only_the_run_at_fault_of_a_stack_fails(job, machine, monkeypatch):
    real = running.fit

    def failing(networks, methods, accelerator):
        if any(method.generators.init.initial_seed() == guilty for method in methods):
            raise RuntimeError("made to fail")
        return real(networks, methods, accelerator)

    guilty = running.Generators.named(job.seed, "synthetic", 1, 1, 3).init.initial_seed()
    monkeypatch.setattr(running, "fit", failing)
    outcome = work.run(replace(job, repeats={1: 5}), replace(machine, stack=5))
    assert (outcome.trained, len(outcome.failed)) == (4, 1)
    found = lines(machine)
    assert [
        (line["identity"]["repeat"], line["status"]) for line in found if line["status"] == FAILED
    ] == [(3, FAILED)]
    assert {
        line["identity"]["repeat"]: line["stack_size"]
        for line in found
        if line["status"] == FINISHED
    } == {1: 2, 2: 2, 4: 2, 5: 2}


@pytest.mark.filterwarnings("default")
def test_a_run_that_fails_when_it_is_scored_costs_no_other_and_no_second_training(
    job, machine, monkeypatch
):
    real_fit, real_score, fits, scores = running.fit, running.score, [], []

    def counting(*arguments):
        fits.append(1)
        return real_fit(*arguments)

    def failing(*arguments, **named):
        scores.append(1)
        if len(scores) == 2:
            warnings.warn("about to fail", stacklevel=1)
            raise MemoryError("made to fail")
        return real_score(*arguments, **named)

    monkeypatch.setattr(running, "fit", counting)
    monkeypatch.setattr(running, "score", failing)
    outcome = work.run(replace(job, repeats={1: 3}), replace(machine, stack=3))
    assert (outcome.trained, len(fits)) == (2, 1)
    (failed,) = outcome.failed
    assert (failed["identity"]["repeat"], failed["cause"], failed["stack"]) == (
        2,
        "out of memory",
        3,
    )
    assert failed["warnings"] == ["about to fail"]
    assert failed["seconds"].keys() == {"train", "score"}


def test_runs_of_a_stack_are_those_of_single_ones(job, machine, tmp_path):
    wanted, stacked = (
        replace(job, repeats={1: 3, 2: 2}),
        replace(machine, results=tmp_path / "stacked", stack=3),
    )
    work.run(wanted, machine)
    work.run(wanted, stacked)
    assert told(lines(stacked)) == told(lines(machine))
    assert [line["stack_size"] for line in lines(stacked)] == [3, 3, 3, 2, 2]


def test_a_dataset_that_vanished_is_named_and_costs_no_result(job, machine, tmp_path):
    moved = tmp_path / "data"
    shutil.copytree(job.dataset.arguments["root"], moved)
    here = replace(
        job, dataset=replace(job.dataset, arguments={**job.dataset.arguments, "root": str(moved)})
    )
    work.run(replace(here, repeats={1: 1}), machine)
    before = lines(machine)
    for file in moved.rglob("*.wav"):
        file.unlink()
    with pytest.raises(DataError, match="30 of 30 listed files are missing"):
        work.run(here, machine)
    assert lines(machine) == before


def test_a_line_tells_what_a_result_was_made_with(job, machine):
    work.run(
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
            "draw",
            "notes",
        } <= line.keys()
        assert (line["threads"], line["stack_size"], line["warnings"]) == (1, 2, [])
        assert line["command"] == "python scripts/run.py model=timbre"
        assert len(line["identity"]["bank"]) == 16


def test_warnings_of_a_run_are_kept_with_it(job, machine, monkeypatch):
    real = running.fit

    def warning(*arguments):
        warnings.warn("look at this", UserWarning, stacklevel=1)
        return real(*arguments)

    monkeypatch.setattr(running, "fit", warning)
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        work.run(replace(job, repeats={1: 1}), machine)
    assert [line["warnings"] for line in lines(machine)] == [["look at this"]]


@pytest.mark.parametrize(
    ("stack", "fitting", "workers", "expected"),
    [(None, 13, 1, [10] * 20), (None, 13, 2, [5] * 20), (4, 1, 2, [4] * 20)],
)
def test_stacks_are_as_large_as_is_set_or_fits_beside_other_workers(
    job, machine, monkeypatch, stack, fitting, workers, expected
):
    monkeypatch.setattr(work, "max_stack_size", lambda *_: fitting)
    monkeypatch.setattr(work, "Apart", Here)  # so that patches reach them
    monkeypatch.setattr(work, "attempt_apart", lambda pickled, specs: _pretended(job, specs))
    monkeypatch.setattr(work, "attempt", lambda here, specs: _pretended(job, specs))
    work.run(replace(job, repeats={1: 20}), replace(machine, stack=stack, workers=workers))
    assert [line["stack_size"] for line in lines(machine)] == expected


def _pretended(job, specs):
    line = {
        "status": FINISHED,
        "accuracy": 0.5,
        "unscored_clips": 0,
        "seconds": {},
        "stack": len(specs),
    }
    return [{**line, "key": spec.key, "identity": spec.identity} for spec in specs]


def test_causes_of_failure_are_told_apart():
    full = OSError(28, "No space left on device")
    assert [
        cause(each)
        for each in (MemoryError(), full, OSError("gone"), DataError("gone"), ValueError("wrong"))
    ] == [
        "out of memory",
        "disk full",
        "data",
        "data",
        "error",
    ]
    assert (
        cause(torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"))
        == "out of memory"
    )
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**50)
    assert cause(caught.value) == "out of memory"
    assert cause(OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))) == "out of memory"
    assert (
        cause(
            RuntimeError(
                "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"
            )
        )
        == "out of memory"
    )
