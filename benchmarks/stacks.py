"""How long an update of a stack with LEAF takes, beside its runs one by one, and its launches."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from benchmarks.measure import job, machine, medians, noise_material
from fewshot_audio.frontends.filterbank.engines import blockwise
from fewshot_audio.runner import environment
from fewshot_audio.training.loop import calibrate, initialise, updates_of
from fewshot_audio.training.prepare import prepare_run
from fewshot_audio.training.stack import Stack, Update, make_stack

RATE, SECONDS, CLASSES = 44100, 3, 5  # of the clips, one per class
SETTINGS = ("frontend=leaf", f"sample_rate={RATE}")
FREE = ("aten::empty", "aten::new_empty", "aten::detach", "aten::_unsafe_view", "aten::_local")


class Launches(TorchDispatchMode):
    """Count the operators that are dispatched, but for views and memory that is only reserved."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(
        self, operator: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        """Count one."""
        if not (operator.is_view or operator.name().startswith(FREE)):
            self.count += 1
        return operator(*args, **(kwargs or {}))


def launches(action: Callable[[], Any]) -> int:
    """Count an action's launches, in steps as large as a GPU's, wherever it runs."""
    before = blockwise.saves_launches
    blockwise.saves_launches = lambda like: True
    try:
        with Launches() as counted:
            action()
    finally:
        blockwise.saves_launches = before
    return counted.count


def stacks(sizes: list[int], rounds: int, threads: int) -> dict[str, Any]:
    """Milliseconds and launches of an update of TIMBRE with LEAF, of stacks of so many runs.

    Forward and backward; the frontends together, and run by run. Medians of `rounds`, by turns.
    """
    environment.set_up(threads, keep_memory=False)
    cases = [_case(size, rounds) for size in sizes]
    return {"bench": "stacks", "rounds": rounds, "machine": machine(threads), "cases": cases}


def _case(size: int, rounds: int) -> dict[str, Any]:
    stack, update = ready(size)
    actions = {way: partial(one_way, stack, update) for way, one_way in WAYS.items()}
    taken = medians(actions, rounds)
    result = {
        way: {"ms": 1000 * taken[way], "launches": launches(action)}
        for way, action in actions.items()
    }
    return {"runs": size, "ratio": round(taken["run by run"] / taken["together"], 2)} | result


def ready(size: int) -> tuple[Stack, Update]:
    """Return a stack of untrained runs on the machine's device, and its first update."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    wanted = job("timbre", *SETTINGS, "n_per_class=1", f"repeats={size}")
    material = noise_material(CLASSES, size, 1, SECONDS * RATE, 1)
    runs = [prepare_run(wanted, material, 1, repeat) for repeat in range(size)]
    networks, methods = [run.network.to(device) for run in runs], [run.method for run in runs]
    for network, method in zip(networks, methods, strict=True):
        initialise(network.train(), method)
    stack = make_stack(networks, methods)
    for network, data in zip(stack.networks, stack.data, strict=True):
        calibrate(network, data)
    sizes = networks[0].classifier.dropout_sizes
    batches = {run: next(iter(method.batches(sizes))) for run, method in enumerate(methods)}
    (update,) = updates_of(batches)
    return stack, Update(update.runs, update.batch.to(torch.device(device)))


def together(stack: Stack, update: Update) -> None:
    """Make the forward and backward pass of an update."""
    stack.losses(update).sum().backward()


def run_by_run(stack: Stack, update: Update) -> None:
    """Do the same, with the frontends of one run after another."""
    with _not_joined(stack):
        together(stack, update)


@contextmanager
def _not_joined(stack: Any) -> Iterator[None]:
    joined, stack.joined = getattr(stack, "joined", None), None
    try:
        yield
    finally:
        stack.joined = joined


WAYS = {"together": together, "run by run": run_by_run}
