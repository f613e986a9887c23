"""Write a job's draws as CSV: python scripts/draws.py dataset=us8k dataset.root=... fold=1 draws=draws.csv"""

from fewshot_audio import command, config


def main(cfg) -> bool:
    """Write the seeded draws of one dataset and fold to the file that draws= names."""
    from fewshot_audio import job  # here, because the processes that build a bank import this file too

    settings = config.job(cfg)
    print(f"{settings.draws}: {job.export_draws(settings)} draws")
    return True


if __name__ == "__main__":
    command.command(main)
