"""Tables and what is behind them, written below the results folder."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from fewshot_audio.data.files import written_whole
from fewshot_audio.report import render
from fewshot_audio.report.tables import Table


def write(tables: Sequence[Table], runs: pd.DataFrame, notes: Sequence[str], command: str, results: Path) -> list[Path]:
    """Write tables/ and figures/ (data by fold) and a README that says what they were made from; the paths written."""
    texts = {}
    for table in tables:
        texts[f"tables/{table.name}.csv"] = render.csv(table.cells)
        texts[f"tables/{table.name}.md"] = render.markdown(table, notes)
        texts[f"tables/{table.name}.tex"] = render.latex(table)
        texts[f"figures/{table.name}_by_fold.csv"] = render.csv(table.by_fold)
    texts["README.md"] = provenance(tables, runs, notes, command)
    for name, text in texts.items():
        with written_whole(results / name) as draft:
            draft.write_text(text, encoding="utf-8")
    return [results / name for name in texts]


def provenance(tables: Sequence[Table], runs: pd.DataFrame, notes: Sequence[str], command: str) -> str:
    """What the files of a results folder are and which runs, commits and command are behind them."""
    commits = runs["commit"].fillna("none").value_counts().sort_index()
    lines = [
        "# Results",
        "",
        f"{len(runs)} finished runs in `runs/`, done at commit {', '.join(f'{c} ({k})' for c, k in commits.items())}.",
        f"Tables by `{command}`: {', '.join(table.name for table in tables)}.",
        "`tables/*.csv` hold means and spreads as shares of 1 with every digit; `figures/*_by_fold.csv` the same per fold.",
        "",
        *[f"- {note}" for note in notes],
    ]
    return "\n".join(lines).rstrip() + "\n"
