"""Tables as CSV, Markdown and LaTeX."""

from collections.abc import Sequence

import pandas as pd

from fewshot_audio.report.tables import Table

COLUMNS = ["dataset", "model", "arm"]


def csv(cells: pd.DataFrame) -> str:
    """Cells to CSV with every digit."""
    return cells.to_csv(index=False, lineterminator="\n")


def markdown(table: Table, notes: Sequence[str]) -> str:
    """A table to Markdown: one row per dataset, model and arm, one column per n, and below it what its reader must know."""
    body = _wide(table).to_markdown(index=False, disable_numparse=True)
    return "\n".join([table.caption, "", body, "", *(f"- {note}" for note in notes)]).rstrip() + "\n"


def latex(table: Table) -> str:
    """A table to LaTeX with booktabs rules."""
    wide = _wide(table).map(_escape).rename(columns=_escape)
    columns = "l" * len(COLUMNS) + "r" * (wide.shape[1] - len(COLUMNS))
    lines = [" & ".join(row) + r" \\" for row in [list(wide.columns), *wide.to_numpy().tolist()]]
    body = [r"\toprule", lines[0], r"\midrule", *lines[1:], r"\bottomrule"]
    return "\n".join([f"% {table.caption}", rf"\begin{{tabular}}{{{columns}}}", *body, r"\end{tabular}", ""])


def _wide(table: Table) -> pd.DataFrame:
    """Cells as text, one column per n; a dash where there is none."""
    text = table.cells.assign(text=[_cell(cell, table) for cell in table.cells.itertuples()])
    wide = text.pivot(index=COLUMNS, columns="n_per_class", values="text").fillna("–")
    return wide.rename(columns=lambda n: f"n = {n}").rename_axis(columns=None).reset_index()


def _cell(cell, table: Table) -> str:
    """Mean ± spread (count), in percent with one decimal, or with three digits where it is no share."""
    scale, digits = (100, ".1f") if table.share else (1, ".3g")
    spread = "" if pd.isna(cell.spread) else f" ± {scale * cell.spread:{digits}}"
    return f"{scale * cell.mean:{'+' if table.signed else ''}{digits}}{spread} ({cell.count})"


def _escape(text: str) -> str:
    return text.replace("_", r"\_").replace("±", r"$\pm$").replace("–", "--").replace(" - ", " $-$ ")
