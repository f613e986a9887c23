"""TUT Acoustic Scenes 2017: the development set trains, the evaluation set tests."""

from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

from fewshot_audio.datasets.listing import SHOWN, Tolerable, present, shorten
from fewshot_audio.files import find_root
from fewshot_audio.types import Clip, DataError, Dataset, Fold

PARTS = ("development", "evaluation")
Row = tuple[str, str, str]  # path, scene, location


def folder(part: str) -> str:
    """The name of a part's folder."""
    return f"TUT-acoustic-scenes-2017-{part}"


def tut_acoustic_scenes(name: str, root: Path, tolerate: tuple[Tolerable, ...]) -> Dataset:
    """The official dataset: `root` holds both parts' folders. DataError where lists or files are not as published.

    One fold: 4,680 development clips train, 1,620 evaluation clips test. Source: Mesaros, Heittola & Virtanen (2016, 2017).
    """
    root = find_root(root, "TUT-acoustic-scenes-2017", folder("development"))
    return from_rows(name, root, read_official(root), tolerate)


def read_official(root: Path) -> dict[str, list[Row]]:
    """Both parts' lists below the root to their rows. DataError where they are not as published."""
    rows = {part: read_rows(root / folder(part) / "meta.txt") for part in PARTS}
    for part in PARTS:
        _check_official(rows[part], official_rows(part), root / folder(part) / "meta.txt")
    return rows


def read_rows(path: Path) -> list[Row]:
    """A meta.txt (path, scene, location; tab-separated) to its rows. DataError where it is missing or a column is."""
    if not path.is_file():
        raise DataError(f"{path} is missing; it comes with the part's .meta.zip")
    rows = [
        tuple(line.split("\t")[:3])
        for line in path.read_text(encoding="utf-8").splitlines()
        if line.strip()
    ]
    for number, row in enumerate(rows, 1):
        if len(row) < 3:
            raise DataError(
                f"{path}:{number}: expected path, scene and location between tabs, found {len(row)} columns"
            )
    return rows


def official_rows(part: str) -> list[Row]:
    """The published list of a part, as shipped with this package."""
    text = (
        files("fewshot_audio.datasets")
        .joinpath(f"manifests/tut_asc_{part}.tsv")
        .read_text(encoding="utf-8")
    )
    return [tuple(line.split("\t")) for line in text.splitlines()]


def from_rows(
    name: str, root: Path, rows: dict[str, Sequence[Row]], tolerate: tuple[Tolerable, ...]
) -> Dataset:
    """Rows of both parts to a dataset of one fold."""
    classes = tuple(sorted({scene for part in PARTS for _, scene, _ in rows[part]}))
    clips = [
        Clip(f"{folder(part)}/{path}", classes.index(scene), 1, location)
        for part in PARTS
        for path, scene, location in rows[part]
    ]
    found, notes = present(root, clips, tolerate)
    found = sorted(found, key=lambda clip: clip.path)
    train, test = (
        tuple(clip for clip in found if clip.path.startswith(folder(part) + "/")) for part in PARTS
    )
    return Dataset(name, root, classes, (Fold(1, train, test),), notes)


def _check_official(rows: Sequence[Row], official: Sequence[Row], path: Path) -> None:
    """DataError unless every row, apart from the order, is the published one."""
    wrong = sorted(set(rows) ^ set(official))
    if wrong or len(rows) != len(official):
        raise DataError(
            f"{path}: {len(rows)} clips, {len(official)} expected; {len(wrong)} rows differ from the official list:\n"
            + shorten([" ".join(row) for row in wrong], SHOWN)
        )
