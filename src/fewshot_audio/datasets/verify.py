"""Comparison of a dataset on disk with its manifest. Only reads.

The module of a dataset function may hold `verify(root, full, workers) -> Report`, made of the parts
below; scripts/verify.py finds it there.
"""

import csv
import importlib
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from fewshot_audio.components import locate
from fewshot_audio.datasets.listing import LIST_ALL, shorten
from fewshot_audio.features.audio import decode
from fewshot_audio.files import in_threads, list_files, sha256
from fewshot_audio.types import ConfigError, DataError, FewshotAudioError

Check = Callable[[Path], str | None]  # a file to what is wrong with it
Manifest = Mapping[str, tuple[int | None, str | None]]  # path to size (bytes) and SHA-256
Differences = tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]  # missing, changed, extra


@dataclass(frozen=True)
class Report:
    """Result of a verification.

    Args:
        dataset: Name of the dataset.
        root: Folder that was checked; paths are relative to it.
        full: Whether the files were read, not only listed.
        expected: Number of files in the manifest.
        missing: Paths without a file.
        changed: Paths with what is wrong, as "a.wav: 5 bytes, not 8".
        extra: Paths that the manifest does not hold; they do no harm.
        labels: What is wrong with classes, folds and counts; empty: nothing.
        notes: What else a reader should know.
        published: Whether it is a published dataset, or a user's own.
    """

    dataset: str
    root: str
    full: bool
    expected: int
    missing: tuple[str, ...]
    changed: tuple[str, ...]
    extra: tuple[str, ...]
    labels: str
    notes: tuple[str, ...] = ()
    published: bool = True

    @property
    def ok(self) -> bool:
        """Whether nothing is missing, changed or wrongly labelled."""
        return not (self.missing or self.changed or self.labels)

    def text(self) -> str:
        """Return the report for people, with the first names of each kind."""
        check = "full" if self.full else "quick"
        lines = [f"{self.dataset} in {self.root}, {check} check: {self.expected} files expected"]
        for kind in ("missing", "changed", "extra"):
            paths = getattr(self, kind)
            lines.append(f"{kind}: {len(paths)}")
            if paths:
                lines.append(shorten(paths, LIST_ALL))
        well = "as published" if self.published else "well"
        lines.append(f"classes, folds and counts: {self.labels or well}")
        lines.extend(self.notes)
        if self.ok:
            lines.append("all is well")
        elif not self.published:
            lines.append("mend what is named")
        else:
            lines.append("this is not the published dataset: download again what is named")
        return "\n".join(lines)


def find_verifier(target: str) -> Callable[[Path, bool, int], Report]:
    """Return the function `verify` of the module that a dataset function is in.

    Args:
        target: Dotted name of the dataset function, as in the `_target_` of its yaml.

    Raises:
        ConfigError: The module cannot be imported or has no `verify`.
    """
    locate(target)
    module_name = target.rpartition(".")[0]
    module = importlib.import_module(module_name)
    if not hasattr(module, "verify"):
        raise ConfigError(
            f"{target} cannot be verified: {module_name} has no function "
            "verify(root, full, workers) that returns a fewshot_audio.datasets.verify.Report"
        )
    return module.verify


def compare(
    root: Path, manifest: Manifest, folders: Iterable[str], full: bool, workers: int
) -> Differences:
    """Compare the files in some folders with a manifest: sizes always, hashes in full.

    Returns:
        Missing, changed and extra paths; hidden files do not count as extra.
    """
    present = list_files(root, folders, False)
    missing = sorted(manifest.keys() - present)
    extra = [
        path
        for path in sorted(present - manifest.keys())
        if not os.path.basename(path).startswith(".")
    ]

    def difference(path: Path) -> str | None:
        size, digest = manifest[path.relative_to(root).as_posix()]
        if size is not None and (actual := path.stat().st_size) != size:
            return f"{actual} bytes, not {size}"
        if full and digest is not None and sha256(path) != digest:
            return "other content of the same size"
        return None

    known = sorted(path for path in manifest.keys() & present if manifest[path] != (None, None))
    changed = check_files(root, known, difference, workers)
    return tuple(missing), tuple(changed), tuple(extra)


def check_files(root: Path, paths: Sequence[str], check: Check, workers: int) -> list[str]:
    """Return what a check says of each file, without the files that it has nothing against."""
    results = in_threads(check, root, paths, workers, "checking")
    return [f"{path}: {result}" for path, result in results if result]


def decoding_error(path: Path, rate: int | None = None) -> str | None:
    """Return why a file cannot be decoded at a rate (Hz; None: any), for `check_files`."""
    try:
        _, actual = decode(path)
    except DataError as error:
        return str(error)
    return None if rate in (None, actual) else f"{actual} Hz, not {rate}"


def complaint(read: Callable[[Path], Any], root: Path) -> str:
    """Return the error that a dataset's reader raises below a root, or an empty text."""
    try:
        read(root)
    except FewshotAudioError as error:
        return str(error)
    return ""


def table(text: str) -> list[list[str]]:
    """Return the rows of a tab-separated text without its header."""
    return list(csv.reader(text.splitlines(), delimiter="\t"))[1:]


def shipped_text(name: str) -> str:
    """Return a manifest that is shipped with this package."""
    manifests = files("fewshot_audio.datasets").joinpath("manifests")
    return manifests.joinpath(name).read_text(encoding="utf-8")


def shipped_table(name: str) -> list[list[str]]:
    """Return the rows of a manifest that is shipped with this package, without its header."""
    return table(shipped_text(name))
