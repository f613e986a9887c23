"""Processes that do not outlive the one that they work for."""

import multiprocessing
import os
import threading


def exit_with_parent() -> None:
    """In a process that multiprocessing has started: from now on end at once when its parent does, even by kill -9."""
    threading.Thread(target=_wait, daemon=True).start()


def _wait() -> None:
    multiprocessing.parent_process().join()
    os._exit(1)
