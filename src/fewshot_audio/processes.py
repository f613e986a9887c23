"""Processes: workers that end with the one that they work for, and Ctrl-C that is not lost."""

import multiprocessing
import os
import signal
import sys
import threading

_interrupted = threading.Event()


def begin_worker() -> None:
    """Set up a worker process: it leaves Ctrl-C to its parent and ends with it.

    It ends at once when the parent does, even by kill -9.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


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
