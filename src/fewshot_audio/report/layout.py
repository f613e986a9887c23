"""Cells as a table's text: rows and columns as a reader of the article expects them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pandas as pd

from fewshot_audio.report.statistics import FOLDS
from fewshot_audio.types import Statistics

NONE, MINUS = "–", "−"
NAMES = {"n_per_class": "n"}  # of columns, as readers see them


@dataclass(frozen=True)
class Table:
    """A table as numbers and as text.

    `cells` has one row per cell, shares of 1 with every digit where it is a share; `text` is what readers see, with one or two
    levels of column names, its first `labels` columns naming the row; `marked` tells, of the same shape, what stands out.
    `by_fold` has the cells' means fold by fold, for figures.
    """

    name: str
    title: str
    caption: str
    cells: pd.DataFrame
    text: pd.DataFrame
    marked: pd.DataFrame
    labels: int
    by_fold: pd.DataFrame | None = None


def table(
    name: str,
    title: str,
    caption: str,
    cells: pd.DataFrame,
    rows: Sequence[str],
    columns: Sequence[str],
    by_fold: pd.DataFrame | None = None,
) -> Table:
    """Cells with `text` and `marked` to a table; `rows` and `columns` are the cells' columns that name its rows and columns.

    Published numbers come as arms of their own.
    """
    rows, columns = list(rows), list(columns)
    shown = (
        pd.concat([cells, _published(cells)], ignore_index=True) if "published" in cells else cells
    )
    heads = shown[columns].drop_duplicates().sort_values(columns)
    order = (
        list(heads.itertuples(index=False, name=None))
        if len(columns) > 1
        else heads[columns[0]].tolist()
    )
    text, marked = (
        shown.pivot(index=rows, columns=columns, values=value)[order]
        for value in ("text", "marked")
    )
    head = [[NAMES.get(label, label) for label in rows], [_head(each) for each in order]]
    if len(columns) > 1:
        head[0] = [(label, "") for label in head[0]]
    index = (
        pd.MultiIndex.from_tuples(head[0] + head[1])
        if len(columns) > 1
        else pd.Index(head[0] + head[1])
    )
    labels = text.index.to_frame(index=False)
    return Table(
        name,
        title,
        caption,
        cells.drop(columns=["text", "marked"]),
        pd.concat([labels, text.fillna(NONE).reset_index(drop=True)], axis=1).set_axis(
            index, axis=1
        ),
        pd.concat(
            [labels.notna() & False, marked.eq(True).reset_index(drop=True)], axis=1
        ).set_axis(index, axis=1),
        len(rows),
        by_fold,
    )


def _head(order) -> str | tuple[str, ...]:
    if isinstance(order, tuple):
        return tuple(f"n = {each}" if isinstance(each, int) else str(each) for each in order)
    return f"n = {order}" if isinstance(order, int) else str(order)


def _published(cells: pd.DataFrame) -> pd.DataFrame:
    known = cells[cells["published"].notna()]
    text = [
        f"{points(cell.published, False)} ({points(cell.deviation)})" for cell in known.itertuples()
    ]
    return known.assign(arm=known["arm"] + " published", text=text, marked=False)


def percent(value: float) -> str:
    """A share of 1 to percent with one decimal."""
    return points(value, signed=False)


def points(value: float, signed: bool = True) -> str:
    """A share of 1 to percent, or a difference of shares to points, with one decimal."""
    return _number(100 * value, "+.1f" if signed else ".1f")


def plain(value: float) -> str:
    """A number to three digits, without powers of ten where it is large."""
    return _number(float(f"{value:.3g}"), ",.0f") if abs(value) >= 1000 else _number(value, ".3g")


def _number(value: float, form: str) -> str:
    text = f"{value:{form}}"
    text = text.replace("-", MINUS, 1) if text.startswith("-") else text
    return text[1:] if text in ("+0.0", f"{MINUS}0.0") else text


def with_interval(cell, signed: bool = True) -> str:
    """A cell of `summary` to its mean, interval and count."""
    return f"{points(cell.mean, signed)} {'' if pd.isna(cell.low) else between(cell.low, cell.high) + ' '}({cell.count})"


def between(low: float, high: float) -> str:
    """An interval of shares in percent or points."""
    return NONE if pd.isna(low) else f"[{points(low, False)}, {points(high, False)}]"


def with_spread(cell, shown: Callable[[float], str]) -> str:
    """A cell of `summary` to its mean, standard deviation over runs and count."""
    spread = "" if pd.isna(cell.spread) else f" ± {shown(cell.spread)}"
    return f"{shown(cell.mean)}{spread} ({cell.count})"


def interval_is(cells: pd.DataFrame, how: Statistics) -> str:
    """What the intervals of cells are, in words: their level, their kind and what they are over, dataset by dataset."""
    kinds = {}
    for dataset, group in cells.groupby("dataset"):
        low, high = group["folds"].min(), group["folds"].max()
        many = f"{low}" if low == high else f"{low} to {high}"
        over = (
            f"over {many} folds"
            if (group["unit"] == FOLDS).all()
            else f"over draws within {_folds(low, high)}"
        )
        kinds.setdefault(over, []).append(dataset)
    said = (
        " and ".join(kinds)
        if len(kinds) == 1
        else ", ".join(f"{over} ({', '.join(names)})" for over, names in kinds.items())
    )
    method = "t interval" if how.interval == "t" else "bootstrap interval"
    return f"{100 * how.confidence:g} % {method} {said}"


def _folds(low: int, high: int) -> str:
    return (
        "one fold"
        if high == 1
        else f"the {high} folds as they are"
        if low == high
        else "the folds as they are"
    )
