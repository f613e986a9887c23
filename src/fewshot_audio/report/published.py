"""Published numbers beside ours, from a file that the user brings."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from fewshot_audio.report.records import ALL_CLIPS
from fewshot_audio.report.table import Table
from fewshot_audio.report.text import n_text
from fewshot_audio.types import ConfigError

WHERE = ["dataset", "model", "frontend", "n_per_class"]
COLUMNS = [*WHERE, "percent"]
MINUS = "minus"  # optional column: the second frontend of a difference


def read(path: Path) -> pd.DataFrame:
    """Read published numbers.

    Args:
        path: A CSV with the columns dataset, model, frontend, n_per_class, percent and, where
            there are differences, minus: log_learn minus log_eps is frontend log_learn with minus
            log_eps, and percent are points.

    Returns:
        The columns dataset, model, frontend, minus, n_per_class and published, in shares of 1.

    Raises:
        ConfigError: If the file is not such a CSV.
    """
    try:
        rows = pd.read_csv(path)
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"published={path}: cannot be read ({error}); "
            f"expected a CSV with columns {', '.join(COLUMNS)}"
        ) from error
    if absent := [name for name in COLUMNS if name not in rows]:
        raise ConfigError(
            f"published={path}: no column {', '.join(absent)}; expected {', '.join(COLUMNS)}"
        )
    if MINUS not in rows:
        rows[MINUS] = None
    rows[MINUS] = rows[MINUS].fillna("").astype(str)
    ns = rows["n_per_class"].replace(n_text(ALL_CLIPS), ALL_CLIPS)
    rows["n_per_class"] = pd.to_numeric(ns, errors="coerce").astype(float)
    numbers = pd.to_numeric(rows["percent"], errors="coerce")
    broken = numbers.isna() | rows["n_per_class"].isna() | rows.duplicated([*WHERE, MINUS])
    if broken.any():
        line = rows[broken].index[0] + 2
        raise ConfigError(
            f"published={path}: line {line} has no number, or is the second of its cell"
        )
    return rows[[*WHERE, MINUS]].assign(published=numbers / 100)


def beside(cells: pd.DataFrame, published: Path | None) -> pd.DataFrame:
    """Add `published` and `deviation` (ours − published), where the file has any of the cells."""
    if published is None:
        return cells
    numbers = read(published)
    if "first" in cells:
        numbers = numbers.rename(columns={"frontend": "first", MINUS: "second"})
    else:
        numbers = numbers[numbers[MINUS] == ""].drop(columns=MINUS)
    names = [name for name in numbers if name != "published"]
    plain = cells.astype({name: object for name in names if name != "n_per_class"})
    both = plain.merge(numbers, on=names, how="left")
    if both["published"].isna().all():
        return cells
    return both.assign(deviation=both["mean"] - both["published"])


def check_used(published: Path | None, tables: Sequence[Table]) -> None:
    """Check that a table has any of the published numbers' cells.

    Raises:
        ConfigError: If none has.
    """
    if published is None or any("published" in table.cells for table in tables):
        return
    first = read(published)[WHERE].iloc[0]
    words = ", ".join(f"{name} {value}" for name, value in first.items())
    raise ConfigError(
        f"published={published}: none of its rows is a cell of the tables; its first is {words}"
    )
