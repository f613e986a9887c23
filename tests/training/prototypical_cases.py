"""A small prototypical network and clips of all lengths, for tests of its training."""

import torch

from fewshot_audio.frontends.log import LogFixed
from fewshot_audio.models.vgg import VGG
from fewshot_audio.training.loop import training_set
from fewshot_audio.training.methods.base import Generators
from fewshot_audio.training.methods.prototypical import Prototypical
from fewshot_audio.training.network import Network

FRAMES = (40, 130, 173, 300)  # 1, 1, 2, 5 patches
CLIPS = [(label, frames) for label in range(3) for frames in FRAMES]


def training_clips():
    """Twelve clips of three classes, of four lengths, one under a patch."""
    random = torch.Generator().manual_seed(0)
    maps = [torch.rand(frames, 128, generator=random) * (1 + label) for label, frames in CLIPS]
    return training_set(LogFixed(1, 1e-6, 10), maps, [label for label, _ in CLIPS])


def method(data, **changes):
    settings = {"max_epochs": 2, "test_hop": 42}
    own = {"support": 2, "queries": 2, "train_hop": 42, "patience": 200, "own_frontend": False}
    return Prototypical(
        **{**settings, **own, **changes}, data=data, generators=Generators.named("run")
    )


def network(frontend=None, frames=False):
    return Network(
        frontend or LogFixed(1, 1e-6, 10), VGG(3, width=4, embedding=5, norm_frames=frames)
    )
