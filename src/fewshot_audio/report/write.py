"""Tables, figures and what is behind them, written below the results folder."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from fewshot_audio.files import atomic_write
from fewshot_audio.report import render
from fewshot_audio.report.layout import Table
from fewshot_audio.report.records import Found

HEAD = "# Results\n\nMade from the finished runs in `runs/`"  # of each folder's README
SHOWN = 10  # commands and reasons listed


def texts(table: Table, notes: Sequence[str]) -> dict[str, str]:
    """A table to its files below the results folder: CSV, Markdown, LaTeX, HTML, and its means by fold."""
    made = {
        f"tables/{table.name}.csv": render.csv(table.cells),
        f"tables/{table.name}.md": render.markdown(table, notes),
        f"tables/{table.name}.tex": render.latex(table),
        f"tables/{table.name}.html": render.html(table, table.name),
    }
    return (
        made
        if table.by_fold is None
        else made | {f"tables/{table.name}_by_fold.csv": render.csv(table.by_fold)}
    )


def write(files: Mapping[str, str | bytes], folder: Path) -> list[Path]:
    """Write files by name below a folder, each whole or not at all; the paths written."""
    for name, content in files.items():
        with atomic_write(folder / name) as draft:
            draft.write_bytes(content.encode() if isinstance(content, str) else content)
    return [folder / name for name in files]


def notes_on(runs: pd.DataFrame) -> list[str]:
    """What a reader of the tables must know about the data and the runs."""
    notes = sorted(set().union(*runs["notes"]))
    lost = runs[runs["unscored_clips"] > 0]
    if len(lost):
        notes.append(
            f"{lost['nan_clips'].sum()} clips in {len(lost)} runs had no finite score and count as wrong"
        )
    return notes


def provenance(found: Found) -> list[tuple[str, str]]:
    """What was run, where, and with which versions, as names and values."""
    runs = found.runs
    facts = [
        ("Finished runs", f"{len(runs)}"),
        ("Data", ", ".join(sorted(runs["dataset"].unique()))),
    ]
    facts += [("Failed runs", _counted(found.failures.items()))] if found.failures else []
    for name, column in (("Commits", "commit"), ("Versions", "versions"), ("Machines", "machine")):
        if counts := [
            (value, count) for value, count in sorted(runs[column].value_counts().items()) if value
        ]:
            facts.append((name, _counted(counts)))
    return facts


def _counted(counts) -> str:
    shown = [f"{value} ({count} runs)" for value, count in list(counts)[:SHOWN]]
    return "; ".join(shown) + (f"; … and {len(counts) - SHOWN} more" if len(counts) > SHOWN else "")


def run_commands(runs: pd.DataFrame) -> list[tuple[str, str]]:
    """The commands that did runs, with how many each did."""
    counts = sorted(runs["command"].dropna().value_counts().items())
    rest = len(counts) - SHOWN
    more = [(f"… and {rest} more, in the lines of runs/", "")] if rest > 0 else []
    return [(f"Do {count} of the runs", command) for command, count in counts[:SHOWN]] + more


def readme(made: Sequence[str], found: Found, notes: Sequence[str], command: str) -> str:
    """What the files of a results folder are and which runs, commits and command are behind them."""
    lines = [
        f"{HEAD} by `{command}`.",
        "",
        *[f"- {name}: {value}" for name, value in provenance(found)],
        *[f"- {note}" for note in notes],
        "",
        f"`tables/`: {', '.join(made)}; CSV with every digit (shares of 1), Markdown, LaTeX, HTML, and by fold. `figures/`: PNG, "
        "PDF and the data drawn.",
    ]
    return "\n".join(lines).rstrip() + "\n"
