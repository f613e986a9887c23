"""Recordings that a CSV lists: path, label and, where there are any, split, group and segment."""

import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from fewshot_audio.datasets.base import Dataset
from fewshot_audio.datasets.columns import Columns, read_cells
from fewshot_audio.datasets.listed import Listed, split_named
from fewshot_audio.datasets.listing import Problems, Tolerable
from fewshot_audio.datasets.own import Choice, Label, own_dataset
from fewshot_audio.datasets.partition import Partition
from fewshot_audio.datasets.verify import Report, check_files, complaint, decoding_error
from fewshot_audio.progress import counted
from fewshot_audio.types import DataError

TABLES = (".csv", ".tsv")
KNOWN = "expected train, valid, test (or training, val, dev, eval ...) or whole numbers"
ROOT = "dataset.root is the folder above all clips, dataset.table the table"


def from_table(  # noqa: D417
    name: str,
    root: Path,
    table: Path | None = None,
    columns: Columns = Columns(),  # noqa: B008  # frozen
    separator: str | None = ";",
    multi_label: bool | None = None,
    group_by: str | None = None,
    classes: tuple[Label, ...] | None = None,
    labels: Mapping[Label, Label | None] | None = None,
    min_clips: int = 1,
    split: Partition = Partition(),  # noqa: B008  # frozen
    tolerate: tuple[Tolerable, ...] = (),
) -> Dataset:
    """Read recordings that a table lists.

    Cells are separated by commas, semicolons or tabs; text is UTF-8, with or without a mark. The
    arguments from `group_by` on are those of `Choice`.

    Args:
        name: Name of the dataset in results.
        root: The folder that paths are relative to, or a table in that folder.
        table: The table; None: the only one in the folder.
        columns: Names of the columns.
        separator: What stands between several labels in a cell; None: nothing does.
        multi_label: Whether a clip may have several labels, or none; None: if a cell has several.

    Raises:
        ConfigError: A setting is impossible.
        DataError: There is no such table or column, or rows have problems; all of them are named.
    """
    root, file = find_table(root.expanduser(), table)
    header, cells, unused = read_cells(file, columns)
    problems = Problems(file)
    reader = RowReader(root, header, separator, problems)
    rows = reader.rows(cells, bool(multi_label))
    several = _several_labels(rows, multi_label, problems)
    choice = Choice(group_by, classes, labels or {}, min_clips, split, tolerate)
    notes = _used(rows, choice) + ([f"columns not used: {', '.join(unused)}"] if unused else [])
    return own_dataset(name, root, rows, choice, problems, notes, bool(multi_label or several))


def _used(rows: Sequence[Listed], choice: Choice) -> list[str]:
    """Return a note on the folds or splits, and the groups, that are taken from the table."""
    splits = {row.split for row in rows if row.split and choice.split.make is None}
    groups = {row.group for row in rows if row.group and choice.group_by is None}
    word = "fold" if all(split.isdecimal() for split in splits) else "split"
    used = [counted(len(found), of) for found, of in ((splits, word), (groups, "group")) if found]
    return [f"{' and '.join(used)} from the table"] if used else []


def _several_labels(
    rows: Sequence[Listed], multi_label: bool | None, problems: Problems
) -> list[Listed]:
    """Return the rows with several labels, which are problems where none may have them."""
    several = [row for row in rows if len(row.labels) > 1]
    if multi_label is False:
        for row in several:
            problems.add("several labels; set dataset.multi_label=true", row.where)
    return several


def verify(root: Path, full: bool, workers: int) -> Report:
    """Check a table, in its usual columns, and its files; in full, decode every one."""
    root, file = find_table(root.expanduser(), None)
    header, cells, _ = read_cells(file, Columns())
    rows = RowReader(root, header, ";", Problems(file)).rows(cells, True)
    paths = sorted({row.path for row in rows})
    missing = [path for path in paths if not (root / path).is_file()]
    present = sorted(set(paths) - set(missing))
    bad = check_files(root, present, decoding_error, workers) if full else []
    labels = complaint(lambda _: from_table("csv", file, tolerate=("missing",)), root)
    files = (len(paths), tuple(missing), tuple(bad), ())
    return Report("csv", str(file), full, *files, labels, published=False)


