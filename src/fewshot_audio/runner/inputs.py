"""Audio files that a user names: by word, folder, pattern or table."""

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from glob import glob
from pathlib import Path

from fewshot_audio.features.audio import SUFFIXES
from fewshot_audio.types import DataError


@dataclass(frozen=True)
class Given:
    """A file to predict for, or a part of one.

    Args:
        name: What it is called.
        path: Where it lies.
        label: Its label, if one is known.
        start: Where the part begins, in seconds.
        end: Where it ends; None: where the file ends.
    """

    name: str
    path: Path
    label: str | None = None
    start: float = 0.0
    end: float | None = None


def files_of(words: Sequence[str], failed: Callable[[str, str], None]) -> Iterator[Given]:
    """Yield every file that words name: files, folders, patterns, @list.txt.

    Args:
        words: As a user writes them.
        failed: Is called with a word that names no file, and why.
    """
    for word in words:
        lines = [word]
        if word.startswith("@"):
            lines = [line for line in _text(Path(word[1:])).splitlines() if line]
        for each in lines:
            found = _named(each)
            if not found:
                failed(each, "no audio file there")
            yield from found


def _named(word: str) -> list[Given]:
    """Return the files that one word names: itself, those of a folder, or of a pattern; sorted."""
    path = Path(word)
    if path.is_dir():
        inside = (each for each in path.rglob("*") if each.suffix.lower() in SUFFIXES)
        return [Given(str(each), each) for each in sorted(inside) if each.is_file()]
    if path.exists() or not any(sign in word for sign in "*?["):
        return [Given(word, path)]
    found = (Path(each) for each in sorted(glob(word, recursive=True)))
    return [Given(str(each), each) for each in found if each.is_file()]


def _text(file: Path) -> str:
    try:
        return file.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{file}: expected text in UTF-8 ({error})") from error


def listed(table: Path, root: Path) -> list[Given]:
    """Return the files of a table with a column path; label, start and end if it has them."""
    rows = list(csv.DictReader(io.StringIO(_text(table), newline="")))
    if not rows or not all(row.get("path") for row in rows):
        first = next((row for row in rows if not row.get("path")), "no rows")
        raise DataError(f"{table}: expected rows with a column path, found {first}")
    try:
        return [
            Given(
                row["path"],
                root / row["path"],
                row.get("label"),
                float(row.get("start") or 0),
                float(row["end"]) if row.get("end") else None,
            )
            for row in rows
        ]
    except ValueError as error:
        raise DataError(f"{table}: start, end: {error}; expected seconds") from error


def check_labels(
    files: Sequence[Given], class_names: Sequence[str], multi_label: bool = False
) -> None:
    """Raise DataError where labels are given that the network does not know."""
    given = [each.label for each in files if each.label]
    labels = {part for each in given for part in (each.split(";") if multi_label else [each])}
    if unknown := sorted(labels - set(class_names)):
        raise DataError(
            f"--csv: labels that the network does not know: {', '.join(unknown[:5])}; it was "
            f"trained on {', '.join(class_names[:10])}"
        )
