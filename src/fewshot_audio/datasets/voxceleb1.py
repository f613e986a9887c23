"""VoxCeleb1: speakers by the official identification split."""

from collections import Counter
from pathlib import Path

from fewshot_audio.datasets.base import Dataset
from fewshot_audio.datasets.listed import Listed, from_list
from fewshot_audio.datasets.listing import Tolerable
from fewshot_audio.datasets.official import check_counts, read_text, verify_list
from fewshot_audio.datasets.verify import Report, complaint
from fewshot_audio.files import find_root
from fewshot_audio.types import DataError

LIST = "iden_split.txt"
SPLITS = {"1": "train", "2": "valid", "3": "test"}
OFFICIAL_SPLITS = {"train": 138361, "valid": 6904, "test": 8251}
OFFICIAL_SPEAKERS = 1251


def voxceleb1(name: str, root: Path, tolerate: tuple[Tolerable, ...] = ()) -> Dataset:
    """Read VoxCeleb1: 153,516 clips of 1,251 speakers (Nagrani, Chung & Zisserman, 2017).

    Args:
        name: Name of the dataset in results.
        root: The folder that holds wav/, with both archives unpacked into it, and iden_split.txt.
        tolerate: "missing" leaves out clips without a file, "silent" accepts clips of zeros.

    Raises:
        DataError: The list is missing or damaged, or files are missing.
    """
    root = find_root(root, "voxceleb1", LIST)
    return from_list(name, root, read(root), leak_unit="video", tolerate=tolerate)


def verify(root: Path, full: bool, workers: int) -> Report:
    """Compare a download with the official list, and the list with its counts."""
    root = find_root(root, "voxceleb1", LIST)
    rows = read(root)
    labels = complaint(lambda path: _check(rows, path), root / LIST)
    return verify_list("voxceleb1", root, rows, 16000, labels, full, workers)


def read(root: Path) -> list[Listed]:
    """Return the clips of the list; clips of one video are alike."""
    rows = []
    for number, line in enumerate(read_text(root / LIST).splitlines(), 1):
        split, _, path = line.strip().partition(" ")
        if split not in SPLITS or path.count("/") != 2:
            raise DataError(f"{root / LIST}:{number}: expected 1, 2 or 3 and a path, found {line}")
        speaker = path.partition("/")[0]
        rows.append(Listed(f"wav/{path}", (speaker,), SPLITS[split], path.rpartition("/")[0]))
    return rows


def _check(rows: list[Listed], path: Path) -> None:
    check_counts("clips per split", Counter(row.split for row in rows), OFFICIAL_SPLITS, path)
    speakers = {"speakers": len({row.labels for row in rows})}
    check_counts("numbers", speakers, {"speakers": OFFICIAL_SPEAKERS}, path)
