"""Write tables from the store: python scripts/report.py +report=accuracy, or without +report every table."""

import shlex
import sys

from fewshot_audio import config
from fewshot_audio.components import build
from fewshot_audio.report import render
from fewshot_audio.report.frame import frame
from fewshot_audio.report.write import notes_on, write
from fewshot_audio.study.store import Store
from fewshot_audio.types import NothingToShow, StoreError


def main(cfg) -> bool:
    """Write the tables that were asked for and print them."""
    results, also = config.machine(cfg).results, config.also(cfg)
    lines = [line for folder in (results, *also) for line in Store(folder).lines()]
    runs = frame(lines)
    tables, absent, complete = [], [], True
    for each in config.reports(cfg):
        try:
            tables.append(build(each, runs=runs, name=each.name, partial=bool(cfg.partial)))
        except NothingToShow as error:  # not every results folder has the runs of every table
            absent.append(error)
        except StoreError as error:  # the other tables may do
            print(f"error: {error}", file=sys.stderr)
            complete = False
    if not tables:
        print(*(f"error: {error}" for error in absent), sep="\n", file=sys.stderr)
        return False
    notes = notes_on(lines, runs)
    for path in write(tables, runs, notes, shlex.join(["python", "scripts/report.py", *sys.argv[1:]]), results):
        print(path)
    for table in tables:
        print(f"\n{render.markdown(table, notes)}", end="")
    return complete


if __name__ == "__main__":
    config.command(main)
