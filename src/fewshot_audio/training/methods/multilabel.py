"""Training on clips with several labels: random patches and one binary decision per class."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from fewshot_audio.training.methods.base import TrainingSet
from fewshot_audio.training.methods.random_patches import RandomPatches
from fewshot_audio.training.network import Network


@dataclass(frozen=True, kw_only=True)
class MultiLabel(RandomPatches):
    """Binary cross-entropy; a clip's score is the mean of its patches' sigmoid probabilities."""

    multi_label: ClassVar[bool] = True

    def cost(self, outputs: Tensor, labels: Tensor) -> Tensor:
        return binary_cross_entropy_with_logits(outputs, labels.to(outputs.dtype))

    def scorer(self, network: Network, data: TrainingSet) -> Callable[[Tensor], Tensor]:
        return torch.sigmoid
