"""Settings of the whole process: threads, allocator, quiet libraries, Ctrl-C."""

import ctypes
import logging
import platform
import sys
import threading
import warnings

import torch
from threadpoolctl import threadpool_limits

TRIM_THRESHOLD, TOP_PAD, MMAP_THRESHOLD, MMAP_MAX = (
    -1,
    -2,
    -3,
    -4,
)  # mallopt's names for them, malloc.h
OWN, KEPT = (
    2**25,
    2**26,
)  # bytes of a block that gets pages of its own, and of free memory that is not returned

_heard = threading.Event()  # Ctrl-C


def catch_interrupts() -> None:
    """From now on Ctrl-C is remembered, for `raise_if_interrupted`, where no exception gets out: in a finaliser, as of Lightning's."""
    _heard.clear()
    sys.unraisablehook = _remember


def raise_if_interrupted() -> None:
    """KeyboardInterrupt where Ctrl-C has been remembered."""
    if _heard.is_set():
        _heard.clear()
        raise KeyboardInterrupt


def _remember(lost: "sys.UnraisableHookArgs") -> None:
    if issubclass(lost.exc_type, KeyboardInterrupt):
        _heard.set()
    else:
        sys.__unraisablehook__(lost)


def set_up(threads: int, keep_memory: bool) -> None:
    """Use that many threads per operation, of torch's and NumPy's, keep freed memory where that is wanted, silence Lightning.

    GPUs convolve in float32 then, not in TF32, which cuDNN takes by default: it would round factors to 11 bits.
    """
    torch.set_num_threads(threads)
    torch.backends.cudnn.allow_tf32 = False
    threadpool_limits(threads)
    if platform.libc_ver()[0] == "glibc":
        _keep_memory() if keep_memory else _steady_memory()
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", "`isinstance.treespec, LeafSpec.` is deprecated")


def _steady_memory() -> None:
    """Set two thresholds where glibc would move them by and by: until then work on tensors of 1 MB takes up to twice as long."""
    libc = ctypes.CDLL(None)
    libc.mallopt(MMAP_THRESHOLD, OWN)
    libc.mallopt(TRIM_THRESHOLD, KEPT)


def _keep_memory() -> None:
    """Let glibc reuse large blocks instead of returning them: VGG trains 1.2 times faster, in 1.8 times the memory."""
    libc = ctypes.CDLL(None)
    libc.mallopt(MMAP_MAX, 0)
    libc.mallopt(TRIM_THRESHOLD, 2**31 - 1)
    libc.mallopt(TOP_PAD, 2**28)
