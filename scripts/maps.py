"""Sampling one clip under each frontend: python scripts/maps.py dataset=us8k dataset.root=... [frontend=log_eps,leaf]"""

import sys

from fewshot_audio import cli as command
from fewshot_audio import config


def main(sweep) -> None:
    """Write figures/maps.* below results=, of a test clip of the fold; scripts/report.py shows it on its page."""
    from fewshot_audio.components import build
    from fewshot_audio.report.drawing import save
    from fewshot_audio.report.plots_frontends import maps
    from fewshot_audio.report.write import write
    from fewshot_audio.runner.spectrograms import maps_of

    jobs, machine = sweep()
    dataset = build(jobs[0].dataset, name=jobs[0].dataset.name)
    files = {
        f"figures/{name}": content for name, content in save(maps(maps_of(jobs, dataset))).items()
    }
    print(*write(files, machine.results), sep="\n")


if __name__ == "__main__":
    if not any(word.startswith("frontend=") for word in sys.argv):
        sys.argv.append(f"frontend={','.join(config.choices('frontend'))}")
    command.sweep_command(main)
