"""Worker processes: when they begin and end, and what they say."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import pytest

from fewshot_audio import progress
from fewshot_audio.runner import execute
from fewshot_audio.runner.environment import gpus
from fewshot_audio.runner.workers import EpochFinished, Outcome, Worker, WorkerKilled, with_news
from processes import workers_of

CODE = """
import time
from fewshot_audio.runner.workers import Worker
worker = Worker()
worker.start(max, 1, 2)
print(worker.receive().value, flush=True)
worker.start(time.sleep, 600)
time.sleep(600)
"""


def is_alive(process):
    stat = Path(f"/proc/{process}/stat")
    return stat.exists() and stat.read_text().split()[2] != "Z"


def test_a_worker_ends_with_the_process_that_it_works_for():
    with subprocess.Popen(
        [sys.executable, "-c", CODE], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "2\n"
        (worker,) = workers_of(process.pid)
        process.kill()
    deadline = time.monotonic() + 10
    while is_alive(worker):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_closed_worker_ends_at_once_and_can_restart():
    with closing(Worker()) as worker:
        worker.start(os.getpid)
        first = worker.receive().value
        worker.start(time.sleep, 600)
        worker.close()
        assert not is_alive(first)
        worker.start(os.getpid)
        assert worker.receive().value != first


def test_a_killed_worker_is_no_error_and_is_replaced():
    with closing(Worker()) as worker:
        worker.start(divmod, 1, 0)
        assert isinstance(worker.receive().error, ZeroDivisionError)
        worker.start(os.kill, worker.process.pid, signal.SIGKILL)
        (ready,) = with_news([worker])
        assert isinstance(ready.receive().error, WorkerKilled)
        worker.start(max, 1, 2)
        assert worker.receive() == Outcome(2)


def test_a_worker_that_is_killed_within_its_message_is_no_error(monkeypatch):
    def half(self):
        raise OSError("got end of file during message")

    with closing(Worker()) as worker:
        worker.start(max, 1, 2)
        monkeypatch.setattr(type(worker.connection), "recv", half)
        assert isinstance(worker.receive().error, WorkerKilled)


def two_epochs():
    for _ in range(2):
        progress.epoch_finished(runs=3, max_epochs=4)


@pytest.mark.slow
def test_a_worker_reports_epochs():
    with closing(Worker()) as worker:
        worker.start(two_epochs)
        news = [worker.receive() for _ in range(3)]
        assert news == [EpochFinished(0.75), EpochFinished(0.75), Outcome()]


@pytest.mark.parametrize("max_epochs", [None, 4])
def test_epochs_without_a_set_number_are_no_share(max_epochs):
    shares = []
    with progress.listening(shares.append):
        progress.epoch_finished(2, max_epochs)
    progress.epoch_finished(2, max_epochs)  # nobody listens
    assert shares == [0.0 if max_epochs is None else 0.5]


def test_a_bar_counts_shares_until_their_stack_is_finished():
    with closing(progress.RunBar("", 10)) as bar:
        bar.leave_out(4)
        bar.advance("one", 0.5)
        bar.advance("two", 1.5)
        assert (bar.position, bar.bar.total) == (2, 6)
        bar.finish("two", 3)
        assert bar.position == 3.5


def positive_by_another(number):
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.map(abs, [number])


@pytest.mark.slow
def test_a_worker_may_have_processes_of_its_own():
    with closing(Worker()) as worker:
        worker.start(positive_by_another, -3)
        assert worker.receive() == Outcome([3])


def test_a_worker_sees_its_gpu_alone():
    for gpu in ("3", "GPU-1c2d"):
        with closing(Worker(gpu)) as worker:
            worker.start(os.getenv, "CUDA_VISIBLE_DEVICES")
            assert worker.receive().value == gpu
    with closing(Worker()) as worker:
        worker.start(os.getenv, "CUDA_VISIBLE_DEVICES")
        assert worker.receive().value == os.getenv("CUDA_VISIBLE_DEVICES")


@pytest.mark.parametrize(
    ("visible", "count", "names"),
    [
        (None, 3, ["0", "1", "2"]),
        ("2,5", 2, ["2", "5"]),
        ("GPU-a,GPU-b,GPU-c", 2, ["GPU-a", "GPU-b"]),
    ],
)
def test_gpus_are_those_that_this_process_may_use(monkeypatch, visible, count, names):
    monkeypatch.setattr("torch.cuda.device_count", lambda: count)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert gpus("auto") == gpus("gpu") == names
    assert gpus("cpu") == []


def test_workers_share_gpus_evenly_and_the_memory_of_each(monkeypatch):
    monkeypatch.setattr(execute, "gpus", lambda accelerator: ["0", "1"])
    monkeypatch.setattr(execute, "max_stack_size", lambda *_: 12)
    opened = SimpleNamespace(
        job=None, data=None, machine=SimpleNamespace(stack=None, accelerator="gpu")
    )
    sizes = {workers: execute.stack_size(opened, workers, 1) for workers in (1, 2, 3, 4, 100)}
    assert sizes == {1: 12, 2: 12, 3: 6, 4: 6, 100: 1}
