"""Progress of runs: one bar over all of a command's; its clock and its epochs always move."""

import logging
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from threading import Event, Thread

from tqdm import tqdm

FORMAT = (
    "{desc}: {percentage:3.0f} %|{bar}| {n:.1f} of {total} runs{postfix} [{elapsed} < {remaining}]"
)
TICK = 1.0  # s between two looks of the clock


class RunBar:
    """A bar over runs; it is shown where stderr is a terminal.

    Args:
        title: What stands before it.
        total: Number of runs.
        shown: Whether it may be shown at all.
    """

    def __init__(self, title: str, total: int, shown: bool = True):
        self.finished = 0
        self.shares: dict[str, float] = defaultdict(float)  # of runs under way, by stack
        self.epochs: Counter[str] = Counter()  # of the same
        self.bar = tqdm(
            desc=title, total=total, bar_format=FORMAT, leave=False, disable=None if shown else True
        )
        self.closed = Event()
        self.clock = Thread(target=self._tick, daemon=True)
        if not self.bar.disable:
            self.clock.start()

    def leave_out(self, runs: int) -> None:
        """Take finished runs off the total: they say nothing of the time that is left."""
        self.bar.total = (self.bar.total or 0) - runs
        self.bar.refresh()

    def advance(self, stack: str, runs: float) -> None:
        """Count an epoch of a stack, and move by the share of its runs that this is, if known."""
        self.shares[stack] += runs
        self.epochs[stack] += 1
        self.bar.set_postfix_str(f"epoch {self.epochs[stack]}", refresh=False)
        self._show()

    def finish(self, stack: str, runs: int) -> None:
        """Count runs of a stack as finished."""
        self.shares.pop(stack, None)
        self.epochs.pop(stack, None)
        self.finished += runs
        self._show()

    @property
    def position(self) -> float:
        """Runs that are finished, and the shares of those under way."""
        return self.finished + sum(self.shares.values())

    def close(self) -> None:
        """Remove the bar."""
        self.closed.set()
        if self.clock.is_alive():
            self.clock.join()
        self.bar.close()

    def _show(self) -> None:
        self.bar.update(self.position - self.bar.n)

    def _tick(self) -> None:
        while not self.closed.wait(TICK):
            self.bar.refresh()


class LogAboveBar(logging.StreamHandler):
    """Writes messages to stderr, above a bar that is shown there."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one message."""
        tqdm.write(self.format(record), file=sys.stderr)


@cache
def say_once(log: logging.Logger, level: int, message: str) -> None:
    """Log what this process has not said yet, in this call or an earlier one.

    All jobs of a sweep say the same of their data.
    """
    log.log(level, message)


def counted(number: int, noun: str, plural: str = "") -> str:
    """Return a number with its noun: "1 job", "2 jobs"."""
    return f"{number:,} {noun if number == 1 else plural or f'{noun}s'}"


_listener: Callable[[float], None] | None = None


@contextmanager
def listening(listener: Callable[[float], None]) -> Iterator[None]:
    """Call a function after every epoch in this process with the share of runs that it finished.

    It is 0 where the number of epochs is not known.
    """
    global _listener
    before, _listener = _listener, listener
    try:
        yield
    finally:
        _listener = before


def epoch_finished(runs: int, max_epochs: int | None) -> None:
    """Tell the listener that an epoch of some runs is over."""
    if _listener is not None:
        _listener(runs / max_epochs if max_epochs else 0.0)
