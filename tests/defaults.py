"""Settings that tests share."""

from dataclasses import replace

from fewshot_audio.types import Component, OptimizerSettings

SGD = OptimizerSettings(Component("optimizer", "sgd", "torch.optim.SGD", {"lr": 0.1}), {}, None, 5)


def clipped(norm):
    """The study's optimizer, gradients clipped to another norm."""
    return replace(SGD, max_grad_norm=norm)
