"""Listed files that are on disk, and what to say about those that are not."""

import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from fewshot_audio.datasets.base import Clip
from fewshot_audio.files import list_files
from fewshot_audio.progress import counted
from fewshot_audio.types import DataError

Tolerable = Literal["missing", "silent"]
SHOWN = 10  # names in an error or a report
LIST_ALL = "; `scripts/verify.py --json` lists all"


def clips_on_disk(
    root: Path, clips: Sequence[Clip], tolerate: Sequence[Tolerable]
) -> tuple[list[Clip], tuple[str, ...]]:
    """Return the clips whose file is on disk, and a note on the others.

    Raises:
        DataError: Files are missing and `tolerate` does not hold "missing", or all are.
    """
    present = list_files(root, {os.path.dirname(clip.path) for clip in clips}, False)
    missing = [clip.path for clip in clips if clip.path not in present]
    if not missing:
        return list(clips), ()
    if "missing" not in tolerate or len(missing) == len(clips):
        raise DataError(
            f"{root}: {len(missing):,} of {len(clips):,} listed files are missing:\n"
            f"{shorten(missing, LIST_ALL)}\ncomplete the download, or work with what is there: "
            "dataset.tolerate=[missing]"
        )
    note = f"{len(missing)} of {len(clips)} listed clips are missing and left out"
    return [clip for clip in clips if clip.path in present], (note,)


class Problems:
    """What is wrong with many rows or files, by kind, for one message.

    Args:
        where: The table or folder.
    """

    def __init__(self, where: str | Path) -> None:
        self.where = where
        self.found: dict[str, list[str]] = defaultdict(list)
        self.count = 0

    def add(self, kind: str, line: str) -> None:
        """Note a problem: its kind, with what to do, and the row or file that has it."""
        self.found[kind].append(line)
        self.count += 1

    def raise_any(self) -> None:
        """Raise DataError with the count and the first lines of each kind, if there are any."""
        if self.found:
            parts = [f"{kind} ({len(w):,}):\n{shorten(w)}" for kind, w in self.found.items()]
            count = counted(self.count, "problem")
            raise DataError("\n".join([f"{self.where}: {count}", *parts]))


def bad_files(root: Path, reasons: Mapping[str, str], hint: str = "") -> DataError:
    """Return the error that names bad files.

    Args:
        root: Folder that their paths are relative to.
        reasons: What is wrong, by path or clip.
        hint: What else to do about it.
    """
    lines = [f"{name}: {reason}" for name, reason in sorted(reasons.items())]
    every = f"; `scripts/verify.py ... {root} --full --json` lists all files that cannot be read"
    count = counted(len(lines), "bad file")
    return DataError(f"{root}: {count}; mend or replace them{hint}\n{shorten(lines, every)}")


def shorten(lines: Sequence[str], hint: str = "") -> str:
    """Return the first lines, indented, and how many more there are, with a hint."""
    shown = [f"  {line}" for line in lines[:SHOWN]]
    if len(lines) > SHOWN:
        shown.append(f"  ... and {len(lines) - SHOWN:,} more{hint}")
    return "\n".join(shown)
