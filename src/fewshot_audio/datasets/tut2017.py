"""TUT Acoustic Scenes 2017: the development set trains, the evaluation set tests."""

import hashlib
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import soundfile

from fewshot_audio.datasets.base import Dataset
from fewshot_audio.datasets.listed import Listed, from_list
from fewshot_audio.datasets.listing import Tolerable, shorten
from fewshot_audio.datasets.official import read_text
from fewshot_audio.datasets.verify import (
    Report,
    check_files,
    compare,
    complaint,
    shipped_table,
    shipped_text,
)
from fewshot_audio.files import find_root
from fewshot_audio.types import DataError

PARTS = ("development", "evaluation")
FORMAT = (44100, 2, "PCM_24", 441000)  # rate (Hz), channels, format, frames of each file
Row = tuple[str, str, str]  # path, scene, location


def folder(part: str) -> str:
    """Return the name of a part's folder."""
    return f"TUT-acoustic-scenes-2017-{part}"


def tut_acoustic_scenes(name: str, root: Path, tolerate: tuple[Tolerable, ...] = ()) -> Dataset:
    """Read TUT Acoustic Scenes 2017 (Mesaros, Heittola & Virtanen, 2016, 2017).

    One fold of 15 classes: 4,680 development clips train, 1,620 evaluation clips test.

    Args:
        name: Name of the dataset in results.
        root: The folder that holds both parts' folders, or the one that holds it.
        tolerate: "missing" leaves out clips without a file, "silent" accepts clips of zeros.

    Raises:
        DataError: Lists or files are not as published.
    """
    root = find_root(root, "TUT-acoustic-scenes-2017", folder("development"))
    return from_rows(name, root, read_official(root), tolerate)


def verify(root: Path, full: bool, workers: int) -> Report:
    """Compare a download with the published lists.

    No hash of single files is published: the full check reads format and length of each file, and
    the MD5 of the archives that lie beside them.
    """
    root = find_root(root, "TUT-acoustic-scenes-2017", folder("development"))
    paths = [f"{folder(part)}/{row[0]}" for part in PARTS for row in official_rows(part)]
    folders = [f"{folder(part)}/audio" for part in PARTS]
    manifest = dict.fromkeys(paths, (None, None))
    missing, changed, extra = compare(root, manifest, folders, full=False, workers=workers)
    notes = [
        "no hash of single files is published: the full check reads format and length, "
        "and the archives beside them"
    ]
    if full:
        present = [path for path in paths if path not in set(missing)]
        archives = {row[2]: (int(row[3]), row[4]) for row in shipped_table("tut_asc_archives.tsv")}
        downloaded = [archive for archive in archives if (root / archive).exists()]
        changed += tuple(check_files(root, present, _format_error, workers))
        check = partial(_archive_error, archives)
        changed += tuple(check_files(root, downloaded, check, workers))
        notes.append(f"archives checked: {len(downloaded)} of {len(archives)}")
    labels = complaint(read_official, root)
    return Report(
        "tut_asc", str(root), full, len(paths), missing, changed, extra, labels, tuple(notes)
    )


def read_official(root: Path) -> dict[str, list[Row]]:
    """Return the rows of both parts' lists. DataError where they are not as published."""
    rows = {part: read_rows(root / folder(part) / "meta.txt") for part in PARTS}
    for part in PARTS:
        _check_rows(rows[part], official_rows(part), root / folder(part) / "meta.txt")
    return rows


def read_rows(path: Path) -> list[Row]:
    """Return the rows of a meta.txt. DataError where the file or a column is missing."""
    rows: list[Row] = []
    for number, line in enumerate(read_text(path).splitlines(), 1):
        if not line.strip():
            continue
        columns = line.split("\t")
        if len(columns) < 3:
            raise DataError(
                f"{path}:{number}: expected path, scene and location between tabs, "
                f"found {len(columns)} columns"
            )
        rows.append((columns[0], columns[1], columns[2]))
    return rows


def official_rows(part: str) -> list[Row]:
    """Return the published list of a part, as shipped with this package."""
    lines = shipped_text(f"tut_asc_{part}.tsv").splitlines()
    return [
        (path, scene, location) for path, scene, location in (line.split("\t") for line in lines)
    ]


def from_rows(
    name: str, root: Path, rows: Mapping[str, Sequence[Row]], tolerate: tuple[Tolerable, ...]
) -> Dataset:
    """Return the dataset of one fold that the rows of both parts describe."""
    splits = dict(zip(PARTS, ("train", "test"), strict=True))
    clips = [
        Listed(f"{folder(part)}/{path}", (scene,), splits[part], location)
        for part in PARTS
        for path, scene, location in rows[part]
    ]
    return from_list(name, root, clips, leak_unit="location", tolerate=tolerate)


def _check_rows(rows: Sequence[Row], official: Sequence[Row], path: Path) -> None:
    """Raise DataError unless every row, apart from the order, is the published one."""
    wrong = sorted(set(rows) ^ set(official))
    if wrong or len(rows) != len(official):
        raise DataError(
            f"{path}: {len(rows)} clips, {len(official)} expected; "
            f"{len(wrong)} rows differ from the official list:\n"
            + shorten([" ".join(row) for row in wrong])
        )


def _format_error(path: Path) -> str | None:
    try:
        info = soundfile.info(path)
    except soundfile.LibsndfileError as error:
        return f"cannot be read ({error})"
    actual = (info.samplerate, info.channels, info.subtype, info.frames)
    if actual == FORMAT:
        return None
    return f"{actual}, not {FORMAT} (rate, channels, format, frames)"


def _archive_error(published: Mapping[str, tuple[int, str]], path: Path) -> str | None:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "md5").hexdigest()
    if (path.stat().st_size, digest) == published[path.name]:
        return None
    return "not the published archive"
