"""Columns of a user's table, and its cells."""

import csv
import io
from dataclasses import asdict, dataclass
from pathlib import Path

from fewshot_audio.types import ConfigError, DataError

DELIMITERS = ",;\t"


@dataclass(frozen=True)
class Columns:
    """Names of a table's columns; all but the first two may be absent, or None: not used.

    Args:
        path: The file, relative to the root, or absolute and below it.
        label: Its class, or several.
        split: train, valid, test or other words for them, or as `fold`.
        fold: Number of the fold in which it tests, while the others train.
        group: Recording, speaker or location: clips of one group are alike.
        start: Where the clip begins in the file, in seconds; empty: at the start.
        end: Where it ends, in seconds; empty: where the file ends.
    """

    path: str = "path"
    label: str = "label"
    split: str | None = "split"
    fold: str | None = "fold"
    group: str | None = "group"
    start: str | None = "start"
    end: str | None = "end"


def read_cells(file: Path, columns: Columns) -> tuple[dict[str, int], list[list[str]], list[str]]:
    """Return where a table's columns are, the cells of its rows, and titles not used.

    Raises:
        DataError: A column is missing, the text is not UTF-8, or no CSV.
    """
    data = file.read_bytes()
    encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise DataError(f"{file}: row {line} is no text in UTF-8; save it as CSV UTF-8") from error
    try:
        delimiter = _delimiter((text.splitlines() or [""])[0], columns)
        source = io.StringIO(text, newline="")
        cells = list(csv.reader(source, delimiter=delimiter, skipinitialspace=True))
    except csv.Error as error:
        raise DataError(f"{file}: no CSV ({error})") from error
    titles = [title.strip() for title in cells[0]] if cells else []
    header = _places(file, columns, titles)
    if "split" in header and "fold" in header:
        raise ConfigError(
            f"{file} has the columns split and fold; choose one by dataset.columns.split=null or "
            "dataset.columns.fold=null"
        )
    unused = [title for i, title in enumerate(titles) if title and i not in header.values()]
    return header, cells[1:], unused


def _delimiter(first: str, columns: Columns) -> str:
    """Return the sign that finds most of the columns in the first line, or occurs most often."""
    wanted = set(asdict(columns).values())

    def found(sign: str) -> tuple[int, int]:
        titles = {title.strip() for title in next(csv.reader([first], delimiter=sign), ())}
        return len(titles & wanted), first.count(sign)

    return max(DELIMITERS, key=found)


def _places(file: Path, columns: Columns, titles: list[str]) -> dict[str, int]:
    """Return where columns are; DataError names all that are missing."""
    usual, wanted = asdict(Columns()), asdict(columns)
    missing = {
        column: title
        for column, title in wanted.items()
        if title not in titles
        and title is not None
        and (column in ("path", "label") or title != usual[column])
    }
    if missing:
        settings = " ".join(f"dataset.columns.{column}=..." for column in missing)
        raise DataError(
            f"{file}: no column {' and no column '.join(missing.values())}; found "
            f"{', '.join(titles) or 'nothing'}; name what to use by {settings}"
        )
    return {column: titles.index(title) for column, title in wanted.items() if title in titles}
