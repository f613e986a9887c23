"""What made the runs: data, versions, machines, and the command of each number."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import pandas as pd

from fewshot_audio.progress import counted
from fewshot_audio.report.classes import classes_left_out
from fewshot_audio.report.missing import command_of
from fewshot_audio.report.records import ALL_CLIPS, ROW
from fewshot_audio.report.selection import Selection
from fewshot_audio.report.text import n_text

SHOWN = 10  # values listed


@dataclass(frozen=True)
class Runs:
    """The runs of one row of tables.

    Attributes:
        row: Dataset, model, and what is compared.
        counts: Of runs by n per class, as text.
        folds: Their folds.
        command: What does all of them.
    """

    row: tuple[str, str, str]
    counts: Mapping[str, int]
    folds: str
    command: str


def runs_behind(selection: Selection) -> list[Runs]:
    """Return the runs behind the numbers of tables, row by row."""
    behind = []
    by = [*ROW, "pool", selection.runs["n_per_class"] == ALL_CLIPS]
    for key, group in selection.runs.groupby(by, sort=False):
        counts = group.groupby("n_per_class").size()
        row = (str(key[0]), str(key[1]), " ".join(filter(None, map(str, key[2:4]))))
        folds = ", ".join(map(str, sorted(group["fold"].unique())))
        by_n = {n_text(n): int(count) for n, count in counts.items()}
        behind.append(Runs(row, by_n, folds, command_of(group, selection)))
    return sorted(behind, key=lambda each: each.row)


def notes_on(runs: pd.DataFrame) -> list[str]:
    """Return the datasets' notes, and how many clips and classes had no score."""
    notes = sorted({note for notes in runs["notes"] for note in notes})
    lost = runs[runs["unscored_clips"] > 0]
    if len(lost):
        clips, in_runs = lost["unscored_clips"].sum(), counted(len(lost), "run")
        notes.append(f"{clips} clips in {in_runs} had no finite score and count as wrong")
    return notes + classes_left_out(runs)


def provenance(runs: pd.DataFrame, failures: Mapping[str, int]) -> list[tuple[str, str]]:
    """Return what was run, where, and with which versions, as names and values."""
    datasets = ", ".join(sorted(runs["dataset"].unique()))
    facts = [("Finished runs", f"{len(runs)}"), ("Data", datasets)]
    if failures:
        facts.append(("Failed runs", _counted(failures.items())))
    for name, column in (("Commits", "commit"), ("Versions", "versions"), ("Machines", "machine")):
        counts = sorted(runs[column].value_counts().items())
        if known := [(value, count) for value, count in counts if value]:
            facts.append((name, _counted(known)))
    return facts


def _counted(counts: Iterable[tuple[str, int]]) -> str:
    texts = [f"{value} ({counted(count, 'run')})" for value, count in counts]
    more = f"; … and {len(texts) - SHOWN} more" if len(texts) > SHOWN else ""
    return "; ".join(texts[:SHOWN]) + more
