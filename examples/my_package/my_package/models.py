"""A model of torchvision."""

import torchvision
from torch import Tensor, nn


class ResNet18(nn.Module):
    """torchvision's ResNet-18 on one channel, with dropout before its last layer.

    Args:
        n_classes: Number of logits.
        dropout: Share of the 512 features that are zeroed in training.
    """

    def __init__(self, n_classes: int, dropout: float = 0.5) -> None:
        super().__init__()
        network = torchvision.models.resnet18()
        network.conv1 = nn.Conv2d(1, 64, 7, stride=2, padding=3, bias=False)
        network.fc = nn.Sequential(nn.Dropout(dropout), nn.Linear(512, n_classes))
        self.network = network

    def forward(self, patches: Tensor) -> Tensor:
        """Return the logits (batch, n_classes) of patches (batch, frames, bands)."""
        return self.network(patches[:, None])
