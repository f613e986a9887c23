"""Datasets of noise in memory."""

from pathlib import Path

import numpy as np

from fewshot_audio.datasets.base import Clip, Dataset, Fold
from fewshot_audio.datasets.splits import FewShotSplits
from fewshot_audio.features.cache import FeatureCache
from fewshot_audio.training.prepare import JobData
from fewshot_audio.types import Sampling

CLASSES = ("low", "middle", "high")
FRAMES = 20


def job_data(labels, valid=True, multi_label=False, n_bands=40):
    """Clips whose labels are bands that are loud: as many to train, validate and test."""
    random = np.random.default_rng(0)
    parts = {
        part: tuple(
            Clip(f"{part}/{i:03}.wav", each, 1, f"{part}{i}") for i, each in enumerate(labels)
        )
        for part in ("train", "test", "valid")
    }
    fold = Fold(1, parts["train"], parts["test"], parts["valid"] if valid else ())
    dataset = Dataset("noise", Path(), CLASSES, (fold,), multi_label=multi_label)
    rows, spans = [], {}
    for number, clip in enumerate(dataset.clips):
        noise = random.random((FRAMES, n_bands), dtype=np.float32)
        for label in clip.labels:
            noise[:, label * 10 : label * 10 + 10] *= 20
        rows.append(noise)
        spans[clip.path] = (number * FRAMES, (number + 1) * FRAMES)
    features = FeatureCache("noise", np.concatenate(rows), spans)
    return JobData(dataset, FewShotSplits(dataset, fold, 0, Sampling("clip"), None), features)
