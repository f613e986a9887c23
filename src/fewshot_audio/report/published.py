"""Published numbers beside ours, from a file that the user brings."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from fewshot_audio.report.layout import Table
from fewshot_audio.types import ConfigError

WHERE = ["dataset", "model", "arm", "n_per_class"]
COLUMNS = [*WHERE, "percent"]


def read(path: Path) -> pd.DataFrame:
    """A CSV with columns dataset, model, arm, n_per_class, percent to these, and `published` as shares of 1.

    `arm` is a frontend, or a difference such as log_learn - log_eps (then percent is points). ConfigError where it is none.
    """
    try:
        rows = pd.read_csv(path)
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"published={path}: cannot be read ({error}); expected a CSV with columns {', '.join(COLUMNS)}"
        ) from error
    if absent := [name for name in COLUMNS if name not in rows]:
        raise ConfigError(
            f"published={path}: no column {', '.join(absent)}; expected {', '.join(COLUMNS)}"
        )
    numbers = pd.to_numeric(rows["percent"], errors="coerce")
    if numbers.isna().any() or rows.duplicated(WHERE).any():
        first = rows[numbers.isna() | rows.duplicated(WHERE)].index[0]
        raise ConfigError(
            f"published={path}: line {first + 2} is no number, or says again what another does"
        )
    return rows[WHERE].assign(published=numbers / 100)


def beside(cells: pd.DataFrame, published: Path | None) -> pd.DataFrame:
    """Cells, with `published` and `deviation` (ours - published) where the file has numbers for any of them."""
    if published is None:
        return cells
    found = cells.merge(read(published), on=WHERE, how="left")
    return (
        found.assign(deviation=found["mean"] - found["published"])
        if found["published"].notna().any()
        else cells
    )


def check_used(published: Path | None, tables: Sequence[Table]) -> None:
    """ConfigError where published numbers were given and no table has any of their cells."""
    if published is not None and not any("published" in table.cells for table in tables):
        first = ", ".join(
            f"{name} {value}" for name, value in read(published)[WHERE].head(1).iloc[0].items()
        )
        raise ConfigError(
            f"published={published}: none of its rows is a cell of the tables; its first is {first}"
        )
