"""Supervised training as in the study: random patches and cross-entropy."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor
from torch.nn.functional import cross_entropy

from fewshot_audio.training.methods.base import TrainingSet
from fewshot_audio.training.methods.random_patches import RandomPatches
from fewshot_audio.training.network import Network


@dataclass(frozen=True, kw_only=True)
class Supervised(RandomPatches):
    """Cross-entropy; a clip's score is the mean of its patches' softmax probabilities.

    Source: Pons, Serrà & Serra, arXiv 1810.10274, and its code.
    """

    def cost(self, outputs: Tensor, labels: Tensor) -> Tensor:
        return cross_entropy(outputs, labels)

    def scorer(self, network: Network, data: TrainingSet) -> Callable[[Tensor], Tensor]:
        return lambda logits: logits.softmax(-1)
