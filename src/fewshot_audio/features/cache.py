"""Feature cache: the features of all clips of a dataset in one memory-mapped file."""

import json
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock

from fewshot_audio.datasets.base import TASK, Dataset
from fewshot_audio.datasets.listing import bad_files
from fewshot_audio.features.base import PCM_STEP, Transform
from fewshot_audio.features.build import FEATURES, INDEX, PARTS, SILENT, Problems, build_cache
from fewshot_audio.features.digests import digest_files
from fewshot_audio.files import acquire, sha256
from fewshot_audio.seeding import digest_of

log = logging.getLogger(__name__)
_bad: dict[Path, Problems] = {}  # of caches that cannot be built; others' jobs need not try again
VERSION = 2  # of how features are computed; 2: clips resampled as in 2018


class Cache(ABC):
    """Features of clips, by the clips' ids.

    Attributes:
        key: Digest of what they were computed from: transform, clips and the bytes of their files.
    """

    key: str

    @property
    @abstractmethod
    def files(self) -> Sequence["FeatureCache"]:
        """The caches of one file that it is made of."""

    @abstractmethod
    def length(self, clip_id: str) -> int:
        """Return the number of rows of a clip's features."""

    @abstractmethod
    def rows(self, clip_id: str, start: int, stop: int | None) -> np.ndarray:
        """Return a part of a clip's features, float32 (at most stop - start, columns)."""

    def __getitem__(self, clip_id: str) -> np.ndarray:
        """Return the features, float32 (frames, columns), of the clip with an id."""
        return self.rows(clip_id, 0, None)

    def of(self, clip_ids: Sequence[str]) -> Sequence[np.ndarray]:
        """Return the features of clips, each read when it is asked for."""
        return _Rows(self, clip_ids)


@dataclass(frozen=True)
class FeatureCache(Cache):
    """Features of every clip, in one file.

    Args:
        key: As of every cache.
        features: float32 (all frames, columns), or 16-bit samples (all, 1); memory-mapped.
        spans: First and last frame, exclusive, of each clip by its id.
        folder: Where the cache lies; it is opened there anew, unchecked, in another process.
        silent: Ids of the clips whose samples are all zero.
    """

    key: str
    features: np.ndarray
    spans: Mapping[str, tuple[int, int]]
    folder: Path | None = None
    silent: Sequence[str] = ()

    def __reduce__(self) -> tuple[Callable, tuple]:
        if self.folder is None:
            return FeatureCache, (self.key, self.features, self.spans)
        return _load, (self.key, self.folder)

    @property
    def files(self) -> Sequence["FeatureCache"]:
        return (self,)

    def length(self, clip_id: str) -> int:
        first, end = self.spans[clip_id]
        return end - first

    def rows(self, clip_id: str, start: int, stop: int | None) -> np.ndarray:
        first, end = self.spans[clip_id]
        rows = self.features[first + start : end if stop is None else min(first + stop, end)]
        return rows if rows.dtype == np.float32 else rows * PCM_STEP


@dataclass(frozen=True)
class JointCache(Cache):
    """The caches of several tasks, which training on one of them uses too.

    Args:
        key: As of every cache.
        tasks: The caches by task; ids of clips begin with the task and a slash.
    """

    key: str
    tasks: Mapping[str, Cache]

    @property
    def files(self) -> Sequence[FeatureCache]:
        return [file for cache in self.tasks.values() for file in cache.files]

    def length(self, clip_id: str) -> int:
        task, _, rest = clip_id.partition(TASK)
        return self.tasks[task].length(rest)

    def rows(self, clip_id: str, start: int, stop: int | None) -> np.ndarray:
        task, _, rest = clip_id.partition(TASK)
        return self.tasks[task].rows(rest, start, stop)


@dataclass(frozen=True)
class _Rows(Sequence[np.ndarray]):
    cache: Cache
    clip_ids: Sequence[str]

    def __len__(self) -> int:
        return len(self.clip_ids)

    def __getitem__(self, number: Any) -> Any:
        return self.cache[self.clip_ids[number]]


