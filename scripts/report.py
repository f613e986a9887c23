"""Write tables from the store: python scripts/report.py +report=accuracy, or without +report every table."""

import shlex
import sys

from fewshot_audio import config
from fewshot_audio.components import build
from fewshot_audio.report import render
from fewshot_audio.report.frame import frame
from fewshot_audio.report.write import write
from fewshot_audio.study.store import Store


def main(cfg) -> bool:
    """Write the tables that were asked for and print them."""
    results = config.machine(cfg).results
    lines = list(Store(results).lines())
    runs = frame(lines)
    tables = [build(each, runs=runs, name=each.name, partial=bool(cfg.partial)) for each in config.reports(cfg)]
    notes = sorted({note for line in lines for note in line.get("notes", ())})
    for path in write(tables, runs, notes, shlex.join(["python", "scripts/report.py", *sys.argv[1:]]), results):
        print(path)
    for table in tables:
        print(f"\n{render.markdown(table, notes)}", end="")
    return True


if __name__ == "__main__":
    config.command(main)
