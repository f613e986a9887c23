"""Write tables, figures and a page from the store: python scripts/report.py, or with +report=accuracy that table alone."""

import shlex
import sys

from fewshot_audio import cli as command
from fewshot_audio import config
from fewshot_audio.report import render
from fewshot_audio.report import results as shown
from fewshot_audio.report.published import check_used
from fewshot_audio.report.write import HEAD, notes_on, readme, texts, write
from fewshot_audio.types import NoRunsError, StoreError

QUESTION = "Does learning the compression, or the whole frontend, beat the fixed log-mel when only few clips per class exist?"
COMMAND = shlex.join(["python", "scripts/report.py", *sys.argv[1:]])


def main(cfg) -> bool:
    """Whether every table that was asked for could be made, of every results folder at or just below results=."""
    asked, alone = config.reporting(cfg), cfg.get("report") is not None
    complete, studies, tables = True, [], []
    for folder in shown.folders(asked.results, asked.also):
        try:
            results = shown.read(folder, asked.also if folder == asked.results else ())
        except StoreError as error:  # others may be whole
            print(f"error: {folder}: {error}", file=sys.stderr)
            complete = complete and isinstance(error, NoRunsError)
            continue
        made, errors = shown.tables(results, config.reports(cfg), asked)
        failed = [
            each for each in errors if alone or not isinstance(each, NoRunsError)
        ]  # not all have every table
        print(
            *(f"error: {error}" for error in failed),
            sep="\n",
            end="\n" * bool(failed),
            file=sys.stderr,
        )
        complete, tables = complete and not failed, tables + made
        studies.append(report(results, made, config.reports(cfg), asked, alone))
    check_used(asked.published, tables)
    if studies and "page" in asked.show and not alone:
        from fewshot_audio.report.page import page

        print(*write({"report.html": page(QUESTION, studies)}, asked.results))
    return complete and bool(studies)


def owned(file):
    """Whether a README was written here, or none is there; says so where it is somebody's own."""
    found = not file.exists() or file.read_text(errors="replace").startswith(HEAD)
    if not found:
        print(f"{file}: not made by this script, left as it is", file=sys.stderr)
    return found


def report(results, tables, wanted, asked, alone):
    """Write a folder's tables, and its figures unless one table is wanted `alone`; its section of the page."""
    notes, files, pictures = notes_on(results.found.runs), {}, []
    paired = shown.pairs(results, wanted)
    for table in tables:
        files |= texts(table, notes)
        print(f"\n{table.title}\n\n{render.markdown(table, notes)}", end="")
    if "figures" in asked.show and not alone:
        from fewshot_audio.report.figures import drawings, pictured  # tables need no matplotlib

        drawn, pictures = pictured(
            drawings(results.found.runs, paired, results.lines(), results.clip(), asked)
        )
        files |= drawn
    if not alone and owned(results.folder / "README.md"):
        files["README.md"] = readme([table.name for table in tables], results.found, notes, COMMAND)
    print(f"\n{results.folder}: {len(write(files, results.folder))} files in tables/ and figures/")
    return shown.study(results, tables, pictures, paired, asked, COMMAND)


if __name__ == "__main__":
    command.command(main)
