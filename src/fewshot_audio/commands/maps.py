"""Draw one clip under each frontend, or under those of frontend=log_eps,leaf.

python scripts/maps.py dataset=us8k dataset.root=FOLDER
"""

from fewshot_audio import cli


def main(sweep: cli.SweepOfJobs) -> None:
    """Write figures/spectrograms.* below results=; scripts/report.py shows them on its page."""
    from fewshot_audio.components import build  # while another process composes the sweep
    from fewshot_audio.report.export import write
    from fewshot_audio.report.figures import pictures
    from fewshot_audio.report.plots.spectrograms import spectrograms as draw
    from fewshot_audio.runner.spectrograms import spectrograms

    jobs, machine = sweep()
    dataset = build(jobs[0].dataset, name=jobs[0].dataset.name)
    files, _ = pictures([draw(spectrograms(jobs, dataset))])
    print(*write(files, machine.results), sep="\n")


def command() -> None:
    """Do the command line and exit."""
    cli.sweep_command(main, every="frontend")
