"""Draw the filters of trained networks, before and after training.

python scripts/filters.py results/checkpoints/CHECKPOINT ...

Impulse and frequency responses, bandwidths against centres, compression, and how far each filter
moved. Several checkpoints, as of several tasks or frontends, are drawn beside each other. The
figures lie in figures/ of the first checkpoint's results, where scripts/report.py shows them.
"""

import argparse
from pathlib import Path

from fewshot_audio import cli


def command() -> None:
    """Write the figures, as PNG, PDF and CSV."""
    about = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=about)
    parser.add_argument("checkpoints", nargs="+", type=Path, metavar="CHECKPOINT")
    parser.add_argument("--results", type=Path, metavar="FOLDER", help="write there instead")
    arguments = parser.parse_args()
    results = arguments.results or arguments.checkpoints[0].resolve().parents[1]
    with cli.exit_codes():
        draw(arguments.checkpoints, results)


def draw(checkpoints: list[Path], results: Path) -> None:
    """Draw the filters of checkpoints into figures/ below a results folder."""
    from fewshot_audio.report.export import write  # seconds, which --help does not need
    from fewshot_audio.report.plots import learned_filters, responses
    from fewshot_audio.report.plots.files import figure_files
    from fewshot_audio.runner.trained_frontends import filter_tables, trained

    tables = filter_tables(trained(checkpoints))
    learned = tables["learned_filters"]
    drawings = [
        responses.impulse_responses(tables["impulse_responses"]),
        responses.frequency_responses(tables["frequency_responses"]),
        learned_filters.filter_bandwidths(learned),
    ]
    if set(learned["quantity"]) > set(learned_filters.PLACES):
        drawings.append(learned_filters.filter_compression(learned))
    if len(moved := learned.dropna()):
        drawings.append(learned_filters.filter_shifts(moved))
    files = figure_files(drawings)
    print(*write(files, results), sep="\n")
