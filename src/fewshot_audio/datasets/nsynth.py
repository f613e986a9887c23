"""NSynth: the instrument or the pitch of single notes."""

import json
from collections import Counter
from pathlib import Path
from typing import Literal

from fewshot_audio.datasets.base import Dataset
from fewshot_audio.datasets.listed import SPLITS, Listed, from_list
from fewshot_audio.datasets.listing import Tolerable
from fewshot_audio.datasets.official import check_counts, read_text, verify_list
from fewshot_audio.datasets.verify import Report, complaint
from fewshot_audio.files import find_root
from fewshot_audio.types import DataError

Target = Literal["instrument", "pitch"]
FIELDS = {"instrument": "instrument_family_str", "pitch": "pitch"}
OFFICIAL_SPLITS = {"train": 289205, "valid": 12678, "test": 4096}
FAMILIES = [
    *("bass", "brass", "flute", "guitar", "keyboard", "mallet"),
    *("organ", "reed", "string", "synth_lead", "vocal"),
]


def nsynth(
    name: str, root: Path, target: Target = "instrument", tolerate: tuple[Tolerable, ...] = ()
) -> Dataset:
    """Read NSynth: 305,979 notes in official splits (Engel et al., 2017).

    Args:
        name: Name of the dataset in results.
        root: The folder that holds nsynth-train, nsynth-valid and nsynth-test.
        target: The class of a note: its family of instruments (11), or its MIDI pitch.
        tolerate: "missing" leaves out notes without a file, "silent" accepts clips of zeros.

    Raises:
        DataError: An examples.json is missing or damaged, or files are missing.
    """
    root = find_root(root, "nsynth", "nsynth-train")
    rows = read(root, target)
    pitches = sorted({row.labels[0] for row in rows}, key=int) if target == "pitch" else None
    return from_list(name, root, rows, pitches, "instrument", tolerate=tolerate)


def verify(root: Path, full: bool, workers: int) -> Report:
    """Compare a download with its lists, and the lists with the official counts and classes."""
    root = find_root(root, "nsynth", "nsynth-train")
    rows = read(root, "instrument")
    labels = complaint(lambda folder: _check(rows, folder), root)
    return verify_list("nsynth", root, rows, 16000, labels, full, workers)


def read(root: Path, target: Target) -> list[Listed]:
    """Return the notes of the three lists; notes of one instrument are alike."""
    rows = []
    for split in SPLITS:
        path = root / f"nsynth-{split}" / "examples.json"
        try:
            for key, note in sorted(json.loads(read_text(path)).items()):
                label = str(note[FIELDS[target]])
                file = f"nsynth-{split}/audio/{key}.wav"
                rows.append(Listed(file, (label,), split, note["instrument_str"]))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise DataError(f"{path} is damaged ({error}); unpack its archive again") from error
    return rows


def _check(rows: list[Listed], root: Path) -> None:
    check_counts("clips per split", Counter(row.split for row in rows), OFFICIAL_SPLITS, root)
    unknown = sorted({row.labels[0] for row in rows} ^ set(FAMILIES))
    check_counts("numbers", {"other families": len(unknown)}, {"other families": 0}, root)
