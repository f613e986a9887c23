"""Processes: workers that end with the one that they work for, signals that are not lost."""

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_interrupted = threading.Event()
_terminated = threading.Event()


def begin_worker() -> None:
    """Set up a worker process: it leaves Ctrl-C to its parent and ends with it.

    It ends at once when the parent does, even by kill -9, and by SIGTERM.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


@contextmanager
def heeding_sigterm() -> Iterator[None]:
    """Let SIGTERM, by which clusters end jobs, be a KeyboardInterrupt as Ctrl-C is."""
    _terminated.clear()
    before = signal.signal(signal.SIGTERM, _terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def terminated() -> bool:
    """Return whether it was SIGTERM that ended this process's work."""
    return _terminated.is_set()


def _terminate(sign: int, _: FrameType | None) -> None:
    signal.signal(sign, signal.SIG_IGN)  # clusters send it again
    _terminated.set()
    raise KeyboardInterrupt


def catch_interrupts() -> None:
    """Remember Ctrl-C where Python lets no exception out, as in a finaliser of Lightning's."""
    _interrupted.clear()
    sys.unraisablehook = _remember


def raise_if_interrupted() -> None:
    """Raise KeyboardInterrupt where Ctrl-C has been remembered."""
    if _interrupted.is_set():
        _interrupted.clear()
        raise KeyboardInterrupt


def _remember(lost: "sys.UnraisableHookArgs") -> None:
    if issubclass(lost.exc_type, KeyboardInterrupt):
        _interrupted.set()
    else:
        sys.__unraisablehook__(lost)
