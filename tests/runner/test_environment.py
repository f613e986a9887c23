"""What the settings of a process do to its memory and to GPUs."""

import platform
import subprocess
import sys

import pytest
import torch

from fewshot_audio.runner.environment import set_up

LEFT = """
import re, fewshot_audio.runner.environment as environment, torch
from pathlib import Path
held = lambda: int(re.search(r"VmRSS:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) // 1024
environment.set_up(1, keep_memory={keep})
before = held()
for _ in range(3):
    torch.zeros(100, 2**18).sum()  # 100 MiB
print(held() - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="an option for glibc")
@pytest.mark.parametrize("keep", [False, True])
def test_freed_memory_is_kept_only_where_that_is_wanted(keep):
    done = subprocess.run(
        [sys.executable, "-c", LEFT.format(keep=keep)], check=True, capture_output=True, text=True
    )
    assert (int(done.stdout) > 90) == keep


def test_gpus_convolve_in_float32(monkeypatch):
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    set_up(1, keep_memory=False)
    assert not torch.backends.cudnn.allow_tf32
