"""Processes that do work for this one and never outlive it."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import Connection
from typing import Any, Protocol


class Worker(Protocol):
    """Who does one thing at a time."""

    def submit(self, function: Callable, *arguments: Any) -> Future:
        """Begin to call a function; its result, to come. BrokenProcessPool is the result where the worker was killed."""

    def close(self) -> None:
        """Stop, whatever is under way."""


class Here:
    """This process: what is submitted is done at once."""

    def submit(self, function: Callable, *arguments: Any) -> Future:
        """The function's result; what it raises is raised here."""
        done: Future = Future()
        done.set_result(function(*arguments))
        return done

    def close(self) -> None:
        """Nothing is under way."""


class Apart:
    """A process of its own: started when it is first needed, anew once it was killed, and gone when this one is."""

    def __init__(self) -> None:
        self.pool: ProcessPoolExecutor | None = None
        self.alive: Connection | None = None  # the worker ends when nobody holds it any more

    def submit(self, function: Callable, *arguments: Any) -> Future:
        """The function's result, to come."""
        try:
            return self._running().submit(_call, function, *arguments)
        except BrokenProcessPool:  # killed while it had nothing to do
            self.close()
            return self._running().submit(_call, function, *arguments)

    def close(self) -> None:
        """End the process at once."""
        if self.pool is not None:
            self.alive.close()
            self.pool.shutdown(cancel_futures=True)
            self.pool = None

    def _running(self) -> ProcessPoolExecutor:
        if self.pool is None:
            context = multiprocessing.get_context("spawn")
            watched, self.alive = context.Pipe(duplex=False)
            self.pool = ProcessPoolExecutor(1, context, _begin, (watched,))
        return self.pool


def in_turn(
    workers: Sequence[Worker], tasks: Iterator[tuple[Any, tuple] | None]
) -> Iterator[tuple[Any, Future]]:
    """Names and calls (function, arguments ...) to names and what came of the calls, as they are done.

    A task is taken when a worker is free, not before. None for a task says that the next one may take long to come: all that
    is under way is handed out first.
    """
    free, busy = list(workers), {}
    for task in tasks:
        if task is not None:
            worker, (name, call) = free.pop(), task
            busy[worker.submit(*call)] = (name, worker)
        while busy and (task is None or not free):
            yield from _done(busy, free)
    while busy:
        yield from _done(busy, free)


def _done(
    busy: dict[Future, tuple[Any, Worker]], free: list[Worker]
) -> Iterator[tuple[Any, Future]]:
    """What is done, once something is; its workers are free again."""
    for future in wait(busy, return_when=FIRST_COMPLETED).done:
        name, worker = busy.pop(future)
        if isinstance(future.exception(), BrokenProcessPool):
            worker.close()
        free.append(worker)
        yield name, future


def _begin(alive: Connection) -> None:
    """In a new worker: leave Ctrl-C to the process that it works for, and end with it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with, args=(alive,), daemon=True).start()


def _call(function: Callable, *arguments: Any) -> Any:
    """In a worker: what is told to end (SIGTERM, which Lightning makes an exception) ends, as if it were killed."""
    try:
        return function(*arguments)
    except (KeyboardInterrupt, SystemExit):
        os._exit(1)


def _end_with(alive: Connection) -> None:
    try:
        alive.recv()  # nothing is ever sent
    except EOFError:
        os._exit(1)
