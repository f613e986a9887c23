"""Networks, jobs and clips for tests of training on crops."""

from dataclasses import replace

import numpy as np
import torch

from fewshot_audio import compose, config
from fewshot_audio.datasets.base import Clip, Dataset, Fold
from fewshot_audio.datasets.splits import FewShotSplits
from fewshot_audio.features.cache import FeatureCache
from fewshot_audio.training.prepare import JobData
from fewshot_audio.training.run import train
from fewshot_audio.types import Component, Sampling

RATE = 2000
TONES = (200.0, 400.0, 700.0)
WORDS = ["dataset=synthetic", f"sample_rate={RATE}", "n_fft=128", "hop=40", "n_bands=16"]


class Small(torch.nn.Module):
    """A mean over frames, then a dense layer; without batch norm and dropout."""

    def __init__(self, n_classes, n_bands):
        super().__init__()
        self.dense = torch.nn.Linear(n_bands, n_classes)

    def forward(self, patches):
        return self.dense(patches.mean(1) / 10)


class Noisy(Small):
    """With dropout and batch norm."""

    def forward(self, patches):
        return torch.nn.functional.dropout(super().forward(patches), 0.2, self.training)


class Normed(Small):
    """With batch norm of the bands' means."""

    def __init__(self, n_classes, n_bands):
        super().__init__(n_classes, n_bands)
        self.norm = torch.nn.BatchNorm1d(n_bands, momentum=0.01)

    def forward(self, patches):
        return self.dense(self.norm(patches.mean(1)))


def job(*words, model="Small", frontend="log_eps"):
    quick = ["protocol=full", f"frontend={frontend}", "method.max_epochs=4", "method.batch_size=4"]
    made = config.job(compose.composed([*WORDS, *quick, "optimizer.lr=0.03", *words]))
    return replace(made, model=Component("model", "small", f"{__name__}.{model}", {}))


def tones():
    """Tones of three pitches in noise, from 0.3 to 3 s."""
    random, clips, rows, spans, first = np.random.default_rng(0), [], [], {}, 0
    for number in range(30):
        seconds = np.arange(int(RATE * random.uniform(0.3, 3))) / RATE
        tone = np.sin(2 * np.pi * TONES[number % 3] * seconds + random.uniform(0, 6))
        rows.append((0.1 * tone + 0.1 * random.normal(size=len(seconds))).astype(np.float32))
        clips.append(Clip(f"{number:02}.wav", (number % 3,), 1, str(number)))
        spans[clips[-1].path] = (first, first + len(seconds))
        first += len(seconds)
    fold = Fold(1, tuple(clips[:15]), tuple(clips[15:24]), tuple(clips[24:]))
    dataset = Dataset("tones", "", ("low", "middle", "high"), (fold,))
    features = FeatureCache("tones", np.concatenate(rows)[:, None], spans)
    splits = FewShotSplits(dataset, fold, 0, Sampling("clip"), None)
    return JobData(dataset, splits, features)


def trained(made, data, state):
    (one,) = train(made, data, None, [1], "cpu", states=[state])
    return one
