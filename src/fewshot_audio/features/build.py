"""Building of a feature cache: in parts, by several processes, so that a killed build goes on."""

import json
import multiprocessing
import os
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from fewshot_audio.datasets.base import Clip, Dataset
from fewshot_audio.features.audio import decode
from fewshot_audio.features.base import PCM_STEP, Transform
from fewshot_audio.files import atomic_write, sha256
from fewshot_audio.processes import begin_worker
from fewshot_audio.types import DataError

INDEX, FEATURES, PARTS = "index.json", "features.npy", "part-*.npz"
CLIPS_PER_PART = 32  # what a killed build loses at most, per process
BYTES_PER_PART = 2**26  # of audio files, so that hours of sound need no memory at the same time
BYTES_PER_SECOND = 2**18  # of a part of a file, at most
SILENT = "is silent (every sample is zero)"
Problems = dict[str, str]  # what is wrong, by the id of a clip


@dataclass(frozen=True)
class Part:
    """Some clips of a dataset, and the file that their features are written to."""

    root: Path
    clips: tuple[Clip, ...]
    file: Path

    @property
    def ids(self) -> list[str]:
        """Ids of the clips."""
        return [clip.id for clip in self.clips]

    def is_whole(self) -> bool:
        """Return whether the file is there, whole, and of these clips."""
        try:
            ids = _read(self.file, "paths").tolist()
            return len(_read(self.file, "features")) > 0 and ids == self.ids
        except (FileNotFoundError, ValueError, KeyError, zipfile.BadZipFile, zlib.error):
            return False


def build_cache(
    dataset: Dataset, transform: Transform, folder: Path, workers: int, settings: dict[str, Any]
) -> Problems:
    """Compute the features of all clips and write them with their index; the index comes last.

    Nothing is joined while a file cannot be decoded. Silent clips are in the index.

    Returns:
        What is wrong with files that cannot be decoded or are silent, by the clip's id.
    """
    for draft in folder.glob(".*"):  # left by a killed process
        draft.unlink()
    parts = [
        Part(dataset.root, clips, folder / f"part-{number:05d}.npz")
        for number, clips in enumerate(_divided(dataset))
    ]
    problems = _build_parts(parts, transform, workers, f"features of {dataset.name}")
    accepted = {SILENT} if dataset.allow_silent else set()
    if accepted.issuperset(problems.values()):
        _join(parts, transform.n_columns, folder, settings)
    return problems


def _divided(dataset: Dataset) -> Iterator[tuple[Clip, ...]]:
    """Yield the clips of each part: so many, or fewer where their files are large."""
    clips: list[Clip] = []
    size = 0
    for clip in dataset.clips:
        file = dataset.root / clip.path
        of_clip = file.stat().st_size if file.exists() else 0
        if clip.end is not None:
            of_clip = min(of_clip, int((clip.end - clip.start) * BYTES_PER_SECOND))
        if clips and (len(clips) == CLIPS_PER_PART or size + of_clip > BYTES_PER_PART):
            yield tuple(clips)
            clips, size = [], 0
        clips.append(clip)
        size += of_clip
    yield tuple(clips)


def _build_parts(parts: Sequence[Part], transform: Transform, workers: int, title: str) -> Problems:
    """Write the parts that are not there yet, and return the problems of all."""
    missing = [part for part in parts if not part.is_whole()]
    for part in missing:
        part.file.unlink(missing_ok=True)  # damaged, or of other clips
    problems: Problems = {}
    total = sum(len(part.clips) for part in parts)
    with tqdm(desc=title, total=total, unit="clip", leave=False) as bar:
        bar.update(total - sum(len(part.clips) for part in missing))
        for part, of_part in zip(missing, _built(missing, transform, workers), strict=True):
            problems |= of_part
            bar.update(len(part.clips))
    for part in parts:
        if part.file.exists():
            problems |= dict.fromkeys(_read(part.file, "silent").tolist(), SILENT)
    return problems


def _built(parts: Sequence[Part], transform: Transform, workers: int) -> Iterator[Problems]:
    """Write parts and yield the problems of each; in this process where one is enough."""
    build, count = partial(_build, transform), min(workers, len(parts))
    if count <= 1:
        yield from map(build, parts)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(count, context, _start_builder) as pool:
        try:
            yield from pool.map(build, parts)
        finally:
            pool.shutdown(cancel_futures=True)


def _start_builder() -> None:
    """Use one thread in a new builder, and end with the process that it works for."""
    os.environ["OMP_NUM_THREADS"] = "1"  # of torch, which is not imported yet
    threadpool_limits(1)
    begin_worker()


def _build(transform: Transform, part: Part) -> Problems:
    """Write a part and return its problems; it is not written where a file cannot be decoded."""
    features, problems, silent = [], {}, []
    for clip in part.clips:
        try:
            samples, rate = decode(part.root / clip.path, clip.start, clip.end)
        except DataError as error:
            problems[clip.id] = str(error)
            continue
        if not samples.any():
            silent.append(clip.id)
        features.append(transform(transform.resample(samples, rate, transform.sample_rate)))
    if not problems:
        with atomic_write(part.file) as draft, draft.open("wb") as file:
            np.savez(
                file,
                paths=part.ids,
                counts=[len(frames) for frames in features],
                silent=np.array(silent, dtype=str),
                features=transform.packed(np.concatenate(features)),
            )
    return problems | dict.fromkeys(silent, SILENT)


def _join(parts: Sequence[Part], n_columns: int, folder: Path, settings: dict[str, Any]) -> None:
    """Join the parts into one array, then write the index, which says that the cache is whole."""
    silent, counts, kinds = [], [], set()
    for part in parts:
        silent += _read(part.file, "silent").tolist()
        counts += _read(part.file, "counts").tolist()
        kinds.add(_read(part.file, "features").dtype)
    kind = "<i2" if kinds == {np.dtype(np.int16)} else "<f4"
    header = {"descr": kind, "fortran_order": False, "shape": (sum(counts), n_columns)}
    with atomic_write(folder / FEATURES) as draft, draft.open("wb") as file:
        # written, not memory-mapped: a full disk must raise an error
        np.lib.format.write_array_header_1_0(file, header)
        for part in parts:
            features = _read(part.file, "features")
            if features.dtype == np.int16 and kind == "<f4":
                features = features * PCM_STEP
            file.write(features.astype(kind, copy=False).tobytes())
    index = {**settings, "counts": counts, "silent": silent, "sha256": sha256(folder / FEATURES)}
    with atomic_write(folder / INDEX) as draft:
        draft.write_text(json.dumps(index))


def _read(file: Path, name: str) -> np.ndarray:
    with file.open("rb") as handle, np.load(handle) as part:
        return part[name]
