"""Build the bank that a job reads: python scripts/prepare.py dataset=us8k dataset.root=..."""

from fewshot_audio import cli as command
from fewshot_audio import config


def main(cfg) -> bool:
    """Build the bank where it is not there yet."""
    from fewshot_audio.runner import (
        plan as job,  # here, because the processes that build a bank import this file too
    )

    bank = job.prepare(config.job(cfg), config.machine(cfg))
    print(f"bank {bank.key}: {len(bank.spans)} clips, {bank.rows.nbytes / 2**20:.0f} MiB")
    return True


if __name__ == "__main__":
    command.command(main)
