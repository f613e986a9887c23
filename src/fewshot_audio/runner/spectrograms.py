"""One clip as each frontend shows it to a model."""

from collections.abc import Iterable

import numpy as np
import pandas as pd
import torch

from fewshot_audio.components import build
from fewshot_audio.datasets.base import Clip, Dataset
from fewshot_audio.features.audio import decode
from fewshot_audio.frontends.base import Frontend
from fewshot_audio.runner.plan import transform_of
from fewshot_audio.types import Job


def spectrograms(jobs: Iterable[Job], dataset: Dataset) -> pd.DataFrame:
    """Return a clip's spectrograms before training, by jobs that differ in their frontend.

    The clip is the first of the fold's test clips that is a patch long, or else the first.

    Returns:
        A row per frame: frontend, clip, seconds, and a column per band.
    """
    clip, tables = None, []
    for job in jobs:
        clip = clip or _long_clip(job, dataset)
        frames = _spectrogram(job, dataset, clip)
        values = [[float(f"{value:.4g}") for value in frame] for frame in frames]
        table = pd.DataFrame(values, columns=[str(band) for band in range(frames.shape[1])])
        step = job.mel.hop / job.mel.sample_rate
        table.insert(0, "frontend", job.frontend.name)
        table.insert(1, "clip", f"{dataset.name}, {clip.id}")
        table.insert(2, "seconds", [round(number * step, 5) for number in range(len(table))])
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def _long_clip(job: Job, dataset: Dataset) -> Clip:
    clips = dataset.fold(job.fold).test
    for clip in clips:
        if len(_spectrogram(job, dataset, clip)) >= job.patch_frames:
            return clip
    return clips[0]


def _spectrogram(job: Job, dataset: Dataset, clip: Clip) -> np.ndarray:
    """Return a clip's spectrogram (frames, bands) by a job's untrained frontend."""
    transform = transform_of(job)
    samples, rate = decode(dataset.file(clip.path), clip.start, clip.end)
    features = transform(transform.resample(samples, rate, transform.sample_rate))
    frontend = build(job.frontend, Frontend)
    frontend.begin(torch.Generator().manual_seed(job.seed))
    with torch.no_grad():
        return frontend.spectrogram(torch.from_numpy(features)[None])[0].numpy()
