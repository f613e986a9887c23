"""The runs of a job that are still to do: claimed file by file, handed out in stacks."""

from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from fewshot_audio.files import acquire
from fewshot_audio.progress import RunBar
from fewshot_audio.record_fields import FINISHED, Record
from fewshot_audio.runner.identity import missing
from fewshot_audio.runner.store import Store
from fewshot_audio.types import RunSpec


@dataclass
class Stack:
    """Runs of one file that train together."""

    file: Path
    specs: Sequence[RunSpec]
    finished: Mapping[str, Record]  # records of those that train again for their checkpoint, by key
    started: str = ""  # when, as records hold it

    @property
    def name(self) -> str:
        """The key of its first run."""
        return self.specs[0].key

    def halves(self) -> list["Stack"]:
        """Return two stacks of half the runs."""
        half = len(self.specs) // 2
        return [
            Stack(self.file, specs, self.finished)
            for specs in (self.specs[:half], self.specs[half:])
        ]


class Queue:
    """Stacks of missing runs, each handed out under the lock of its file.

    A file that another process works on is left until nothing else is to do. A lock is released
    once the last stack of its file is done, or when this is closed.

    Args:
        store: The store of results.
        specs: Missing runs.
        stack_size: The number of runs of a stack, by n per class.
        done: Statuses of records whose runs are not done again.
        bar: From which runs are taken that another process has done meanwhile.
        is_kept: Whether a run's checkpoint is there, if one is asked for.
    """

    def __init__(
        self,
        store: Store,
        specs: Sequence[RunSpec],
        stack_size: Callable[[int | None], int],
        done: Collection[str],
        bar: RunBar,
        is_kept: Callable[[RunSpec], bool],
    ):
        self.store, self.stack_size, self.done, self.bar = store, stack_size, done, bar
        self.is_kept = is_kept
        self.unclaimed: dict[Path, list[RunSpec]] = {}
        self.stacks: deque[Stack] = deque()
        self.locks: dict[Path, FileLock] = {}
        for spec in specs:
            self.unclaimed.setdefault(store.file_of(spec), []).append(spec)

    def take(self, wait: bool) -> Stack | None:
        """Return the next stack, None where there is none now.

        Args:
            wait: Whether to wait for files that another process works on. A caller with stacks
                under way must not: it would hold their locks meanwhile.
        """
        while not self.stacks and self._claim_a_free_file():
            pass
        while not self.stacks and self.unclaimed and wait:
            file = next(iter(self.unclaimed))
            lock = self.store.lock(file)
            acquire(lock, f"waiting for another process that works on {file.name}")
            self._claim(file, lock)
        return self.stacks.popleft() if self.stacks else None

    def put_first(self, stacks: Sequence[Stack]) -> None:
        """Hand these out next, whose file is claimed."""
        self.stacks.extendleft(reversed(stacks))

    def release(self, file: Path, under_way: Collection[Stack]) -> None:
        """Release a file's lock unless one of its stacks is still to do or under way."""
        if all(stack.file != file for stack in [*self.stacks, *under_way]):
            self.locks.pop(file).release()

    def close(self) -> None:
        """Release all locks."""
        for lock in self.locks.values():
            lock.release()
        self.locks.clear()

    def _claim_a_free_file(self) -> bool:
        """Claim the first file that no other process works on; return whether there is one."""
        for file in self.unclaimed:
            lock = self.store.lock(file)
            try:
                lock.acquire(timeout=0)
            except Timeout:
                continue
            self._claim(file, lock)
            return True
        return False

    def _claim(self, file: Path, lock: FileLock) -> None:
        """Make stacks of a locked file's runs that are still missing."""
        specs = self.unclaimed.pop(file)
        records = list(self.store.brief_of(file))
        done = {each["key"] for each in records if each["status"] in self.done}
        finished = {each["key"]: each for each in records if each["status"] == FINISHED}
        unkept = {spec.key for spec in specs if spec.key in finished and not self.is_kept(spec)}
        todo = missing(specs, done - unkept)
        self.bar.leave_out(len(specs) - len(todo))
        if not todo:
            lock.release()
            return
        self.locks[file] = lock
        count = -(-len(todo) // self.stack_size(todo[0].n_per_class))
        size = -(-len(todo) // count)  # as few stacks as can be
        again = {key: finished[key] for key in unkept}
        self.stacks += [Stack(file, todo[i : i + size], again) for i in range(0, len(todo), size)]
