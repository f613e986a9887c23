"""A Wavegram with random weights and statistics."""

import torch
from torch import nn

from fewshot_audio.components import build
from fewshot_audio.frontends.base import Frontend
from small_leaf import component

RATE = 8000


def wavegram(hop=320, rate=RATE, seed=0):
    """The configured Wavegram in float64, for evaluation, with random weights and statistics."""
    made = build(component("frontend=wavegram", f"sample_rate={rate}", f"hop={hop}"), Frontend)
    random = torch.Generator().manual_seed(seed)
    made.initialise(random)
    for norm in made.norms:
        norm.running_mean.uniform_(-0.2, 0.2, generator=random)
        norm.running_var.uniform_(0.1, 1, generator=random)
        nn.init.uniform_(norm.weight, 0.5, 2, generator=random)
        nn.init.uniform_(norm.bias, -0.5, 0.5, generator=random)
    return made.double().eval()
