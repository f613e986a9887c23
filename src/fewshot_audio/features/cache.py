"""A bank: all clips of a dataset under one fixed transform, in one memory-mapped file."""

import hashlib
import json
import logging
import multiprocessing
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from filelock import FileLock, Timeout
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from fewshot_audio.features.audio import load
from fewshot_audio.features.digests import digest_files
from fewshot_audio.files import atomic_write, sha256
from fewshot_audio.lifeline import exit_with_parent
from fewshot_audio.types import DataError, Dataset

log = logging.getLogger(__name__)
VERSION = 2  # of how rows are computed; 2: clips resampled as in 2018
PART = 32  # clips; what a killed build loses at most, per process


class Transform(Protocol):
    """Samples (samples,) at `sample_rate` Hz to float32 rows (rows, columns); a frozen dataclass."""

    sample_rate: int
    columns: int

    def __call__(self, samples: np.ndarray) -> np.ndarray: ...


@dataclass(frozen=True)
class FeatureCache:
    """Rows of every clip; `key` names what they were computed from: the transform, the clips and the bytes of their files.

    One in a `folder` goes to other processes by name, checked already.
    """

    key: str
    rows: np.ndarray  # (all rows, columns) float32, memory-mapped
    spans: Mapping[str, tuple[int, int]]
    folder: Path | None = None

    def __reduce__(self) -> tuple[Callable, tuple]:
        if self.folder is None:
            return FeatureCache, (self.key, self.rows, self.spans)
        return _reopened, (self.key, self.folder)

    def __getitem__(self, path: str) -> np.ndarray:
        """A clip's path to its rows (rows, columns)."""
        start, stop = self.spans[path]
        return self.rows[start:stop]


def open_cache(
    dataset: Dataset, transform: Transform, cache: Path, workers: int, silent: bool
) -> FeatureCache:
    """The dataset's bank, built if it is not there, continued if a build was killed, checked against its hash.

    DataError names every file that cannot be decoded, and silent ones unless `silent` allows them.
    """
    key, settings = cache_key(dataset, transform, file_digests(dataset, cache, workers))
    folder = cache / f"{dataset.name}-{key}-v{VERSION}"
    folder.mkdir(parents=True, exist_ok=True)
    with _alone(folder):
        for draft in folder.glob(".*"):  # of a killed process
            draft.unlink()
        if not _is_whole(folder):
            _refuse(dataset, _build_parts(dataset, transform, folder, workers), silent)
            _join_parts(dataset, settings, transform.columns, folder)
        for part in folder.glob(
            "part-*.npz"
        ):  # joined, also by a process that was killed right after
            part.unlink()
    bank, silences = _load(key, folder)
    _refuse(dataset, dict.fromkeys(silences, SILENT), silent)
    return bank


def _reopened(key: str, folder: Path) -> FeatureCache:
    return _load(key, folder)[0]


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold the folder's lock; says so when another process has it."""
    lock = FileLock(folder / "lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        log.info("waiting for another process that builds %s", folder.name)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _refuse(dataset: Dataset, problems: Mapping[str, str], silent: bool) -> None:
    """DataError that names all bad files; silent ones are bad unless accepted."""
    refused = [
        f"{path}: {reason}"
        for path, reason in sorted(problems.items())
        if not (silent and reason == SILENT)
    ]
    if refused:
        hint = (
            "; silent ones are accepted with dataset.tolerate=[silent]"
            if SILENT in problems.values()
            else ""
        )
        raise DataError(
            f"{dataset.root}: {len(refused)} bad files; replace them{hint}\n"
            + "\n".join(f"  {line}" for line in refused)
        )


def file_digests(dataset: Dataset, cache: Path, workers: int) -> dict[str, str]:
    """The path of each clip to its file's SHA-256."""
    return digest_files(dataset.root, [clip.path for clip in dataset.clips], cache, workers)


def cache_key(
    dataset: Dataset, transform: Transform, digests: Mapping[str, str]
) -> tuple[str, dict[str, Any]]:
    """Return a cache's key and what it is the digest of: the transform, and each clip with its file's SHA-256."""
    settings = {
        "transform": {"name": type(transform).__name__, **asdict(transform)},
        "clips": [[clip.path, digests[clip.path]] for clip in dataset.clips],
    }
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:16], settings


def _is_whole(folder: Path) -> bool:
    """Whether a finished bank lies there unchanged; a damaged one is removed."""
    if not (folder / "index.json").exists():
        return False
    if _intact(
        folder / "rows.npy",
        (folder / "rows.npy").stat().st_mtime_ns if (folder / "rows.npy").exists() else 0,
    ):
        return True
    log.warning("%s does not match its hash; it is built anew", folder)
    for name in ("index.json", "rows.npy"):
        (folder / name).unlink(missing_ok=True)
    return False


@lru_cache(maxsize=8)
def _intact(rows: Path, modified: int) -> bool:
    """Whether the rows have the hash that their index holds; remembered while their time of change stays the same."""
    try:
        return sha256(rows) == json.loads((rows.parent / "index.json").read_text())["sha256"]
    except (FileNotFoundError, ValueError, KeyError):
        return False


