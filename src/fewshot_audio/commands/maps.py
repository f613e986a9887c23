"""Draw one clip under each frontend, or under those of frontend=log_eps,leaf.

python scripts/maps.py dataset=us8k dataset.root=FOLDER
python scripts/maps.py results/checkpoints/CHECKPOINT word.wav   before and after training
"""

import sys
from pathlib import Path

from fewshot_audio import cli


def main(sweep: cli.SweepOfJobs) -> None:
    """Write figures/spectrograms.* below results=; scripts/report.py shows them on its page."""
    from fewshot_audio.components import build  # while another process composes the sweep
    from fewshot_audio.datasets.base import Dataset
    from fewshot_audio.report.export import write
    from fewshot_audio.report.plots.files import figure_files
    from fewshot_audio.report.plots.spectrograms import spectrograms as draw
    from fewshot_audio.runner.spectrograms import spectrograms

    jobs, machine = sweep()
    dataset = build(jobs[0].dataset, Dataset, name=jobs[0].dataset.name)
    files = figure_files([draw(spectrograms(jobs, dataset))])
    print(*write(files, machine.results), sep="\n")


def before_and_after(checkpoints: list[Path], file: Path) -> None:
    """Write figures/before_and_after.* into the results of the first checkpoint."""
    from fewshot_audio.report.export import write
    from fewshot_audio.report.plots.files import figure_files
    from fewshot_audio.report.plots.spectrograms import before_and_after as draw
    from fewshot_audio.runner.trained_frontends import clip_table, trained

    files = figure_files([draw(clip_table(trained(checkpoints), file))])
    print(*write(files, checkpoints[0].resolve().parents[1]), sep="\n")


def command() -> None:
    """Do the command line and exit."""
    words = sys.argv[1:]
    if len(words) < 2 or any("=" in word or word.startswith("-") for word in words):
        cli.sweep_command(main, every="frontend")
    with cli.exit_codes():
        before_and_after([Path(word) for word in words[:-1]], Path(words[-1]))
