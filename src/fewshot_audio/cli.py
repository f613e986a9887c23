"""Commands of the scripts: composed, run, their errors explained, an exit code."""

import gc
import logging
import os
import sys
from argparse import Namespace
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_all_start_methods, get_context
from typing import Any, NoReturn

import hydra
from hydra._internal.utils import get_args_parser
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from fewshot_audio import compose, config, mistakes, processes, sweep
from fewshot_audio.processes import begin_worker
from fewshot_audio.progress import LogAboveBar, RunBar, counted
from fewshot_audio.types import ConfigError, FewshotAudioError, Job, Machine

Sweep = tuple[list[Job], Machine]
SweepOfJobs = Callable[[], Sweep]
INTERRUPTED, TERMINATED = 130, 143  # what a shell gives a program that Ctrl-C or SIGTERM ended
OF_HYDRA = (HydraException, OmegaConfBaseException, YAMLError)
MENDABLE = (FewshotAudioError, *OF_HYDRA, OSError, BrokenProcessPool)  # without a traceback


class Reported(Exception):
    """A command failed and has said why."""


_bar: RunBar | None = None  # over the sweep whose jobs this process does


def sweep_bar() -> RunBar | None:
    """Return the bar over all jobs of a sweep, None where this process does not do them all."""
    return _bar


def command(
    run: Callable[[DictConfig], bool],
    plan: Callable[[SweepOfJobs], None] | None = None,
    before: Callable[[list[Job], Machine], None] | None = None,
    after: Callable[[list[Job], Machine], None] | None = None,
) -> None:
    """Compose conf/config.yaml with the command line, run a task and exit.

    The exit code is 0 when all is well, 1 when not, 130 after Ctrl-C, 143 after SIGTERM; errors
    that a user can mend come without a traceback. A dry run of a sweep plans its jobs at once.

    Args:
        run: The task of one job; returns whether all is well.
        plan: What a dry run does with all jobs of a sweep.
        before: Called with all jobs of a sweep before the first; an error stops the sweep.
        after: Called with all jobs after the last, also where jobs failed.
    """
    arguments, overrides = _arguments()
    if plan and arguments.multirun and "dry_run=true" in map(str.lower, arguments.overrides):
        sweep_command(plan)
        return
    logging.basicConfig(format="%(message)s", level=logging.INFO, handlers=[LogAboveBar()])
    for quiet in ("fontTools", "hydra"):
        logging.getLogger(quiet).setLevel(logging.WARNING)
    os.environ["HYDRA_FULL_ERROR"] = "1"  # exceptions come here instead of to Hydra's own printer
    jobs = None
    with exit_codes(overrides, "; finished runs are kept, the same command goes on"):
        if _asks_hydra(arguments):
            _answer(run)
        if arguments.multirun and before:
            jobs = _jobs(overrides)
            before(*jobs)
            _begin_bar(jobs[0], overrides)
        failed = _with_hydra(run, overrides)
        if jobs and after:
            if _bar is not None:
                _bar.close()
            after(*jobs)
    sys.exit(int(failed))  # wandb takes no bool


@contextmanager
def exit_codes(overrides: Sequence[str] = (), interrupted: str = "") -> Iterator[None]:
    """End with a message and an exit code after a signal, or an error that a user can mend."""
    try:
        with processes.heeding_sigterm():
            yield
    except KeyboardInterrupt:
        terminated = processes.terminated()
        print("terminated" if terminated else "interrupted", interrupted, sep="", file=sys.stderr)
        sys.exit(TERMINATED if terminated else INTERRUPTED)
    except (*MENDABLE, ValueError) as error:
        if not isinstance(error, MENDABLE) and mistakes.NO_CHOICE not in str(error):
            raise
        _complain(error, overrides)
        sys.exit(1)
    finally:
        if _bar is not None:
            _bar.close()


