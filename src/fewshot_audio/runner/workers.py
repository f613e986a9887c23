"""Worker processes, which call functions for this one and never outlive it."""

import multiprocessing
import os
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any

from fewshot_audio import progress
from fewshot_audio.processes import begin_worker


class WorkerKilled(Exception):
    """A worker process ended while it worked."""


@dataclass(frozen=True)
class EpochFinished:
    """An epoch of a worker is over, which was a share of so many runs."""

    runs: float


@dataclass(frozen=True)
class Outcome:
    """What a call returned, or the error that it raised."""

    value: Any = None
    error: Exception | None = None


class Worker:
    """A process that makes one call at a time.

    It is started when it is first needed, anew once it was killed, and gone when this process is.

    Args:
        gpu: The one GPU that it sees, by CUDA's name; None: what this process sees.
    """

    def __init__(self, gpu: str | None = None) -> None:
        self.gpu = gpu
        self.process: multiprocessing.process.BaseProcess | None = None
        self.connection: Connection | None = None

    def start(self, function: Callable, *arguments: Any) -> None:
        """Begin to call a function, which pickle must know by name."""
        if self.process is None or not self.process.is_alive():
            self._begin()
        assert self.connection is not None
        try:
            self.connection.send((function, arguments))
        except ConnectionError:  # killed this moment
            self._begin()
            self.connection.send((function, arguments))

    def receive(self) -> EpochFinished | Outcome:
        """Wait for news of the call: an epoch that is over, or the outcome."""
        assert self.connection is not None
        try:
            return self.connection.recv()
        except (EOFError, OSError):  # OSError: in the middle of its message
            self.close()
            return Outcome(error=WorkerKilled("the worker process was killed"))

    def close(self) -> None:
        """End the process at once, whatever is under way."""
        if self.process is not None and self.connection is not None:
            self.process.kill()
            self.process.join()
            self.connection.close()
        self.process = self.connection = None

    def _begin(self) -> None:
        self.close()
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        # not a daemon, which may not start loaders; `_serve` ends with this process
        self.process = context.Process(target=_serve, args=(theirs, self.gpu))
        self.process.start()
        theirs.close()  # so that its end closes when the worker ends


def with_news(workers: Sequence[Worker]) -> Iterator[Worker]:
    """Wait until one of the workers has news, and yield those that have."""
    by_connection = {worker.connection: worker for worker in workers}
    for connection in wait([each for each in by_connection if each is not None]):
        yield by_connection[connection]  # type: ignore[index]


def _serve(connection: Connection, gpu: str | None) -> None:
    """Make one call after the other, in a worker."""
    begin_worker()
    if gpu is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = gpu  # before torch looks
    while True:
        try:
            function, arguments = connection.recv()
        except EOFError:
            return
        with progress.listening(lambda runs: connection.send(EpochFinished(runs))):
            try:
                outcome = Outcome(function(*arguments))
            except Exception as error:  # any: the process that it works for raises it
                error.add_note(f"in a worker:\n{traceback.format_exc()}")  # pickle keeps notes
                outcome = Outcome(error=error)
        connection.send(outcome)
