"""One clip as each frontend shows it to a model."""

from collections.abc import Iterable

import numpy as np
import pandas as pd
import torch

from fewshot_audio.components import build
from fewshot_audio.features.audio import load
from fewshot_audio.models.base import FRAMES
from fewshot_audio.runner.plan import transform_of
from fewshot_audio.types import Dataset, Job

DIGITS = 4  # of values kept


def maps_of(jobs: Iterable[Job], dataset: Dataset) -> pd.DataFrame:
    """Jobs that differ in their frontend to a clip's maps before training: frontend, clip, seconds, a column per band.

    The clip is the first of the fold's test set that is a patch long, or else its first.
    """
    path, tables = "", []
    for job in jobs:
        path = path or _long_clip(job, dataset)
        values = [
            [float(f"{value:.{DIGITS}g}") for value in frame] for frame in _map(job, dataset, path)
        ]
        table = pd.DataFrame(values, columns=[str(band) for band in range(len(values[0]))])
        table.insert(0, "frontend", job.frontend.name)
        table.insert(1, "clip", f"{dataset.name}, {path}")
        table.insert(
            2,
            "seconds",
            [round(frame * job.mel.hop / job.mel.sample_rate, 5) for frame in range(len(table))],
        )
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def _long_clip(job: Job, dataset: Dataset) -> str:
    paths = [clip.path for clip in dataset.fold(job.fold).test]
    return next((path for path in paths if len(_map(job, dataset, path)) >= FRAMES), paths[0])


def _map(job: Job, dataset: Dataset, path: str) -> np.ndarray:
    """A clip's file to its map by a job's untrained frontend."""
    transform = transform_of(job)
    rows = transform(load(dataset.root / path, transform.sample_rate))
    frontend = build(job.frontend)
    frontend.initialise(torch.Generator().manual_seed(job.seed))
    with torch.no_grad():
        return frontend.spectrogram(torch.from_numpy(rows)[None])[0].numpy()
