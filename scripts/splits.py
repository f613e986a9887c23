"""Write a job's draws as CSV: python scripts/splits.py dataset=us8k dataset.root=... fold=1 splits=splits.csv"""

from fewshot_audio import cli as command
from fewshot_audio import config


def main(cfg) -> bool:
    """Write the seeded draws of one dataset and fold to the file that splits= names."""
    from fewshot_audio.runner import (
        plan as job,  # here, because the processes that build a bank import this file too
    )

    settings = config.job(cfg)
    print(f"{settings.splits}: {job.export_splits(settings)} draws")
    return True


if __name__ == "__main__":
    command.command(main)
