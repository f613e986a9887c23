"""Do the runs of a job, or of every job of a sweep (-m): python scripts/run.py dataset=us8k dataset.root=... model=vgg"""

from fewshot_audio import cli as command
from fewshot_audio import config
from fewshot_audio.runner.job_slots import place


def main(cfg) -> bool:
    """Whether every run that was asked for is finished."""
    settings, machine = config.job(cfg), config.machine(cfg)
    if machine.dry_run:
        plan(lambda: ([settings], machine))
        return True
    with place(machine.cache / "at_once", machine.at_once):
        from fewshot_audio.runner import (
            execute as work,  # here, because worker processes import this file too, and waiting ones need no torch
        )

        outcome = work.run(settings, machine)
    for line in outcome.failed + outcome.left:
        n, repeat = (line["identity"][name] for name in ("n_per_class", "repeat"))
        what = (
            f"{line['error']} ({line['cause']})"
            if "cause" in line
            else f"{line['error']} (before, not tried again)"
        )
        print(f"failed: {work.title(settings)}, n {n}, repeat {repeat}: {what}")
    return not outcome.failed and not outcome.left


def plan(sweep) -> None:
    """Print what the jobs of a sweep would do."""
    from fewshot_audio.runner import plan as job  # here, while another process composes the sweep

    print(job.plans(*sweep()))


if __name__ == "__main__":
    command.command(main, plan)
