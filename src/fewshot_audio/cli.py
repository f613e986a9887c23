"""Commands of the scripts: composed, run, their errors told, an exit code."""

import gc
import logging
import os
import signal
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_all_start_methods, get_context

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from fewshot_audio.config import CONF, check_names, explain, job, machine
from fewshot_audio.lifeline import exit_with_parent
from fewshot_audio.sweep import swept
from fewshot_audio.types import ConfigError, FewshotAudioError, Job, Machine

SweepOfJobs = Callable[[], tuple[list[Job], Machine]]
INTERRUPTED = 130  # what a shell gives a program that Ctrl-C ended


class Reported(Exception):
    """A command failed and has said why."""


def command(
    task: Callable[[DictConfig], bool], dry_task: Callable[[SweepOfJobs], None] | None = None
) -> None:
    """Compose conf/config.yaml with the command line, run the task (True: all is well) and exit.

    A dry run of a sweep goes to `dry_task`, if there is one, all jobs at once, which takes seconds instead of minutes.
    Exit code 0 when all is well, 1 when not, 130 after Ctrl-C; errors that a user can mend come without a traceback.
    """
    if (
        dry_task
        and {"-m", "--multirun"} & set(sys.argv)
        and "dry_run=true" in map(str.lower, sys.argv)
    ):
        sweep_command(dry_task)
        return
    logging.basicConfig(format="%(message)s", level=logging.INFO, stream=sys.stderr)
    logging.getLogger("fontTools").setLevel(
        logging.WARNING
    )  # tells what it leaves out of every font
    os.environ["HYDRA_FULL_ERROR"] = "1"  # exceptions come here instead of to hydra's own printer

    failures: list[bool] = []

    def checked(cfg: DictConfig) -> None:
        try:
            check_names(cfg)
            if not task(cfg):
                fail()
        except (
            FewshotAudioError,
            OmegaConfBaseException,
            OSError,
            YAMLError,
            BrokenProcessPool,
        ) as error:
            print(f"error: {explain(error)}", file=sys.stderr)
            fail()

    def fail() -> None:
        failures.append(True)
        if (
            HydraConfig.get().mode is RunMode.MULTIRUN
        ):  # the launcher may run this in another process
            raise Reported

    try:
        hydra.main(config_path=str(CONF), config_name="config", version_base="1.3")(checked)()
        sys.exit(bool(failures))
    except Reported:
        sys.exit(1)
    except (HydraException, OmegaConfBaseException, YAMLError) as error:
        print(f"error: {explain(error)}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print("interrupted; finished runs are kept, the same command goes on", file=sys.stderr)
        sys.exit(INTERRUPTED)


def sweep_command(task: Callable[[SweepOfJobs], None]) -> None:
    """Make every job that the command line would sweep after -m, run the task on what gives them, and exit.

    Another process composes them; the task asks for them once it has imported torch, which takes as long. Exit code 0, or 1 after
    an error that a user can mend, which comes without a traceback.
    """
    gc.disable()  # such commands are short: collecting garbage takes a fifth of their time and finds none
    start = "fork" if "fork" in get_all_start_methods() else None
    try:
        with ProcessPoolExecutor(1, get_context(start), _begin) as composer:
            task(
                composer.submit(
                    _jobs, [word for word in sys.argv[1:] if word not in ("-m", "--multirun")]
                ).result
            )
        sys.stdout.flush()
    except (FewshotAudioError, OSError, BrokenProcessPool) as error:
        print(f"error: {explain(error)}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(INTERRUPTED)
    os._exit(0)  # at once: there is nothing to put in order, for which torch takes up to a second


def _begin() -> None:
    """In the process that composes: leave Ctrl-C to the one that it works for, and end with it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    exit_with_parent()


def _jobs(overrides: Sequence[str]) -> tuple[list[Job], Machine]:
    """Overrides as after -m to every job, and where to do them. ConfigError on every mistake in them."""
    gc.disable()
    try:
        jobs, where = [], None
        for cfg in swept(overrides):
            jobs.append(job(cfg))
            where = where or machine(cfg)
        return jobs, where
    except (
        HydraException,
        OmegaConfBaseException,
        YAMLError,
    ) as error:  # some of which do not get out of a process
        raise ConfigError(explain(error)) from None
