"""Tables and what is behind them, written below the results folder."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import pandas as pd

from fewshot_audio.data.files import written_whole
from fewshot_audio.report import render
from fewshot_audio.report.tables import Table
from fewshot_audio.study.store import Line


def notes_on(lines: Iterable[Line], runs: pd.DataFrame) -> list[str]:
    """What a reader of the tables must know about the data and the runs."""
    notes = sorted({note for line in lines for note in line.get("notes", ())})
    lost = runs[runs["nan_clips"] > 0]
    if len(lost):
        notes.append(f"{lost['nan_clips'].sum()} clips in {len(lost)} runs had no finite score and count as wrong")
    return notes


def write(tables: Sequence[Table], runs: pd.DataFrame, notes: Sequence[str], command: str, results: Path) -> list[Path]:
    """Write tables/ and figures/ (data by fold), and a README that says what they were made from; the paths written."""
    texts = {}
    for table in tables:
        texts[f"tables/{table.name}.csv"] = render.csv(table.cells)
        texts[f"tables/{table.name}.md"] = render.markdown(table, notes)
        texts[f"tables/{table.name}.tex"] = render.latex(table)
        texts[f"figures/{table.name}_by_fold.csv"] = render.csv(table.by_fold)
    for name, text in texts.items():
        _write(results / name, text)
    _write(results / "README.md", provenance([table.name for table in tables], runs, notes, command))
    return [*(results / name for name in texts), results / "README.md"]


def _write(path: Path, text: str) -> None:
    with written_whole(path) as draft:
        draft.write_text(text, encoding="utf-8")


def provenance(made: Sequence[str], runs: pd.DataFrame, notes: Sequence[str], command: str) -> str:
    """What the files of a results folder are and which runs, commits and command are behind them."""
    commits = runs["commit"].value_counts().sort_index()
    lines = [
        "# Results",
        "",
        f"{len(runs)} finished runs in `runs/`, done at commit {', '.join(f'{c} ({k})' for c, k in commits.items())}.",
        f"Tables ({', '.join(made)}) by `{command}`.",
        "`tables/*.csv` hold means and spreads as shares of 1 with every digit; `figures/*_by_fold.csv` the same per fold.",
        "",
        *[f"- {note}" for note in notes],
    ]
    return "\n".join(lines).rstrip() + "\n"
