"""SB-CNN: the convolutional network of Salamon & Bello."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fewshot_audio.models.base import Classifier, batch_norm, dropout, patch_starts

POOL = (4, 2)  # frames, bands


class SBCNN(Classifier):
    """Three 5x5 convolutions, two of them max-pooled 4x2, and two dense layers with dropout 0.5.

    `input_norm` puts a one-channel batch norm in front. Source: Salamon & Bello, arXiv 1608.04363, as configured by the study.
    """

    dropout_sizes = (2400, 64)

    def __init__(self, classes: int, input_norm: bool):
        super().__init__()
        self.input_norm = batch_norm(1) if input_norm else nn.Identity()
        self.conv1 = nn.Conv2d(1, 24, 5)
        self.conv2 = nn.Conv2d(24, 48, 5)
        self.conv3 = nn.Conv2d(48, 48, 5)
        self.dense = nn.Linear(2400, 64)
        self.output = nn.Linear(64, classes)
        self.to(memory_format=torch.channels_last)  # half the time on CPU

    def forward(self, patches: Tensor, noise: tuple[Tensor, ...] = ()) -> Tensor:
        x = self.input_norm(patches[:, None])
        x = F.max_pool2d(F.relu(self.conv1(x)), POOL)  # (batch, 24, 31, 62)
        x = F.max_pool2d(F.relu(self.conv2(x)), POOL)  # (batch, 48, 6, 29)
        return self._head(F.relu(self.conv3(x)).flatten(1), noise)  # from (batch, 48, 2, 25)

    def forward_dense(self, maps: Tensor, hop: int) -> Tensor:
        """Convolve each map once: a pooling stride of 4 frames becomes a dilation of 4 in all that follows."""
        x = self.input_norm(maps[:, None])
        x = _pool(F.relu(self.conv1(x)), 1)
        x = _pool(F.relu(_dilated(self.conv2, x, 4)), 4)
        x = F.relu(_dilated(self.conv3, x, 16))
        starts = torch.arange(0, len(patch_starts(maps.shape[1], 1)), hop, device=maps.device)
        x = x[:, :, torch.stack([starts, starts + 16], 1)]  # (clips, 48, patches, 2, 25)
        return self._head(x.transpose(1, 2).flatten(2), ())

    def _head(self, features: Tensor, noise: tuple[Tensor, ...]) -> Tensor:
        """Features (..., 2400) to logits (..., classes)."""
        first, second = noise or (None, None)
        hidden = F.relu(self.dense(dropout(features, first, 0.5)))
        return self.output(dropout(hidden, second, 0.5))


def _dilated(layer: nn.Conv2d, x: Tensor, frames: int) -> Tensor:
    return F.conv2d(x, layer.weight, layer.bias, dilation=(frames, 1))


def _pool(x: Tensor, frames: int) -> Tensor:
    """Max over 4 frames that lie `frames` apart, at every frame, and over 2 bands."""
    return F.max_pool2d(x, POOL, stride=(1, POOL[1]), dilation=(frames, 1))
