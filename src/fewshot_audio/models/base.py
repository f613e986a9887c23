"""The contract of a classifier: patches in, logits out."""

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

FRAMES = 128  # of a patch; the study's models are built for 128 frames x 128 bands
BANDS = 128


class Classifier(nn.Module, ABC):
    """Patches (batch, 128 frames, 128 bands) to logits (batch, classes), or to embeddings (batch, size) where it `embeds`."""

    dropout_sizes: tuple[int, ...] = ()
    """Features that each dropout layer sees per patch, first layer first."""

    embeds: bool = False

    @abstractmethod
    def forward(self, patches: Tensor, noise: tuple[Tensor, ...] = ()) -> Tensor:
        """Patches (batch, 128, 128) to logits (batch, classes); `noise` holds each dropout's uniform numbers, none for none."""

    @abstractmethod
    def forward_dense(self, maps: Tensor, hop: int) -> Tensor:
        """Maps (clips, frames >= 128, 128) to logits (clips, patches, classes) of the patches that start every `hop` frames.

        Equal to `forward` of each patch in evaluation mode, up to float32 rounding.
        """

    def initialise(self, generator: torch.Generator) -> None:
        """Glorot-uniform kernels drawn from the generator, zero biases, as the study's TensorFlow layers start."""
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d | nn.Linear):
                nn.init.xavier_uniform_(layer.weight, generator=generator)
                nn.init.zeros_(layer.bias)

    def kernels(self) -> list[Tensor]:
        """The convolution and dense kernels: what weight decay acts on."""
        return [
            layer.weight for layer in self.modules() if isinstance(layer, nn.Conv2d | nn.Linear)
        ]


def batch_norm(channels: int) -> nn.BatchNorm2d:
    """Batch norm with TensorFlow's defaults: momentum 0.99 of the old value, epsilon 1e-3."""
    return nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01)


def dropout(features: Tensor, noise: Tensor | None, rate: float) -> Tensor:
    """Features (batch, size) with those zeroed whose uniform number (batch, size) is below the rate, the rest scaled up.

    The noise is an argument so that a run's dropout depends on its own generator alone, also in a stack of runs.
    """
    return features if noise is None else features * (noise >= rate) / (1 - rate)


def patch_starts(frames: int, hop: int) -> range:
    """First frames of the patches of a map with that many frames."""
    return range(0, max(frames, FRAMES) - FRAMES + 1, hop)


def patchwise(classifier: Classifier, maps: Tensor, hop: int, at_once: int = 256) -> Tensor:
    """Maps (clips, frames, bands) to logits (clips, patches, classes), one forward pass per patch: the plain way to sweep."""
    patches = maps.unfold(1, FRAMES, hop).transpose(2, 3)  # (clips, patches, frames, bands), a view
    logits = [classifier(chunk) for chunk in patches.flatten(0, 1).split(at_once)]
    return torch.cat(logits).unflatten(0, patches.shape[:2])
