"""Processes that a process has started."""

from contextlib import suppress
from pathlib import Path


def children(process: int) -> list[int]:
    """Processes that a process has started and that have not ended."""
    found = []
    for task in Path(f"/proc/{process}/task").iterdir():
        with suppress(FileNotFoundError):  # a thread that has just ended
            found += map(int, (task / "children").read_text().split())
    return found


def workers_of(process: int) -> list[int]:
    """Its children that work, without the one that keeps the books of shared resources."""
    found = []
    for child in children(process):
        with suppress(FileNotFoundError):
            found += [child] if "spawn_main" in Path(f"/proc/{child}/cmdline").read_text() else []
    return found
