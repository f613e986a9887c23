"""How far a job or a sweep is: python scripts/status.py +study=us8k_two_folds dataset.root=... (or what follows -m elsewhere)"""

import logging

from fewshot_audio import cli as command


def main(sweep) -> None:
    """Print the state of every job of a sweep."""
    from fewshot_audio.runner import status  # here, while another process composes the sweep

    logging.disable(logging.WARNING)  # what is special about the data is said by the runs
    print(status.status(*sweep()))


if __name__ == "__main__":
    command.sweep_command(main)
