"""Models, an optimizer and a metric as somebody else would write them; and a frontend."""

import random

import numpy as np
import torch
from torch import nn
from torchmetrics import Metric

from fewshot_audio.frontends.base import Frontend


class WithDropout(nn.Module):
    """A convolution, batch norm, nn.Dropout and no biases."""

    def __init__(self, n_classes):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(1, 4, 5, stride=4, bias=False),
            nn.BatchNorm2d(4),
            nn.ReLU(),
            nn.Dropout2d(0.2),
            nn.AdaptiveAvgPool2d(4),
            nn.Flatten(),
            nn.Dropout(0.5),
            nn.Linear(64, n_classes, bias=False),
        )

    def forward(self, patches):
        return self.body(patches[:, None])


class WithNumpyNoise(nn.Module):
    """Noise of NumPy's and of Python's global generator while it trains."""

    def __init__(self, n_classes, n_bands):
        super().__init__()
        self.head = nn.Linear(n_bands, n_classes)

    def forward(self, patches):
        if self.training:
            patches = patches * float(np.random.rand()) + random.random()
        return self.head(patches.mean(1))


class Dropped(Frontend):
    """Dropout on spectrograms of whole clips."""

    pointwise = False

    def __init__(self, p):
        super().__init__()
        self.dropout = nn.Dropout(p)

    def compute(self, *inputs):
        return self.dropout(inputs[0])


class WithNorms(nn.Module):
    """GroupNorm and LayerNorm; the size of its head follows from the number of bands."""

    def __init__(self, n_classes, n_bands):
        super().__init__()
        self.norm = nn.LayerNorm(n_bands)
        self.conv = nn.Conv1d(n_bands, 8, 9, stride=4, bias=False)
        self.group_norm = nn.GroupNorm(2, 8)
        self.head = nn.Sequential(nn.Linear(8, 16), nn.GELU(), nn.Linear(16, n_classes))

    def forward(self, patches):
        x = self.group_norm(self.conv(self.norm(patches).transpose(1, 2)))
        return self.head(torch.relu(x).amax(2))


class Pretrained(nn.Module):
    """Frozen weights that are given, and a head with a start of its own."""

    def __init__(self, n_classes, n_bands, n_frames):
        super().__init__()
        values = torch.linspace(-1, 1, 8 * n_bands).reshape(8, n_bands)
        self.encoder = nn.Linear(n_bands, 8)
        self.encoder.load_state_dict({"weight": values, "bias": torch.ones(8)})
        self.encoder.requires_grad_(False)
        self.head = nn.Linear(8 * n_frames, n_classes)
        nn.init.zeros_(self.head.weight)

    def forward(self, patches):
        return self.head(torch.tanh(self.encoder(patches)).flatten(1))


class OwnStart(nn.Module):
    """A start of its own, drawn from the generator of the run."""

    def __init__(self, n_classes, n_bands):
        super().__init__()
        self.head = nn.Linear(n_bands, n_classes)

    def initialise(self, generator):
        nn.init.normal_(self.head.weight, std=3, generator=generator)

    def forward(self, patches):
        return self.head(patches.mean(1))


class Recurrent(nn.Module):
    """A GRU, which torch.func.vmap cannot run."""

    def __init__(self, n_classes, n_bands):
        super().__init__()
        self.rnn = nn.GRU(n_bands, 8, batch_first=True)
        self.head = nn.Linear(8, n_classes)

    def forward(self, patches):
        return self.head(self.rnn(patches)[0][:, -1])


class FixedHead(nn.Module):
    """A head for patches of 128 frames and 64 bands alone."""

    def __init__(self, n_classes):
        super().__init__()
        self.head = nn.Linear(128 * 64, n_classes)

    def forward(self, patches):
        return self.head(patches.flatten(1))


def tied(n_classes, n_bands) -> nn.Module:
    """A function that makes a module with one layer used twice."""
    layer = nn.Linear(n_bands, n_bands)
    return nn.Sequential(layer, nn.ReLU(), layer, nn.Flatten(), nn.LazyLinear(n_classes))


class Sign(torch.optim.Optimizer):
    """Steps of one length, by the signs of gradients."""

    def __init__(self, params, lr):
        super().__init__(params, {"lr": lr})

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            for each in group["params"]:
                if each.grad is not None:
                    each -= group["lr"] * each.grad.sign()


class Doubted(Metric):
    """The share of clips whose largest score is below a limit."""

    higher_is_better = False

    def __init__(self, num_classes, limit):
        super().__init__()
        self.limit = limit
        self.add_state("below", torch.tensor(0), dist_reduce_fx="sum")
        self.add_state("clips", torch.tensor(0), dist_reduce_fx="sum")

    def update(self, preds, target):
        self.below += (preds.amax(1) < self.limit).sum()
        self.clips += len(preds)

    def compute(self):
        return self.below / self.clips


class Several(Metric):
    """A dict of numbers, which metrics of torchmetrics may give."""

    def update(self, scores, targets):
        pass

    def compute(self):
        return {"a": torch.tensor(0.5)}
