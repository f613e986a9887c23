"""Urban acoustic scenes of Tampere, 2018 to 2022, by their official training and test lists."""

from collections import Counter
from pathlib import Path

from fewshot_audio.datasets.base import Dataset
from fewshot_audio.datasets.listed import Listed, from_list
from fewshot_audio.datasets.listing import Tolerable
from fewshot_audio.datasets.official import read_table, read_text, verify_list
from fewshot_audio.datasets.verify import Report, complaint
from fewshot_audio.files import find_root
from fewshot_audio.types import DataError

META = "meta.csv"
# .txt without a header in 2018, then .csv
LISTS = {"train": "fold1_train", "test": "fold1_evaluate"}
OFFICIAL_SPLITS = {
    "TUT Urban Acoustic Scenes 2018": {"train": 6122, "test": 2518},
    "TAU Urban Acoustic Scenes 2019": {"train": 9185, "test": 4185},
    "TAU Urban Acoustic Scenes 2020 Mobile": {"train": 13962, "test": 2968},
    "TAU Urban Acoustic Scenes 2022 Mobile": {"train": 139620, "test": 29680},
}
N_SCENES = 10


def tau_urban(name: str, root: Path, tolerate: tuple[Tolerable, ...] = ()) -> Dataset:
    """Read a development set of TUT or TAU Urban Acoustic Scenes (Mesaros, Heittola & Virtanen).

    One fold of 10 scenes; clips of the lists only, so that some of Milan stay unused from 2019 on.

    Args:
        name: Name of the dataset in results.
        root: The development set's folder, with meta.csv, evaluation_setup and audio.
        tolerate: "missing" leaves out clips without a file, "silent" accepts clips of zeros.

    Raises:
        DataError: A list or files are missing.
    """
    root = find_root(root, "TAU-urban-acoustic-scenes-2019-development", META)
    return from_list(name, root, read(root), leak_unit="location", tolerate=tolerate)


def verify(root: Path, full: bool, workers: int) -> Report:
    """Compare a download with its lists, and the lists with the counts of the published sets."""
    root = find_root(root, "TAU-urban-acoustic-scenes-2019-development", META)
    rows = read(root)
    labels = complaint(lambda folder: _edition(rows, folder), root)
    notes = () if labels else (_edition(rows, root),)
    return verify_list("tau_urban", root, rows, None, labels, full, workers, notes)


def read(root: Path) -> list[Listed]:
    """Return the clips of both lists with scene and location as in meta.csv."""
    table = read_table(root / META, ("filename", "scene_label", "identifier"), "\t")
    meta = {row["filename"]: row for row in table}
    rows = []
    for split, file in LISTS.items():
        folder = root / "evaluation_setup"
        text, csv = folder / f"{file}.txt", folder / f"{file}.csv"
        path = text if text.exists() else csv
        for line in read_text(path).splitlines():
            name = line.partition("\t")[0].strip()
            if name in ("", "filename"):
                continue
            if name not in meta:
                raise DataError(f"{path}: {name} is not in {META}; unpack both archives again")
            row = meta[name]
            rows.append(Listed(name, (row["scene_label"],), split, row["identifier"]))
    return rows


def _edition(rows: list[Listed], root: Path) -> str:
    """Return which published set has so many clips. DataError where none has."""
    counts, scenes = Counter(row.split for row in rows), {row.labels for row in rows}
    for name, official in OFFICIAL_SPLITS.items():
        if counts == official and len(scenes) == N_SCENES:
            return f"the lists have the counts of {name}"
    raise DataError(
        f"{root}: {counts['train']} clips train, {counts['test']} test, of {len(scenes)} scenes; "
        f"expected {N_SCENES} scenes and one of {list(OFFICIAL_SPLITS.values())}"
    )
