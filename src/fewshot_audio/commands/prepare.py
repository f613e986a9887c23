"""Build the feature cache that a job reads: scripts/prepare.py dataset=us8k dataset.root=..."""

from omegaconf import DictConfig

from fewshot_audio import cli, config


def main(cfg: DictConfig) -> bool:
    """Build the cache where it is not there yet."""
    from fewshot_audio.runner.plan import prepare  # imports torch; builders import this file too

    for cache in prepare(config.job(cfg), config.machine(cfg)).files:
        size = cache.features.nbytes / 2**20
        print(f"feature cache {cache.key}: {len(cache.spans)} clips, {size:.0f} MiB")
    return True


def command() -> None:
    """Do the command line and exit."""
    cli.command(main)
