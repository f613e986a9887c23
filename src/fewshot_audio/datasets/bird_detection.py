"""Bird audio detection of DCASE 2018: bird or none, each of three recording projects a fold."""

from collections import Counter
from pathlib import Path

from fewshot_audio.datasets.base import Dataset
from fewshot_audio.datasets.listed import Listed, from_list
from fewshot_audio.datasets.listing import Tolerable
from fewshot_audio.datasets.official import check_counts, read_table, verify_list
from fewshot_audio.datasets.verify import Report, complaint
from fewshot_audio.types import DataError

SETS = {  # table to clips; their order numbers the folds
    "ff1010bird_metadata_2018.csv": 7690,
    "warblrb10k_public_metadata_2018.csv": 8000,
    "BirdVoxDCASE20k_csvpublic.csv": 20000,
}
CLASSES = ("no_bird", "bird")


def bird_detection(name: str, root: Path, tolerate: tuple[Tolerable, ...] = ()) -> Dataset:
    """Read the development sets of DCASE 2018 task 3 that are there (Stowell et al., 2018).

    Fold 1 is freefield1010, fold 2 warblrb10k, fold 3 BirdVox-DCASE-20k: each tests once while the
    others train, so that a score tells how well a model works at places that it has not heard.

    Args:
        name: Name of the dataset in results.
        root: The folder that holds the tables of two or three sets, or one folder for each; the
            recordings are in the folder wav beside their table.
        tolerate: "missing" leaves out clips without a file, "silent" accepts clips of zeros.

    Raises:
        DataError: There are fewer than two tables, one is damaged, or files are missing.
    """
    rows = read(root)
    n_sets = len({row.split for row in rows})
    notes = () if n_sets == len(SETS) else (f"only {n_sets} of {len(SETS)} sets",)
    return from_list(name, root, rows, CLASSES, tolerate=tolerate, notes=notes)


def verify(root: Path, full: bool, workers: int) -> Report:
    """Compare the sets that are there with their tables, and these with the official counts."""
    rows = read(root)
    counts = Counter(row.split for row in rows)
    official = {str(fold): n for fold, n in enumerate(SETS.values(), 1) if str(fold) in counts}
    labels = complaint(lambda path: check_counts("clips per fold", counts, official, path), root)
    notes = (f"{len(counts)} of {len(SETS)} sets are there",)
    return verify_list("bird_detection", root, rows, 44100, labels, full, workers, notes)


def read(root: Path) -> list[Listed]:
    """Return the clips of the tables in a folder and in the folders in it."""
    rows = []
    for fold, file in enumerate(SETS, 1):
        for path in sorted([*root.glob(file), *root.glob(f"*/{file}")])[:1]:
            folder = (path.parent / "wav").relative_to(root).as_posix()
            for row in read_table(path, ("itemid", "hasbird")):
                if row["hasbird"] not in ("0", "1"):
                    raise DataError(
                        f"{path}: {row['itemid']} has hasbird {row['hasbird']}, not 0 or 1"
                    )
                label = CLASSES[int(row["hasbird"])]
                rows.append(Listed(f"{folder}/{row['itemid']}.wav", (label,), str(fold)))
    if not rows:
        raise DataError(
            f"dataset.root={root}: expected tables {', '.join(SETS)} in it or in folders in it, "
            "found none"
        )
    return rows
