"""Do the runs of a job, or of every job of a sweep (-m).

python scripts/run.py dataset=us8k dataset.root=FOLDER fold=1 model=vgg frontend=log_eps
"""

import sys

from omegaconf import DictConfig

from fewshot_audio import cli, config
from fewshot_audio.runner.job_slots import job_slot
from fewshot_audio.types import Job, Machine


def main(cfg: DictConfig) -> bool:
    """Return whether every run that was asked for is finished."""
    job, machine = config.job(cfg), config.machine(cfg)
    if machine.dry_run:
        plan(lambda: ([job], machine))
        return True
    with job_slot(machine.cache / "job_slots", machine.max_jobs):
        from fewshot_audio.runner import (  # import torch: not while waiting, nor in workers
            execute,
            messages,
        )

        result = execute.run(job, machine, cli.sweep_bar())
    for record in result.failed + result.left:
        print(messages.failure(job, record))
    return not result.failed and not result.left


def plan(sweep: cli.SweepOfJobs) -> None:
    """Print what the jobs of a sweep would do."""
    from fewshot_audio.runner import status  # while another process composes the sweep

    print(status.plans(*sweep()))


def open_datasets(jobs: list[Job], machine: Machine) -> None:
    """Raise an error where a dataset of a sweep cannot be opened."""
    from fewshot_audio.runner.plan import Planner

    planner = Planner()
    for job in jobs:
        planner.dataset(job.dataset)


def summarise(jobs: list[Job], machine: Machine) -> None:
    """Print what a sweep came to, and the next command."""
    from fewshot_audio.runner import status

    print(status.summary(jobs, machine, config.command_line("run", sys.argv[1:])))


def command() -> None:
    """Do the command line and exit."""
    cli.command(main, plan, open_datasets, summarise)
