"""What the two official layouts share: which listed files are on disk."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from fewshot_audio.types import Clip, DataError

Tolerable = Literal["missing", "silent"]
SHOWN = 100  # names in an error


def present(
    root: Path, clips: Sequence[Clip], tolerate: tuple[Tolerable, ...]
) -> tuple[list[Clip], tuple[str, ...]]:
    """Listed clips to those whose file is on disk, and a note on the others. DataError unless missing files are tolerated."""
    folders = {os.path.dirname(clip.path) for clip in clips}
    names = {
        f"{folder}/{name}"
        for folder in folders
        if (root / folder).is_dir()
        for name in os.listdir(root / folder)
    }
    missing = [clip.path for clip in clips if clip.path not in names]
    if not missing:
        return list(clips), ()
    if "missing" not in tolerate or len(missing) == len(clips):
        raise DataError(
            f"{root}: {len(missing)} of {len(clips)} listed files are missing:\n{shorten(missing, SHOWN)}\n"
            "complete the download (scripts/verify.py --json lists all), or work with what is there: dataset.tolerate=[missing]"
        )
    note = f"{len(missing)} of {len(clips)} listed clips are missing and left out"
    return [clip for clip in clips if clip.path in names], (note,)


def shorten(lines: Sequence[str], shown: int) -> str:
    """The first lines, indented, and how many more there are."""
    more = [f"  ... and {len(lines) - shown} more"] if len(lines) > shown else []
    return "\n".join([f"  {line}" for line in lines[:shown]] + more)
