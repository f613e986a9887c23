"""Helpers of a command end with it, however it ends."""

import multiprocessing
import subprocess
import sys
import time
from pathlib import Path

import pytest

from processes import children

CODE = """
import sys, time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from fewshot_audio.processes import begin_worker
with ProcessPoolExecutor(2, get_context(sys.argv[1]), begin_worker) as pool:
    print(pool.submit(max, 1, 2).result(), flush=True)
    pool.submit(time.sleep, 600)
    time.sleep(600)
"""


def alive(process):
    stat = Path(f"/proc/{process}/stat")
    return stat.exists() and stat.read_text().split()[2] != "Z"


@pytest.mark.parametrize(
    "how", [how for how in multiprocessing.get_all_start_methods() if how != "forkserver"]
)
def test_they_end_with_a_process_that_is_killed(how):
    with subprocess.Popen(
        [sys.executable, "-c", CODE, how], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "2\n"
        helpers = children(process.pid)
        assert helpers
        process.kill()
    deadline = time.monotonic() + 10
    while any(map(alive, helpers)):
        assert time.monotonic() < deadline
        time.sleep(0.05)
