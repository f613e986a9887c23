"""Synthetic recordings, written as files in the layouts of both official datasets."""

import csv
import io
import os
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import soundfile
from filelock import FileLock
from pydantic import Field

from fewshot_audio.datasets import tut2017, urbansound8k
from fewshot_audio.datasets.base import Dataset
from fewshot_audio.datasets.listing import Tolerable
from fewshot_audio.datasets.sounds import CLASSES, recording
from fewshot_audio.datasets.verify import Report, compare, table
from fewshot_audio.files import atomic_folder, find_root, sha256
from fewshot_audio.seeding import seed_for
from fewshot_audio.types import DataError

Layout = Literal["us8k", "tut_asc"]
Few = Annotated[int, Field(ge=1, le=100)]
MANIFEST = "manifest.tsv"
FORMATS = (  # rate (Hz), channels, format; no FLOAT, because its header holds the time of writing
    (44100, 2, "PCM_24"),
    (44100, 1, "PCM_16"),
    (22050, 1, "PCM_16"),
    (48000, 2, "PCM_16"),
    (16000, 1, "PCM_32"),
)


def synthetic(
    name: str,
    root: Path,
    layout: Layout = "us8k",
    groups: Few = 4,
    clips_per_class: Few = 8,
    validation: urbansound8k.Validation = "next",
    tolerate: tuple[Tolerable, ...] = (),
) -> Dataset:
    """Return a dataset of five classes of sounds, written below the root on first use.

    Every file is a function of its name, so the dataset is the same wherever it is written.

    Args:
        name: Name of the dataset in results.
        root: Folder in which the folder of the layout is written.
        layout: The official dataset whose layout it has.
        groups: Folds (us8k), or locations per class and part (tut_asc).
        clips_per_class: Clips of each class in each group.
        validation: As for UrbanSound8K.
        tolerate: As for both official datasets.

    Raises:
        DataError: The folder holds data that was written with other arguments.
    """
    folder = root / layout
    _write_once(folder, layout, groups, clips_per_class)
    if layout == "us8k":
        rows = urbansound8k.read_rows(folder / urbansound8k.CSV)
        return urbansound8k.from_rows(name, folder, rows, None, validation, tolerate)
    parts = {
        part: tut2017.read_rows(folder / tut2017.folder(part) / "meta.txt")
        for part in tut2017.PARTS
    }
    return tut2017.from_rows(name, folder, parts, tolerate)


def verify(root: Path, full: bool, workers: int) -> Report:
    """Compare the files of either layout with the manifest that was written with them."""
    root = find_root(root, "us8k", MANIFEST)
    rows = table((root / MANIFEST).read_text())
    manifest = {path: (int(size), digest) for path, size, digest in rows}
    folders = sorted({os.path.dirname(path) for path in manifest})
    differences = compare(root, manifest, folders, full, workers)
    return Report("synthetic", str(root), full, len(manifest), *differences, "")


def _write_once(folder: Path, layout: Layout, groups: int, clips_per_class: int) -> None:
    """Write the files beside the folder and rename, unless the same were written before."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    receipt = folder / "written_by.txt"
    arguments = repr([("clips_per_class", clips_per_class), ("groups", groups)])
    with FileLock(folder.parent / f".lock-{folder.name}"):
        if not folder.exists():
            with atomic_folder(folder) as draft:
                _WRITERS[layout](draft, groups, clips_per_class)
                _write_manifest(draft)
                (draft / receipt.name).write_text(arguments)
        elif not receipt.is_file() or receipt.read_text() != arguments:
            raise DataError(
                f"{folder} holds other data than {arguments}; remove it or give another "
                "dataset.root"
            )


def _write_us8k(root: Path, n_folds: int, clips_per_class: int) -> None:
    """Write the layout of UrbanSound8K; clips share their recording two by two."""
    header = ("slice_file_name", "fsID", "start", "end", "salience", "fold", "classID", "class")
    rows: list[tuple] = [header]
    for fold in range(1, n_folds + 1):
        for label, name in enumerate(CLASSES):
            for i in range(clips_per_class):
                group = 100_000 + fold * 1000 + label * 100 + i // 2
                file = f"{group}-{label}-0-{i}.wav"
                _write_clip(root / "audio" / f"fold{fold}" / file, name)
                rows.append((file, group, 0, 4, 1, fold, label, name))
    path = root / urbansound8k.CSV
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as metadata:
        csv.writer(metadata).writerows(rows)


def _write_tut_asc(root: Path, n_locations: int, clips_per_class: int) -> None:
    """Write both parts in the layout of TUT Acoustic Scenes 2017."""
    for part in tut2017.PARTS:
        rows = []
        for label, name in enumerate(CLASSES):
            for i in range(n_locations * clips_per_class):
                location = f"{part[0]}{label}{i // clips_per_class:02d}"
                path = f"audio/{location}_{i}.wav"
                _write_clip(root / tut2017.folder(part) / path, name)
                rows.append((path, name, location))
        lines = "".join("\t".join(row) + "\n" for row in rows)
        (root / tut2017.folder(part) / "meta.txt").write_text(lines, encoding="utf-8")


_WRITERS = {"us8k": _write_us8k, "tut_asc": _write_tut_asc}


def _write_clip(path: Path, name: str) -> None:
    random = np.random.default_rng(seed_for("synthetic", path.name, path.parent.name))
    rate, n_channels, subtype = FORMATS[random.integers(len(FORMATS))]
    path.parent.mkdir(parents=True, exist_ok=True)
    content = io.BytesIO()  # libsndfile does not say why a file cannot be written
    samples = recording(name, random, rate, n_channels)
    soundfile.write(content, samples, rate, subtype=subtype, format="WAV")
    path.write_bytes(content.getbuffer())


def _write_manifest(root: Path) -> None:
    """Write path, bytes and SHA-256 of every WAV file below the root."""
    lines = ["path\tbytes\tsha256\n"]
    for file in sorted(root.rglob("*.wav")):
        path = file.relative_to(root).as_posix()
        lines.append(f"{path}\t{file.stat().st_size}\t{sha256(file)}\n")
    (root / MANIFEST).write_text("".join(lines))
