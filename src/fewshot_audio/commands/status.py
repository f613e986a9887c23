"""Say how far a job or a sweep is; give what follows run.py, or run.py -m.

python scripts/status.py +study=us8k_three_folds dataset.root=FOLDER
"""

import logging

from fewshot_audio import cli


def main(sweep: cli.SweepOfJobs) -> None:
    """Print the state of every job of a sweep."""
    from fewshot_audio.runner.status import status  # while another process composes the sweep

    logging.disable(logging.WARNING)  # what is special about the data is said by the runs
    print(status(*sweep()))


def command() -> None:
    """Do the command line and exit."""
    cli.sweep_command(main)
