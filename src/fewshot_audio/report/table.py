"""Tables as numbers and as text."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import pandas as pd

from fewshot_audio.report.selection import Selection
from fewshot_audio.report.settings import FRONTEND
from fewshot_audio.report.text import NONE, joined, minus, n_text
from fewshot_audio.report.written import written

DIFFERENCE = "difference"


@dataclass(frozen=True)
class Table:
    """A table as numbers and as text.

    Attributes:
        name: Of its files.
        title: Its heading.
        caption: What its reader must know.
        cells: A row per cell, with every digit; shares are shares of 1.
        text: What readers see. Columns have one name, or an upper and a lower one.
        bold: Of the shape of `text`: what stands out.
        labels: Number of columns at the left that name the row.
    """

    name: str
    title: str
    caption: str
    cells: pd.DataFrame
    text: pd.DataFrame
    bold: pd.DataFrame
    labels: int


def pivot(
    selection: Selection,
    name: str,
    title: str,
    caption: str,
    cells: pd.DataFrame,
    rows: Sequence[str],
    columns: Sequence[str],
) -> Table:
    """Lay cells out as a table.

    Args:
        selection: What the cells were made of.
        name: Of the table's files.
        title: Its heading, in which {metric}, {compared}, {frontends} and {pairs} are filled in.
        caption: What its reader must know.
        cells: Numbers, with their `text` and whether they are `bold`. Published numbers in them
            come as frontends of their own.
        rows: The cells' columns that name rows; difference stands for first − second.
        columns: The cells' columns that name columns.
    """
    shown = with_difference(cells)
    if "published" in cells:
        shown = pd.concat([shown, _published(shown, selection)], ignore_index=True)
    shown = shown.astype({label: object for label in (*rows, *columns) if label != "n_per_class"})
    wide = shown.pivot(index=list(rows), columns=list(columns), values=["text", "bold"])
    labels = wide.index.to_frame(index=False)
    if "n_per_class" in rows:
        labels["n_per_class"] = labels["n_per_class"].map(n_text)
    wide = wide.sort_index(axis=1).reset_index(drop=True)
    heads = _heads(rows, wide["text"].columns, len(columns), selection)
    text = pd.concat([labels, wide["text"].fillna(NONE)], axis=1)
    bold = pd.concat([labels.notna() & False, wide["bold"].eq(True)], axis=1)
    text.columns = bold.columns = heads
    numbers = named(cells.drop(columns=["text", "bold"]), selection)
    title = in_words(title, selection, cells)
    return Table(name, title, caption, numbers, text, bold, len(rows))


def plain_table(
    selection: Selection, name: str, title: str, caption: str, cells: pd.DataFrame, labels: int
) -> Table:
    """Make a table whose cells are shown as they are."""
    text = cells.astype(str)
    title = in_words(title, selection, cells)
    return Table(name, title, caption, cells, text, text.notna() & False, labels)


def in_words(title: str, selection: Selection, cells: pd.DataFrame) -> str:
    """Fill {metric}, {compared}, {frontends} and {pairs} in: what the cells are of."""
    label = selection.measure.label
    names = {"metric": label[:1].upper() + label[1:], "compared": selection.settings.compare}
    columns = {"frontends": FRONTEND, "pairs": DIFFERENCE}
    shown = with_difference(cells)
    for name, column in columns.items():
        names[name] = joined(list(shown[column].astype(str).unique())) if column in shown else ""
    return written(title.format(**names))


def named(cells: pd.DataFrame, selection: Selection) -> pd.DataFrame:
    """Name the columns of numbers by what is compared."""
    return cells.rename(columns=_names(selection))


def _names(selection: Selection) -> dict[str, str]:
    """Return what columns are called: where models are compared, the other one is of frontends."""
    compare = selection.settings.compare
    return {FRONTEND: compare} | ({"model": FRONTEND} if compare == "model" else {})


def with_difference(cells: pd.DataFrame) -> pd.DataFrame:
    """Add the names of differences, where the cells are some."""
    if "first" not in cells:
        return cells
    names = [minus(cell.first, cell.second) for cell in cells.itertuples()]
    return cells.assign(**{DIFFERENCE: names})


def _published(cells: pd.DataFrame, selection: Selection) -> pd.DataFrame:
    known = cells[cells["published"].notna()]
    measure, label = selection.measure, DIFFERENCE if DIFFERENCE in cells else FRONTEND
    text = [
        f"{measure.value(cell.published)} ({measure.difference(cell.deviation)})"
        for cell in known.itertuples()
    ]
    names = known[label].astype(str) + " published"
    return known.assign(**{label: names}, text=text, bold=False)


def _heads(
    rows: Sequence[str], columns: pd.Index, levels: int, selection: Selection
) -> pd.Index | pd.MultiIndex:
    """Return the heads of a table's columns; those of labels are in the lower of two levels."""
    names = {"n_per_class": "n", **_names(selection)}
    labels = [names.get(row, row) for row in rows]
    if levels == 1:
        return pd.Index(labels + [_head(column) for column in columns])
    pairs = [("", label) for label in labels]
    return pd.MultiIndex.from_tuples(pairs + [tuple(map(_head, column)) for column in columns])


def _head(value: Hashable) -> str:
    return f"n = {n_text(value)}" if isinstance(value, int | float) else str(value)
