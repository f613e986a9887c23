"""What becomes of runs when a worker, a command or Ctrl-C ends them."""

import json
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import pytest

from command_line import ROOT
from disturbing import disturbing
from fewshot_audio.record_fields import FAILED
from fewshot_audio.runner import execute
from fewshot_audio.runner.attempt import open_job
from fewshot_audio.runner.queue import Stack
from fewshot_audio.runner.store import Store
from fewshot_audio.runner.workers import WorkerKilled
from fewshot_audio.training.methods.supervised import Supervised
from stored import lines, outcomes


@pytest.mark.slow
def test_a_killed_worker_costs_the_run_that_it_was_at(job, machine, tmp_path, caplog):
    flag = tmp_path / "flag"
    flag.touch()
    wanted, apart = (
        disturbing(replace(job, repeats={1: 4}), flag, "kill"),
        replace(machine, workers=2),
    )
    outcome = execute.run(wanted, apart)
    assert (outcome.trained, len(outcome.failed)) == (3, 1)
    (failed,) = (line for line in lines(apart) if line["status"] == FAILED)
    assert failed["cause"] == "worker killed"
    assert failed["error"].endswith("often for want of memory: fewer workers=... need less")
    assert failed["seconds"]["train"] > 0
    assert (failed["threads"], failed["warnings"], failed["device"]) == (1, [], "cpu")
    assert failed["started"] < failed["stopped"]  # the worker took seconds to import torch
    assert "failed (worker killed)" in caplog.text
    again = execute.run(wanted, apart)
    assert (again.trained, again.failed) == (1, ())
    assert len(lines(apart)) == 5  # the failed one, and each finished once


@pytest.mark.slow
def test_a_stack_whose_worker_is_killed_is_halved(job, machine, tmp_path, caplog):
    flag = tmp_path / "flag"
    flag.touch()
    apart = replace(machine, workers=2, stack=3)
    outcome = execute.run(disturbing(replace(job, repeats={1: 6}), flag, "kill"), apart)
    assert (outcome.trained, outcome.failed) == (6, ())
    assert sorted(line["stack_size"] for line in lines(apart)) == [1, 2, 2, 3, 3, 3]
    assert "the worker with a stack of 3 runs was killed; its halves are tried" in caplog.text


@pytest.mark.slow
def test_a_worker_that_gets_sigterm_counts_as_killed(job, machine, tmp_path):
    flag = tmp_path / "flag"
    flag.touch()
    apart = replace(machine, workers=2)
    outcome = execute.run(disturbing(replace(job, repeats={1: 3}), flag, "end"), apart)
    assert (outcome.trained, [line["cause"] for line in outcome.failed]) == (2, ["worker killed"])


def _work_on(jobs, machine):
    for job in jobs:
        execute.run(job, machine)


@pytest.mark.slow
def test_killed_processes_lose_and_repeat_nothing(job, machine, tmp_path):
    """Four processes on 64 runs in four files; twenty times one is killed and replaced."""
    other = replace(
        job,
        frontend=replace(
            job.frontend, name="floor", arguments={**job.frontend.arguments, "beta": 1e-3}
        ),
    )
    longer = {**job.method.arguments, "max_epochs": 30}
    jobs = [
        replace(each, repeats={1: 16, 2: 16}, method=replace(job.method, arguments=longer))
        for each in (job, other)
    ]
    undisturbed = replace(machine, results=tmp_path / "undisturbed")
    _work_on(jobs, undisturbed)
    context, dice, kills = get_context("fork"), random.Random(0), 0

    def begun():
        process = context.Process(target=_work_on, args=(jobs, machine))
        process.start()
        return process

    processes = [begun() for _ in range(4)]
    while kills < 20:
        time.sleep(dice.uniform(0.05, 0.4))
        place = dice.choice(
            [place for place, process in enumerate(processes) if process.is_alive()]
        )
        processes[place].kill()
        processes[place].join()
        assert len(lines(machine)) < 64, "all was done before the last kill"
        kills += processes[place].exitcode == -signal.SIGKILL
        processes[place] = begun()
    for process in processes:
        process.join()
        assert process.exitcode == 0
    found = lines(machine)
    assert set(Counter(line["key"] for line in found).values()) == {1}
    assert outcomes(found) == outcomes(lines(undisturbed))
    assert len(found) == 64


@pytest.mark.slow
def test_a_few_kills_of_every_command_do_no_harm(tmp_path):
    """`make soak` has more."""
    file = tmp_path / "soak.json"
    words = [sys.executable, str(ROOT / "scripts/soak.py"), "--kills", "3", "--out", str(file)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads(file.read_text())
    assert (result["kills"], result["lost"], result["doubled"], result["different"]) == (3, 0, 0, 0)


def test_a_clock_that_is_set_back_gives_no_negative_time(job, machine):
    opened = open_job(job, machine)
    stack = Stack(Path("x.jsonl"), opened.specs[:1], {}, started="2999-01-01T00:00:00+00:00")
    training = execute.Training(Store(machine.results), opened, None, None)
    record = training._killed_record(stack, WorkerKilled("killed"))
    assert record["seconds"] == {"train": 0}


class Finalised:
    """Whose finaliser is interrupted by Ctrl-C."""

    def __del__(self):
        signal.raise_signal(signal.SIGINT)


@pytest.mark.parametrize("when", ["training", "storing"])
def test_ctrl_c_in_a_finaliser_is_not_forgotten(job, machine, monkeypatch, when):
    """Python lets no exception out of one; the job ends at the next epoch or stored run."""

    def interrupted(real):
        return lambda *arguments: (Finalised(), real(*arguments))[1]

    target = (Supervised, "batches") if when == "training" else (Store, "append")
    monkeypatch.setattr(*target, interrupted(getattr(*target)))
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            execute.run(replace(job, repeats={1: 3}), machine)
    finally:
        signal.signal(signal.SIGINT, before)
    assert len(lines(machine)) == (0 if when == "training" else 1)
