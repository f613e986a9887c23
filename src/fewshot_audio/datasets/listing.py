"""Listed files that are on disk, and what to say about those that are not."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from fewshot_audio.datasets.base import Clip
from fewshot_audio.files import list_files
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
    present = list_files(root, {os.path.dirname(clip.path) for clip in clips})
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


def shorten(lines: Sequence[str], hint: str = "") -> str:
    """Return the first lines, indented, and how many more there are, with a hint."""
    shown = [f"  {line}" for line in lines[:SHOWN]]
    if len(lines) > SHOWN:
        shown.append(f"  ... and {len(lines) - SHOWN:,} more{hint}")
    return "\n".join(shown)
