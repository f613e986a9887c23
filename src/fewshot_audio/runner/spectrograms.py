"""One clip as each frontend shows it to a model."""

from collections.abc import Iterable

import numpy as np
import pandas as pd
import torch

from fewshot_audio.components import build
from fewshot_audio.datasets.base import Clip, Dataset
from fewshot_audio.features.audio import decode
from fewshot_audio.frontends.base import Frontend
from fewshot_audio.frontends.log import LOGARITHMS
from fewshot_audio.runner.plan import transform_of
from fewshot_audio.training.waveform_network import mel_of, seconds_of_frame
from fewshot_audio.types import Job

LOOKED_AT = 20  # test clips among which a long one is searched
UNITS = {10: "log10 of power", "e": "ln of power"}  # by the base of a logarithm


def spectrograms(jobs: Iterable[Job], dataset: Dataset) -> pd.DataFrame:
    """Return a clip's spectrograms before training, by jobs that differ in their frontend.

    The clip is the first that is a patch long of the fold's first `LOOKED_AT` test clips, or else
    the first. Fixed frontends come first.

    Returns:
        A row per frame: frontend, clip (dataset, file and class), unit (of the values; the
        frontend's name where no other has it), seconds, and a column per band. The first row of
        each frontend has no seconds, and the bands' centres in Hz, NaN where it has none.
    """
    clip, tables = None, []
    for job in jobs:
        clip = clip or _long_clip(job, dataset)
        frontend, frames = _spectrogram(job, dataset, clip)
        rows = [
            [float(f"{value:.4g}") for value in row] for row in (_centres(frontend, job), *frames)
        ]
        table = pd.DataFrame(rows, columns=[str(band) for band in range(frames.shape[1])])
        step = seconds_of_frame(frontend, job)
        names = " and ".join(dataset.classes[label] for label in clip.labels) or "no label"
        table.insert(0, "frontend", job.frontend.name)
        table.insert(1, "clip", f"{dataset.name}, {clip.id}, {names}")
        table.insert(2, "unit", _unit(frontend, job.frontend.name))
        table.insert(
            3, "seconds", [np.nan, *(round(number * step, 5) for number in range(len(frames)))]
        )
        is_learned = any(weight.requires_grad for weight in frontend.parameters())
        tables.append((is_learned, table))
    tables.sort(key=lambda each: each[0])
    return pd.concat([table for _, table in tables], ignore_index=True)


def _long_clip(job: Job, dataset: Dataset) -> Clip:
    clips = dataset.fold(job.fold).test
    for clip in clips[:LOOKED_AT]:
        if len(_spectrogram(job, dataset, clip)[1]) >= job.patch_frames:
            return clip
    return clips[0]


def _spectrogram(job: Job, dataset: Dataset, clip: Clip) -> tuple[Frontend, np.ndarray]:
    """Return a job's untrained frontend, and a clip's spectrogram (frames, bands) by it."""
    transform = transform_of(job)
    samples, rate = decode(dataset.file(clip.path), clip.start, clip.end)
    features = transform(transform.resample(samples, rate, transform.sample_rate))
    frontend = build(job.frontend, Frontend)
    frontend.begin(torch.Generator().manual_seed(job.seed))
    with torch.no_grad():
        return frontend, frontend.spectrogram(torch.from_numpy(features)[None])[0].numpy()


def _centres(frontend: Frontend, job: Job) -> np.ndarray:
    """Return the centre of each band in Hz."""
    if frontend.reads == "mel":
        return mel_of(job).centres().numpy()
    own = frontend.report().get("filters", {}).get("centre", {}).get("before", [])
    centres = np.array(own, dtype=float)
    return centres if len(centres) == frontend.n_bands else np.full(frontend.n_bands, np.nan)


def _unit(frontend: Frontend, name: str) -> str:
    own = getattr(frontend, "logarithm", None)
    return next((UNITS[base] for base, each in LOGARITHMS.items() if each is own), name)
