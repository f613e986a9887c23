"""A dataset on disk against its manifest. Only reads."""

import csv
import hashlib
import os
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import soundfile
from tqdm import tqdm

from fewshot_audio.datasets import tut2017 as tut_asc
from fewshot_audio.datasets import urbansound8k as us8k
from fewshot_audio.datasets.listing import shorten
from fewshot_audio.files import find_root, sha256
from fewshot_audio.types import FewshotAudioError

SHOWN = 10  # names of each kind in the report for people; --json has all
Check = Callable[[Path], str | None]  # a file to what is wrong with it
TUT_FORMAT = (44100, 2, "PCM_24", 441000)


@dataclass(frozen=True)
class Report:
    """What a verification found; paths are relative to the root."""

    dataset: str
    root: str
    full: bool
    expected: int
    missing: tuple[str, ...]
    changed: tuple[str, ...]  # path: what is wrong
    extra: tuple[str, ...]
    labels: str  # what is wrong with classes, folds and counts, empty for nothing
    notes: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether nothing is missing or changed; extra files do no harm."""
        return not (self.missing or self.changed or self.labels)

    def text(self) -> str:
        """The report for people."""
        lines = [
            f"{self.dataset} in {self.root}, {'full' if self.full else 'quick'} check: {self.expected} files expected"
        ]
        for name in ("missing", "changed", "extra"):
            found = getattr(self, name)
            lines += [f"{name}: {len(found)}"] + ([shorten(found, SHOWN)] if found else [])
        lines.append(f"classes, folds and counts: {self.labels or 'as published'}")
        lines += self.notes
        return "\n".join(
            [
                *lines,
                "all is well"
                if self.ok
                else "this is not the published dataset: download again what is named",
            ]
        )


def verify_us8k(root: Path, full: bool, workers: int) -> Report:
    """UrbanSound8K against path, bytes and, in full, SHA-256 of all 8,732 published files."""
    root = find_root(root, "UrbanSound8K", us8k.CSV)
    manifest = {
        f"audio/{path}": (int(size), digest) for path, size, digest in _rows(_shipped("us8k.tsv"))
    }
    found = _compare(
        root, manifest, [f"audio/fold{fold}" for fold in us8k.OFFICIAL_FOLDS], full, workers
    )
    return Report(
        "us8k", str(root), full, len(manifest), *found, _complaint(us8k.read_official, root)
    )


def verify_tut_asc(root: Path, full: bool, workers: int) -> Report:
    """TUT Acoustic Scenes 2017 against the published lists; in full, format and length of each file and MD5 of archives."""
    root = find_root(root, "TUT-acoustic-scenes-2017", tut_asc.folder("development"))
    names = [
        f"{tut_asc.folder(part)}/{path}"
        for part in tut_asc.PARTS
        for path, _, _ in tut_asc.official_rows(part)
    ]
    folders = [f"{tut_asc.folder(part)}/audio" for part in tut_asc.PARTS]
    missing, changed, extra = _compare(
        root, dict.fromkeys(names, (None, None)), folders, False, workers
    )
    notes = (
        "no hash of single files is published: the full check reads format and length, and the archives beside them",
    )
    if full:
        gone = set(missing)
        wrong = _each(root, [name for name in names if name not in gone], _tut_format, workers)
        archives, seen = _archives(root, workers)
        changed, notes = (*changed, *wrong, *archives), (*notes, f"archives checked: {seen}")
    labels = _complaint(tut_asc.read_official, root)
    return Report("tut_asc", str(root), full, len(names), missing, changed, extra, labels, notes)


def verify_synthetic(root: Path, full: bool, workers: int) -> Report:
    """A synthetic dataset, in either layout, against the manifest that was written with it."""
    root = find_root(root, "us8k", "manifest.tsv")
    manifest = {
        path: (int(size), digest)
        for path, size, digest in _rows((root / "manifest.tsv").read_text())
    }
    folders = sorted({os.path.dirname(path) for path in manifest})
    return Report(
        "synthetic",
        str(root),
        full,
        len(manifest),
        *_compare(root, manifest, folders, full, workers),
        "",
    )


VERIFIERS = {"us8k": verify_us8k, "tut_asc": verify_tut_asc, "synthetic": verify_synthetic}


def _compare(
    root: Path,
    manifest: Mapping[str, tuple[int | None, str | None]],
    folders: Iterable[str],
    full: bool,
    workers: int,
) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """Missing, changed and extra paths; sizes always, hashes in full."""
    present = {
        f"{folder}/{name}"
        for folder in folders
        if (root / folder).is_dir()
        for name in os.listdir(root / folder)
    }
    missing = sorted(manifest.keys() - present)
    there = sorted(manifest.keys() & present)
    extra = sorted(
        path for path in present - manifest.keys() if not os.path.basename(path).startswith(".")
    )

    def differs(path: Path) -> str | None:
        size, digest = manifest[path.relative_to(root).as_posix()]
        actual = path.stat().st_size
        if size is not None and actual != size:
            return f"{actual} bytes, not {size}"
        return (
            "other content of the same size"
            if full and digest is not None and sha256(path) != digest
            else None
        )

    return tuple(missing), tuple(_each(root, there, differs, workers)), tuple(extra)


def _each(root: Path, paths: list[str], check: Check, workers: int) -> list[str]:
    """What a check says of each file, those without complaint left out."""
    with ThreadPoolExecutor(workers) as pool:
        said = tqdm(
            pool.map(lambda path: check(root / path), paths),
            "checking",
            len(paths),
            unit="file",
            leave=False,
        )
        return [
            f"{path}: {complaint}" for path, complaint in zip(paths, said, strict=True) if complaint
        ]


def _tut_format(path: Path) -> str | None:
    try:
        info = soundfile.info(path)
    except soundfile.LibsndfileError as error:
        return f"cannot be read ({error})"
    found = (info.samplerate, info.channels, info.subtype, info.frames)
    return (
        None
        if found == TUT_FORMAT
        else f"{found}, not {TUT_FORMAT} (rate, channels, format, frames)"
    )


def _archives(root: Path, workers: int) -> tuple[list[str], str]:
    """Complaints about the downloaded archives that lie in the root, and how many of all were there."""
    published = {
        name: (int(size), digest)
        for _, _, name, size, digest in _rows(_shipped("tut_asc_archives.tsv"))
    }
    there = [name for name in published if (root / name).exists()]

    def differs(path: Path) -> str | None:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "md5").hexdigest()
        return (
            None
            if (path.stat().st_size, digest) == published[path.name]
            else "not the published archive"
        )

    return _each(root, there, differs, workers), f"{len(there)} of {len(published)}"


def _complaint(read: Callable[[Path], Any], root: Path) -> str:
    """What a dataset's reader finds wrong below a root."""
    try:
        read(root)
    except FewshotAudioError as error:
        return str(error)
    return ""


def _shipped(name: str) -> str:
    return files("fewshot_audio.datasets").joinpath(f"manifests/{name}").read_text(encoding="utf-8")


def _rows(text: str) -> list[list[str]]:
    """A tab-separated text with a header to its rows."""
    return list(csv.reader(text.splitlines(), delimiter="\t"))[1:]
