"""Worker processes: when they begin, end, and get their tasks."""

import os
import subprocess
import sys
import time
from pathlib import Path

from fewshot_audio.runner.workers import Apart, Here, in_turn
from processes import workers_of


def test_workers_end_with_the_process_that_they_work_for():
    code = """
import time
from fewshot_audio.runner.workers import Apart
worker = Apart()
print(worker.submit(max, 1, 2).result(), flush=True)
worker.submit(time.sleep, 600)
time.sleep(600)
"""
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "2\n"
        (worker,) = workers_of(process.pid)
        process.kill()
    deadline = time.monotonic() + 10
    while (
        Path(f"/proc/{worker}").exists()
        and Path(f"/proc/{worker}/stat").read_text().split()[2] != "Z"
    ):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_closed_worker_ends_at_once_and_begins_anew_when_asked():
    worker = Apart()
    first = worker.submit(os.getpid).result()
    worker.submit(time.sleep, 600)
    begun = time.monotonic()
    worker.close()
    assert time.monotonic() - begun < 60
    assert worker.submit(os.getpid).result() != first
    worker.close()


def test_tasks_are_taken_one_per_free_worker_and_waits_come_when_nothing_is_under_way():
    taken, done = [], []

    def tasks():
        for name in range(3):
            taken.append(name)
            yield name, (divmod, name, 2)
        assert done == [0, 1, 2]
        taken.append("wait")
        yield None
        yield 3, (divmod, 3, 2)

    for name, future in in_turn([Here()], tasks()):
        assert taken[-1] in (name, "wait")
        done.append(name)
        assert future.result() == divmod(name, 2)
    assert done == [0, 1, 2, 3]
