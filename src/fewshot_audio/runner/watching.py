"""What shows runs while they train, and where."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from fewshot_audio.training.watch import Watch, make_logger, watch
from fewshot_audio.types import ConfigError, Job, Machine, RunSpec

KEY_START = 8  # letters of a key that tell runs with other settings apart


@contextmanager
def watching(job: Job, machine: Machine, specs: Sequence[RunSpec]) -> Iterator[list[Watch]]:
    """Give what shows each of some runs, none where nothing does; it is closed afterwards."""
    if machine.logger is None:
        yield []
        return
    watches: list[Watch] = []
    try:
        for spec in specs:
            n = "all" if spec.n_per_class is None else spec.n_per_class
            run = f"n{n}-r{spec.repeat}-{spec.key[:KEY_START]}"
            watches.append(watch(machine.logger, *_place(job, machine), run, spec.identity))
        yield watches
    finally:
        for each in watches:
            each.close()


def check_logger(job: Job, machine: Machine) -> None:
    """ConfigError where the logger cannot be made, or cannot show the job; nothing is written."""
    if machine.logger is None:
        return
    if (devices := job.method.arguments.get("devices", 1)) != 1:
        raise ConfigError(f"logger: expected method.devices=1, found {devices}; set logger=none")
    make_logger(machine.logger, *_place(job, machine), "check")


def _place(job: Job, machine: Machine) -> tuple[Path, str]:
    """Return the folder of logs, and what a job's runs have in common."""
    name = f"{job.dataset.name}-fold{job.fold}-{job.model.name}-{job.frontend.name}"
    return machine.results / "logs", name