def find_table(root: Path, table: Path | None) -> tuple[Path, Path]:
    """Return the folder that paths are relative to, and the table.

    Raises:
        DataError: There is none, or there are several.
    """
    if root.is_file():
        return root.parent, root
    if not root.is_dir():
        raise DataError(f"dataset.root={root}: expected a folder or a table")
    if table is not None:
        for file in (root / table.expanduser(), table):
            if file.is_file():
                return root, file
        raise DataError(f"dataset.table={table}: no such file in {root}, nor in this folder")
    found = sorted(file.name for file in root.iterdir() if file.suffix.lower() in TABLES)
    if len(found) == 1:
        return root, root / found[0]
    kinds = " or ".join(TABLES)
    raise DataError(
        f"dataset.root={root}: expected one table ({kinds}), found "
        f"{', '.join(found[:5]) or 'none'}; name it by dataset.table=..."
    )


class RowReader:
    """Cells to rows; what is wrong with cells is added to the problems.

    Args:
        root: Folder that paths are relative to.
        header: Where the columns are.
        separator: What stands between several labels in a cell.
        problems: What is wrong with rows, which are left out.
    """

    def __init__(
        self, root: Path, header: Mapping[str, int], separator: str | None, problems: Problems
    ) -> None:
        self.root, self.header, self.problems = root, header, problems
        self.separator, self.base = separator, os.path.abspath(root)

    def rows(self, cells: Sequence[Sequence[str]], may_lack_labels: bool) -> list[Listed]:
        """Return the rows without problems; the first of the cells stand in row 2."""
        rows = [
            self._row(number, each, may_lack_labels)
            for number, each in enumerate(cells, 2)
            if any(cell.strip() for cell in each)
        ]
        return [row for row in rows if row is not None]

    def _row(self, number: int, cells: Sequence[str], may_lack_labels: bool) -> Listed | None:
        if len(cells) <= max(self.header.values()):
            self.problems.add("rows with too few cells", f"row {number}: {', '.join(cells)}")
            return None
        values = {column: cells[i] for column, i in self.header.items()}
        found = self.problems.count
        path = self._path(values["path"].strip())
        where = f"row {number}: {path or values['path']}"
        if path is None:
            self.problems.add(f"paths that are empty or lie outside {self.base}; {ROOT}", where)
        labels = self._labels(values["label"])
        if not labels and not may_lack_labels:
            self.problems.add("empty labels", where)
        start, end = self._seconds(values.get("start")), self._seconds(values.get("end"))
        if not _is_part(start or 0.0, end):
            bounds = f"{values.get('start', '')} to {values.get('end', '')}"
            self.problems.add("start and end that are no part of a file", f"{where}: {bounds}")
        split = values.get("split", values.get("fold"))
        if split is not None and split_named(split) is None:
            self.problems.add(f"unknown splits or folds; {KNOWN}", f"{where}: '{split}'")
        if self.problems.count > found or path is None:
            return None
        chosen = "" if split is None else split_named(split) or ""
        group = values.get("group", "").strip()
        return Listed(path, labels, chosen, group, start or 0.0, end, number)

    def _path(self, text: str) -> str | None:
        """Return a path relative to the root; None where it is empty or lies elsewhere."""
        if "\\" in text and "/" not in text and os.sep == "/":  # written on Windows
            text = text.replace("\\", "/")
        if not text:
            return None
        if os.path.isabs(text):
            text = os.path.relpath(text, self.base)
        path = os.path.normpath(text).replace(os.sep, "/")
        return None if path.split("/")[0] == ".." or path == "." else path

    def _labels(self, cell: str) -> tuple[str, ...]:
        if self.separator is None or self.separator not in cell:
            return (cell,) if cell.strip() else ()
        parts = [part.strip() for part in cell.split(self.separator)]
        return tuple(dict.fromkeys(filter(None, parts)))

    @staticmethod
    def _seconds(cell: str | None) -> float | None:
        """Return a number of seconds; NaN where it is none, None where the cell is empty."""
        if cell is None or not cell.strip():
            return None
        try:
            return float(cell.strip().replace(",", "."))
        except ValueError:
            return math.nan


def _is_part(start: float, end: float | None) -> bool:
    last = math.inf if end is None else end
    return math.isfinite(start) and not math.isnan(last) and 0 <= start < last
