"""ESC-50 and its part ESC-10, in their five official folds."""

from collections import Counter
from pathlib import Path

from fewshot_audio.datasets.base import Dataset
from fewshot_audio.datasets.listed import Listed, from_list
from fewshot_audio.datasets.listing import Tolerable
from fewshot_audio.datasets.official import check_counts, read_table, verify_list
from fewshot_audio.datasets.verify import Report, complaint
from fewshot_audio.files import find_root

CSV = "meta/esc50.csv"
COLUMNS = ("filename", "fold", "category", "esc10", "src_file")
N_CLASSES, PER_FOLD = 50, 8  # clips of a class in each of the five folds


def esc50(
    name: str, root: Path, esc10: bool = False, tolerate: tuple[Tolerable, ...] = ()
) -> Dataset:
    """Read ESC-50: 2,000 clips of 50 classes in 5 folds (Piczak, 2015).

    Args:
        name: Name of the dataset in results.
        root: The folder ESC-50-master, or the one that holds it.
        esc10: Whether to read only the 400 clips of the 10 classes of ESC-10.
        tolerate: "missing" leaves out clips without a file, "silent" accepts clips of zeros.

    Raises:
        DataError: The metadata or files are missing.
    """
    root = find_root(root, "ESC-50-master", CSV)
    return from_list(name, root, read(root, esc10), tolerate=tolerate)


def verify(root: Path, full: bool, workers: int) -> Report:
    """Compare a download with the metadata, and with the counts per fold and class."""
    root = find_root(root, "ESC-50-master", CSV)
    rows = read(root)
    labels = complaint(lambda path: _check(rows, path), root / CSV)
    return verify_list("esc50", root, rows, 44100, labels, full, workers)


def read(root: Path, esc10: bool = False) -> list[Listed]:
    """Return the clips of the metadata; clips of one Freesound recording are alike."""
    return [
        Listed(f"audio/{row['filename']}", (row["category"],), row["fold"], row["src_file"])
        for row in read_table(root / CSV, COLUMNS)
        if not esc10 or row["esc10"] == "True"
    ]


def _check(rows: list[Listed], path: Path) -> None:
    names = sorted({row.labels[0] for row in rows})
    check_counts("numbers", {"classes": len(names)}, {"classes": N_CLASSES}, path)
    expected = {f"{name} in fold {fold}": PER_FOLD for name in names for fold in range(1, 6)}
    counts = Counter(f"{row.labels[0]} in fold {row.split}" for row in rows)
    check_counts("clips per class and fold", counts, expected, path)
