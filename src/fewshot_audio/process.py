"""Settings of the whole process: threads, allocator, quiet libraries, Ctrl-C."""

import ctypes
import logging
import platform
import signal
import threading
import warnings
from types import FrameType

import torch
from threadpoolctl import threadpool_limits

TRIM_THRESHOLD, TOP_PAD, MMAP_THRESHOLD, MMAP_MAX = -1, -2, -3, -4  # mallopt's names for them, malloc.h
OWN, KEPT = 2**25, 2**26  # bytes of a block that gets pages of its own, and of free memory that is not returned

_heard = threading.Event()  # Ctrl-C


def hear_ctrl_c() -> None:
    """From now on Ctrl-C is remembered, for `heed_ctrl_c`: it may come while a finaliser runs, from which Python lets nothing out.

    Lightning's objects have finalisers, and collecting garbage takes a good part of a short run.
    """
    _heard.clear()
    here = threading.current_thread() is threading.main_thread()
    if here and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _hear)


def heed_ctrl_c() -> None:
    """KeyboardInterrupt where Ctrl-C has been heard."""
    if _heard.is_set():
        raise KeyboardInterrupt


def _hear(number: int, frame: FrameType | None) -> None:
    _heard.set()
    while frame is not None:
        if frame.f_code.co_name == "__del__":
            return
        frame = frame.f_back
    raise KeyboardInterrupt


def set_up(threads: int, keep_memory: bool) -> None:
    """Use that many threads per operation, of torch's and NumPy's, keep freed memory where that is wanted, silence Lightning."""
    torch.set_num_threads(threads)
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
