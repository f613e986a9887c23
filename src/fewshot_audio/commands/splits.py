"""Write few-shot splits as CSV: scripts/splits.py dataset=us8k dataset.root=... splits=FILE.csv."""

from omegaconf import DictConfig

from fewshot_audio import cli, config


def main(cfg: DictConfig) -> bool:
    """Write the seeded splits of every fold to the file that splits= names."""
    from fewshot_audio.runner.plan import export_splits  # imports torch, which --help does not need

    job = config.job(cfg)
    print(f"{job.splits}: {export_splits(job)} few-shot splits")
    return True


def command() -> None:
    """Do the command line and exit."""
    cli.command(main)