def open_cache(dataset: Dataset, transform: Transform, folder: Path, workers: int) -> Cache:
    """Open the cache of a dataset's features; build it where it is not there.

    A build that was killed is continued, a cache that does not match its hash is built anew.

    Args:
        dataset: The dataset.
        transform: What is computed of each clip.
        folder: Folder of all caches.
        workers: Processes that build.

    Raises:
        DataError: Files cannot be decoded, or are silent and the dataset does not allow that.
    """
    key, settings = cache_key(dataset, transform, file_digests(dataset, folder, workers))
    if dataset.tasks:
        of_tasks = {
            name: open_cache(each, transform, folder, workers)
            for name, each in dataset.tasks.items()
        }
        return JointCache(key, of_tasks)
    own = folder / f"{dataset.name}-{key}-v{VERSION}"
    own.mkdir(parents=True, exist_ok=True)
    lock = FileLock(own / "lock")
    with acquire(lock, f"waiting for another process that builds {own.name}"):
        if not _is_whole(own):
            _check(dataset, _bad.get(own, {}))
            _bad[own] = build_cache(dataset, transform, own, workers, settings)
            _check(dataset, _bad[own])
        for part in own.glob(PARTS):  # joined
            part.unlink()
    cache = _load(key, own)
    _check(dataset, dict.fromkeys(cache.silent, SILENT))
    return cache


def file_digests(dataset: Dataset, folder: Path, workers: int) -> dict[str, str]:
    """Return the SHA-256 of each clip's file by its path; hashes are remembered in the folder."""
    if dataset.tasks:
        return {
            f"{name}{TASK}{path}": digest
            for name, each in dataset.tasks.items()
            for path, digest in file_digests(each, folder, workers).items()
        }
    paths = dict.fromkeys(clip.path for clip in dataset.clips)  # a file may hold several clips
    return digest_files(dataset.root, paths, folder, workers)


def cache_key(
    dataset: Dataset, transform: Any, digests: Mapping[str, str]
) -> tuple[str, dict[str, Any]]:
    """Return a cache's key, and the settings that it is the digest of.

    These are the transform's class name, its settings that are not defaults, and each clip with the
    SHA-256 of its file. No module is named, so that code can move.
    """
    chosen = {
        field.name: getattr(transform, field.name)
        for field in fields(transform)
        if getattr(transform, field.name) != field.default
    }
    settings = {
        "transform": {"name": type(transform).__name__, **chosen},
        "clips": [[clip.id, digests[clip.path]] for clip in dataset.clips],
    }
    return digest_of(settings), settings


def _check(dataset: Dataset, problems: Mapping[str, str]) -> None:
    """Raise DataError that names bad files; silent ones are bad unless the dataset allows them."""
    bad = {
        name: reason
        for name, reason in problems.items()
        if reason != SILENT or not dataset.allow_silent
    }
    if not bad:
        return
    hint = ""
    if SILENT in problems.values():
        hint = (
            "; silent ones are accepted with dataset.tolerate=[silent], or by a dataset of your "
            "own with allow_silent=True"
        )
    raise bad_files(dataset.root, bad, hint)


def _is_whole(folder: Path) -> bool:
    """Return whether a finished cache lies in the folder unchanged; a damaged one is removed."""
    index, features = folder / INDEX, folder / FEATURES
    if not index.exists():
        return False
    if features.exists() and _matches(folder, features.stat().st_mtime_ns):
        return True
    log.warning("%s does not match its hash; it is built anew", folder)
    index.unlink(missing_ok=True)
    features.unlink(missing_ok=True)
    return False


@lru_cache(maxsize=8)
def _matches(folder: Path, modified: int) -> bool:
    """Return whether the features have the hash in their index; asked once per time of change."""
    try:
        index = json.loads((folder / INDEX).read_text())
        return sha256(folder / FEATURES) == index["sha256"]
    except (ValueError, KeyError):
        return False


def _load(key: str, folder: Path) -> FeatureCache:
    index = json.loads((folder / INDEX).read_text())
    spans, start = {}, 0
    for clip, count in zip(index["clips"], index["counts"], strict=True):
        spans[clip[0]] = (start, start + count)
        start += count
    features = np.load(folder / FEATURES, mmap_mode="r")
    return FeatureCache(key, features, spans, folder, index["silent"])
