"""What the settings of a process do to its memory and to GPUs."""

import platform
import subprocess
import sys

import pytest
import torch

from fewshot_audio.runner.environment import provenance, set_up
from fewshot_audio.types import ConfigError

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


def test_products_are_in_float32_whatever_code_has_set(monkeypatch):
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    torch.set_float32_matmul_precision("medium")
    set_up(1, keep_memory=False)
    assert not torch.backends.cudnn.allow_tf32
    assert not torch.backends.cuda.matmul.allow_tf32
    assert torch.get_float32_matmul_precision() == "highest"


@pytest.mark.parametrize(
    "variable",
    ["NVIDIA_TF32_OVERRIDE=1", "ONEDNN_DEFAULT_FPMATH_MODE=BF16", "DNNL_DEFAULT_FPMATH_MODE=any"],
)
def test_variables_that_change_results_are_refused(monkeypatch, variable):
    """They would store another result under the same key."""
    name, value = variable.split("=")
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match=f"^{name}.*; unset {name}$"):
        set_up(1, keep_memory=False)


def test_variables_that_do_nothing_are_let_through(monkeypatch):
    for variable in ("NVIDIA_TF32_OVERRIDE=0", "ONEDNN_DEFAULT_FPMATH_MODE=strict"):
        monkeypatch.setenv(*variable.split("="))
    torch.set_float32_matmul_precision("medium")
    set_up(1, keep_memory=False)
    assert torch.get_float32_matmul_precision() == "highest"  # it came to its end


def test_another_default_type_is_refused():
    torch.set_default_dtype(torch.float64)
    try:
        with pytest.raises(ConfigError, match=r"found torch\.float64"):
            set_up(1, keep_memory=False)
    finally:
        torch.set_default_dtype(torch.float32)


def test_records_name_variables_that_choose_kernels(monkeypatch):
    assert "environment" not in provenance.__wrapped__()
    monkeypatch.setenv("ATEN_CPU_CAPABILITY", "default")
    monkeypatch.setenv("TORCH_HOME", "/home/somebody")
    assert provenance.__wrapped__()["environment"] == {"ATEN_CPU_CAPABILITY": "default"}
