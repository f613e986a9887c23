"""What runs are made with: threads and memory of the process, commit, versions and machine."""

import ctypes
import logging
import os
import platform
import subprocess
import warnings
from collections.abc import Mapping
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_limits

REPOSITORY = Path(__file__).parents[3]
SOURCES = ("src", "conf", "scripts", "pyproject.toml")
CHANGED = " with changes"  # to the commit
PACKAGES = ("torch", "pytorch-lightning", "numpy", "scipy", "soundfile")
KERNELS = ("ATEN_", "CUBLAS", "CUDNN_", "DISABLE_ADDMM", "DNNL_", "MKL_", "ONEDNN_", "TORCH_")
# mallopt's names for its options, in malloc.h
TRIM_THRESHOLD, TOP_PAD, MMAP_THRESHOLD, MMAP_MAX = -1, -2, -3, -4
OWN_PAGES = 2**25  # bytes of a block that gets pages of its own
KEPT_FREE = 2**26  # bytes of free memory that are not returned


def gpus(accelerator: str) -> list[str]:
    """Return the GPUs that this process may use, by the names that CUDA_VISIBLE_DEVICES takes."""
    import torch  # here, because commands that train nothing read provenance too

    if accelerator == "cpu":
        return []
    count = torch.cuda.device_count()
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    return visible.split(",")[:count] if visible else [str(number) for number in range(count)]


def set_up(threads: int, keep_memory: bool) -> None:
    """Set threads, precision and the allocator of this process, and silence Lightning.

    Args:
        threads: Threads per operation, of torch and NumPy.
        keep_memory: Whether freed memory is kept for reuse.

    Raises:
        ConfigError: The environment would have another result stored under the same key.
    """
    import torch  # here, because commands that train nothing read provenance too

    from fewshot_audio.training.precision import full_precision

    full_precision()

    torch.set_num_threads(threads)
    threadpool_limits(threads)
    if platform.libc_ver()[0] == "glibc":
        _set_allocator(keep_memory)
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", "`isinstance.treespec, LeafSpec.` is deprecated")


def _set_allocator(keep_memory: bool) -> None:
    """Let glibc reuse large blocks: VGG trains up to twice as fast, in up to twice the memory.

    Otherwise set two thresholds that glibc would move by and by: until then work on tensors of 1 MB
    takes up to twice as long.
    """
    options = {MMAP_THRESHOLD: OWN_PAGES, TRIM_THRESHOLD: KEPT_FREE}
    if keep_memory:
        options = {MMAP_MAX: 0, TRIM_THRESHOLD: 2**31 - 1, TOP_PAD: 2**28}
    for option, value in options.items():
        ctypes.CDLL(None).mallopt(option, value)


@cache
def provenance() -> dict[str, Any]:
    """Return commit, versions and machine as records hold them.

    `dirty` says whether the sources differ from the commit; both are None without git.
    `environment`, where there is any, holds variables that choose kernels of torch, paths left out:
    they change the last digits as another machine does.
    """
    changes = _git("status", "--porcelain", "--", *SOURCES)
    versions = {name: version(name) for name in PACKAGES}
    chosen = {
        name: value
        for name, value in sorted(os.environ.items())
        if name.startswith(KERNELS) and os.sep not in value
    }
    return {
        **({"environment": chosen} if chosen else {}),
        "commit": _git("rev-parse", "HEAD"),
        "dirty": None if changes is None else changes != "",
        "versions": {"python": platform.python_version(), **versions},
        "machine": f"{platform.system()} {platform.machine()}",
    }


def code_version(record: Mapping[str, Any]) -> str:
    """Return the commit of a record or of `provenance` in a few words."""
    return f"{str(record.get('commit'))[:7]}{CHANGED if record.get('dirty') else ''}"


def _git(*arguments: str) -> str | None:
    """Return a git command's output, None where this is no git checkout."""
    try:
        done = subprocess.run(
            ("git", *arguments), cwd=REPOSITORY, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()
