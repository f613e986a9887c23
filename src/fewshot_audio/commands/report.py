"""Write tables, figures and a page from the records of runs.

python scripts/report.py                                    all of it, of every folder in results/
python scripts/report.py +report=difference                 one table alone
python scripts/report.py report.compare=optimizer.lr        rows are the values of a setting
"""

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from omegaconf import DictConfig

from fewshot_audio import cli, config, mistakes
from fewshot_audio.components import TARGET
from fewshot_audio.report.build import FolderReport, is_own, report_folder
from fewshot_audio.report.export import write
from fewshot_audio.report.page import in_reading_order, page
from fewshot_audio.report.published import check_used
from fewshot_audio.report.records import results_folders
from fewshot_audio.types import NoRunsError, StoreError

QUESTION = (
    "Does learning the compression, or the whole frontend, beat the fixed log-mel when only few "
    "clips per class exist?"
)
AUDIO = "report.audio_root="  # a folder of this machine, which no page names
COMMAND = config.command_line(
    "report",
    [str(config.public(word)) if word.startswith(AUDIO) else word for word in sys.argv[1:]],
)


def main(cfg: DictConfig) -> bool:
    """Report every results folder at or just below results=; whether all tables could be made."""
    settings, components = config.reporting(cfg), config.reports(cfg)
    alone = cfg.report.name if TARGET in cfg.report else None
    complete, reports, without, said = True, [], [], []
    for folder in results_folders(settings.results, settings.also):
        also = settings.also if folder == settings.results else ()
        try:
            own = replace(settings, results=folder)
            report = report_folder([folder, *also], components, own, alone, COMMAND)
        except StoreError as error:  # other folders may be whole
            said.append(f"error: {folder}: {error}")
            complete = complete and isinstance(error, NoRunsError)
            continue
        for failure in report.errors:
            if isinstance(failure, NoRunsError):  # not every folder has every table
                without.append(f"error: {folder}: {failure}")
                continue
            said.append(f"error: {folder}: {failure}")
            complete = False
        said += [f"warning: {folder}: {note}" for note in report.warnings]
        if not is_own(folder / "README.md"):
            said.append(f"{folder}/README.md: not made by this script, left as it is")
        if not written(report.files, folder, report.stale):
            report, complete = replace(report, files={}), False
        reports.append(report)
    if alone and len(without) == len(reports):
        said += without
        complete = False
    check_used(settings.published, [table for report in reports for table in report.study.tables])
    if reports and "page" in settings.show and not alone:
        text = page(QUESTION, in_reading_order(report.study for report in reports))
        complete = written({"report.html": text}, settings.results) and complete
    show(reports)
    for message in said:  # last, where it is seen
        complain(message)
    return complete and bool(reports)


def written(files: Mapping[str, str | bytes], folder: Path, stale: Sequence[Path] = ()) -> bool:
    """Write files below a folder and remove others; return whether it could be done, or say why."""
    try:
        write(files, folder)
        for file in stale:
            file.unlink()
    except OSError as error:
        complain(f"error: {folder} cannot be written: {mistakes.explain(error)}")
        return False
    return True


def complain(message: str) -> None:
    """Print to the standard error."""
    print(message, file=sys.stderr)


def show(reports: Sequence[FolderReport]) -> None:
    """Print the tables, all files being written; who reads them may stop, as `head` does."""
    try:
        for report in reports:
            print(report.text())
            print(f"{report.folder}: {len(report.files)} files in tables/ and figures/")
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def command() -> None:
    """Do the command line and exit."""
    cli.command(main)