def _with_hydra(run: Callable[[DictConfig], bool], overrides: Sequence[str]) -> bool:
    """Do a task for each job under hydra.main; return whether one failed."""
    failures, process, stopped_by = [], os.getpid(), Counter[str]()

    def checked(cfg: DictConfig) -> None:
        single = HydraConfig.get().mode is RunMode.RUN
        try:
            if single:
                compose.check_names(cfg, overrides)
            if run(cfg):
                return
        except MENDABLE as error:
            if stopped_by[str(error)] == 0:
                _complain(error, overrides)
            stopped_by[str(error)] += 1
        failures.append(cfg)
        if os.getpid() != process:  # a launcher's; here Hydra would print the overrides too
            raise Reported

    try:
        _hydra_main(checked, run)
    except Reported:
        return True
    if (jobs := stopped_by.total()) > 1:
        stopped, errors = counted(jobs, "job"), counted(len(stopped_by), "error")
        print(f"{stopped} stopped by {errors}, named above: mend what it names", file=sys.stderr)
    return bool(failures)


def _hydra_main(task: Callable[[DictConfig], Any], command: Callable) -> None:
    about = str(sys.modules[command.__module__].__doc__).strip()
    OmegaConf.register_new_resolver("program", lambda: about, replace=True)  # for --help
    hydra.main(config_path=str(compose.CONF), config_name="config", version_base="1.3")(task)()


def _answer(command: Callable) -> NoReturn:
    """Let Hydra print what it was asked for, and exit; who reads it may stop, as `head` does."""
    try:
        _hydra_main(lambda cfg: None, command)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(0)


def sweep_command(task: Callable[[SweepOfJobs], None], every: str | None = None) -> None:
    """Compose every job that the command line would sweep after -m, run a task on them and exit.

    Another process composes them; the task asks for them once it has imported torch, which takes as
    long. The exit code is 0, or 1 after an error that a user can mend.

    Args:
        task: Is called with what gives it the jobs.
        every: A group of which each choice that needs no setting is taken where the command line
            makes none.
    """
    arguments, overrides = _arguments()
    if _asks_hydra(arguments):
        with exit_codes(overrides):
            _answer(task)
    if every is not None and not any(text.startswith(f"{every}=") for text in overrides):
        overrides.append(f"{every}={','.join(compose.complete(every, overrides))}")
    gc.disable()  # it takes a fifth of the time of so short a command and finds nothing
    start = "fork" if "fork" in get_all_start_methods() else None
    with exit_codes(overrides):
        with ProcessPoolExecutor(1, get_context(start), begin_worker) as composer:
            task(composer.submit(_jobs, overrides).result)
        sys.stdout.flush()
    os._exit(0)  # at once: there is nothing to put in order, for which torch takes up to a second


def _jobs(overrides: Sequence[str]) -> Sweep:
    """Return every job of a sweep, and where to do them. ConfigError on every mistake in them."""
    jobs, machine = [], None
    try:
        for cfg in sweep.swept(overrides):
            jobs.append(config.job(cfg))
            machine = machine or config.machine(cfg)
    except OF_HYDRA as error:  # some of which do not get out of a process
        raise ConfigError(mistakes.explain(error, overrides)) from None
    assert machine is not None
    return jobs, machine


def _begin_bar(jobs: Sequence[Job], overrides: Sequence[str]) -> None:
    global _bar
    if sweep.launcher(overrides) == "BasicLauncher":
        runs = sum(sum(job.repeats.values()) for job in jobs)
        _bar = RunBar(counted(len(jobs), "job"), runs)


def _complain(error: BaseException, overrides: Sequence[str]) -> None:
    print(f"error: {mistakes.explain(error, overrides)}", file=sys.stderr)


def _arguments() -> tuple[Namespace, list[str]]:
    """Return the command line and its overrides; put its options first, where Hydra wants them."""
    arguments = get_args_parser().parse_intermixed_args()
    overrides = list(arguments.overrides)
    options = [word for word in sys.argv[1:] if word not in overrides]
    sys.argv[1:] = [*options, *overrides]
    return arguments, compose.with_searchpath(overrides, arguments.config_dir)


def _asks_hydra(arguments: Namespace) -> bool:
    """Return whether the command asks Hydra for something, as --help, instead of a task."""
    names = ("help", "hydra_help", "cfg", "info", "shell_completion")
    return any(getattr(arguments, name) for name in names)
