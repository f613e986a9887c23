"""What readers of official datasets share: tables, counts and verification."""

import csv
import io
import os
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path

from fewshot_audio.datasets.listed import Listed
from fewshot_audio.datasets.listing import SHOWN
from fewshot_audio.datasets.verify import Report, check_files, compare, decoding_error
from fewshot_audio.types import DataError

Row = dict[str, str]


def read_text(path: Path) -> str:
    """Return a text in UTF-8, with or without a byte-order mark.

    Raises:
        DataError: There is no such file, or it is no text in UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise DataError(f"{path} is missing; it is a part of the download") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is no text in UTF-8; download it again") from error


def read_table(path: Path, columns: Sequence[str], delimiter: str = ",") -> list[Row]:
    """Return the rows of a table with a header, by the names of its columns.

    Args:
        path: The table.
        columns: Names of columns that must be there, with a value in every row.
        delimiter: What separates columns.

    Raises:
        DataError: The file or a column is missing, or a row is damaged.
    """
    reader = csv.DictReader(io.StringIO(read_text(path)), delimiter=delimiter)
    found = reader.fieldnames or ()
    if absent := [column for column in columns if column not in found]:
        raise DataError(f"{path}: column {', '.join(absent)} is missing; found {', '.join(found)}")
    rows = list(reader)
    for number, row in enumerate(rows, 2):
        if not all(row[column] for column in columns):
            raise damaged_row(path, number, row, columns)
    return rows


def damaged_row(path: Path, number: int, row: Row, columns: Sequence[str]) -> DataError:
    """Return the error of a row that cannot be as published."""
    values = ",".join(str(row[column]) for column in columns)
    return DataError(f"{path}:{number}: damaged row {values}; download it again")


def check_counts(what: str, found: Mapping, official: Mapping, where: Path) -> None:
    """Compare counts with the official ones.

    Args:
        what: What is counted, as "clips per fold".
        found: Counts by name.
        official: The same, as published.
        where: The file or folder that they are of.

    Raises:
        DataError: They differ.
    """
    wrong = [
        f"{name}: {found.get(name, 0)}, not {official.get(name, 0)}"
        for name in {**official, **found}
        if found.get(name) != official.get(name)
    ]
    if len(wrong) > SHOWN:
        wrong[SHOWN:] = [f"and {len(wrong) - SHOWN} more"]
    if wrong:
        raise DataError(f"{where}: {what} differ from the official ones ({'; '.join(wrong)})")


def verify_list(
    name: str,
    root: Path,
    rows: Iterable[Listed],
    rate: int | None,
    labels: str,
    full: bool,
    workers: int,
    notes: tuple[str, ...] = (),
) -> Report:
    """Compare the files of a dataset with its list; in full, decode each of them.

    Args:
        name: Name of the dataset.
        root: Folder that paths are relative to.
        rows: The list.
        rate: Sample rate of all files in Hz; None: any.
        labels: What is wrong with classes, folds and counts; empty: nothing.
        full: Whether to decode the files.
        workers: Threads.
        notes: What else a reader should know.
    """
    paths = sorted({row.path for row in rows})
    folders = sorted({os.path.dirname(path) for path in paths})
    missing, changed, extra = compare(root, dict.fromkeys(paths, (None, None)), folders, False, 1)
    if full:
        present = sorted(set(paths) - set(missing))
        changed = tuple(check_files(root, present, partial(decoding_error, rate=rate), workers))
    note = "no hash of single files is published: the full check decodes them"
    return Report(
        name, str(root), full, len(paths), missing, changed, extra, labels, (note, *notes)
    )