def _parts(dataset: Dataset) -> list[tuple[str, ...]]:
    paths = [clip.path for clip in dataset.clips]
    return [tuple(paths[i : i + PART]) for i in range(0, len(paths), PART)]


def _part_files(dataset: Dataset, folder: Path) -> list[Path]:
    return [folder / f"part-{number:05d}.npz" for number in range(len(_parts(dataset)))]


SILENT = "is silent (every sample is zero)"


def _build_parts(
    dataset: Dataset, transform: Transform, folder: Path, workers: int
) -> dict[str, str]:
    """Compute the parts that are not there yet, in parallel; the problems of all clips by path."""
    parts = zip(_parts(dataset), _part_files(dataset, folder), strict=True)
    todo = [
        (dataset.root, paths, transform, file) for paths, file in parts if not _holds(file, paths)
    ]
    for *_, file in todo:
        file.unlink(missing_ok=True)  # damaged, or of other clips
    problems: dict[str, str] = {}
    with tqdm(
        desc=f"bank of {dataset.name}", total=len(dataset.clips), unit="clip", leave=False
    ) as bar:
        bar.update(len(dataset.clips) - sum(len(paths) for _, paths, _, _ in todo))
        for paths, found in zip(
            (job[1] for job in todo), _in_parallel(_build_part, todo, workers), strict=True
        ):
            problems |= found
            bar.update(len(paths))
    for file in _part_files(dataset, folder):
        problems |= dict.fromkeys(
            _read_part(file, "silent").tolist() if file.exists() else [], SILENT
        )
    return problems


def _in_parallel(function: Callable, jobs: list[tuple], workers: int) -> Iterator:
    """Results of the function for each job's arguments, in order; in this process where one is enough."""
    if min(workers, len(jobs)) <= 1:
        yield from (function(*job) for job in jobs)
        return
    with ProcessPoolExecutor(
        min(workers, len(jobs)), multiprocessing.get_context("spawn"), _begin
    ) as pool:
        try:
            yield from pool.map(function, *zip(*jobs, strict=True))
        finally:
            pool.shutdown(cancel_futures=True)


def _begin() -> None:
    """In a new builder: use one thread, and end with the process that it works for."""
    threadpool_limits(1)
    exit_with_parent()


def _build_part(
    root: Path, paths: tuple[str, ...], transform: Transform, target: Path
) -> dict[str, str]:
    """Write the rows of some clips as one file; the problems by path. A part with a bad file is not written."""
    rows, problems = [], {}
    for path in paths:
        try:
            samples = load(root / path, transform.sample_rate)
        except DataError as error:
            problems[path] = str(error)
            continue
        if not samples.any():
            problems[path] = SILENT
        rows.append(transform(samples))
    if all(reason == SILENT for reason in problems.values()):
        silent = [path for path in paths if path in problems]
        with atomic_write(target) as draft, draft.open("wb") as file:
            counts = [len(each) for each in rows]
            np.savez(
                file,
                paths=paths,
                counts=counts,
                silent=np.array(silent, dtype=str),
                rows=np.concatenate(rows),
            )
    return problems


def _holds(file: Path, paths: tuple[str, ...]) -> bool:
    """Whether a part is there, whole, and of these clips."""
    try:
        return len(_read_part(file, "rows")) > 0 and _read_part(file, "paths").tolist() == list(
            paths
        )
    except (FileNotFoundError, ValueError, KeyError, zipfile.BadZipFile, zlib.error):
        return False


def _read_part(file: Path, name: str) -> np.ndarray:
    with file.open("rb") as handle, np.load(handle) as part:
        return part[name]


def _join_parts(dataset: Dataset, settings: dict[str, Any], columns: int, folder: Path) -> None:
    """Join the parts into one array, then write the index, whose presence says that the bank is whole."""
    files = _part_files(dataset, folder)
    silences = np.concatenate([_read_part(file, "silent") for file in files]).tolist()
    counts = np.concatenate([_read_part(file, "counts") for file in files]).tolist()
    header = {"descr": "<f4", "fortran_order": False, "shape": (sum(counts), columns)}
    with (
        atomic_write(folder / "rows.npy") as draft,
        draft.open("wb") as out,
    ):  # no memory map: a full disk must raise
        np.lib.format.write_array_header_1_0(out, header)
        for file in files:
            out.write(_read_part(file, "rows").astype("<f4", copy=False).tobytes())
    index = {
        **settings,
        "counts": counts,
        "silent": silences,
        "sha256": sha256(folder / "rows.npy"),
    }
    with atomic_write(folder / "index.json") as draft:
        draft.write_text(json.dumps(index))


def _load(key: str, folder: Path) -> tuple[FeatureCache, list[str]]:
    """The bank in a folder, and its silent clips."""
    index = json.loads((folder / "index.json").read_text())
    stops = np.cumsum(index["counts"]).tolist()
    spans = {
        clip[0]: (stop - count, stop)
        for clip, count, stop in zip(index["clips"], index["counts"], stops, strict=True)
    }
    return FeatureCache(key, np.load(folder / "rows.npy", mmap_mode="r"), spans, folder), index[
        "silent"
    ]
