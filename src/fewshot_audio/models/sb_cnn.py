"""SB-CNN: the convolutional network of Salamon & Bello."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fewshot_audio.models.base import Classifier, batch_norm, check_patches, dropout, glorot_uniform

POOL = (4, 2)  # frames, bands
KERNEL = 5
SMALLEST = (100, 32)  # frames and bands that leave one value after the last convolution


class SBCNN(Classifier):
    """Three 5x5 convolutions, two of them max-pooled 4x2, and two dense layers with dropout 0.5.

    Source: Salamon & Bello, arXiv 1608.04363, as configured by Pons, Serrà & Serra,
    arXiv 1810.10274.

    Args:
        n_classes: Number of classes.
        n_bands: Bands of a patch, at least 32.
        n_frames: Frames of a patch, at least 100.
        input_norm: Whether a batch norm of one channel comes first.

    Raises:
        ConfigError: A patch is too small for the convolutions.
    """

    def __init__(
        self, n_classes: int, n_bands: int = 128, n_frames: int = 128, input_norm: bool = True
    ):
        super().__init__()
        check_patches("SB-CNN", n_frames, n_bands, SMALLEST)
        self.n_frames = n_frames
        self.frames_left = _size_left(n_frames, POOL[0])
        features = 48 * self.frames_left * _size_left(n_bands, POOL[1])
        self.dropout_sizes = (features, 64)
        self.input_norm = batch_norm(1) if input_norm else nn.Identity()
        self.conv1 = nn.Conv2d(1, 24, KERNEL)
        self.conv2 = nn.Conv2d(24, 48, KERNEL)
        self.conv3 = nn.Conv2d(48, 48, KERNEL)
        self.dense = nn.Linear(features, 64)
        self.output = nn.Linear(64, n_classes)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # half the time on CPU

    initialise = glorot_uniform

    def forward(self, patches: Tensor, noise: tuple[Tensor, ...] = ()) -> Tensor:
        """Return logits; shapes below are those of patches of 128 frames and 128 bands."""
        x = self.input_norm(patches[:, None])
        x = F.max_pool2d(F.relu(self.conv1(x)), POOL)  # (batch, 24, 31, 62)
        x = F.max_pool2d(F.relu(self.conv2(x)), POOL)  # (batch, 48, 6, 29)
        return self._head(F.relu(self.conv3(x)).flatten(1), noise)  # from (batch, 48, 2, 25)

    def forward_dense(self, spectrograms: Tensor, hop: int) -> Tensor:
        """Convolve each spectrogram once; pooling by 4 frames dilates all that follows."""
        x = self.input_norm(spectrograms[:, None])
        x = _pool(F.relu(self.conv1(x)), 1)
        x = _pool(F.relu(_dilated(self.conv2, x, 4)), 4)
        x = F.relu(_dilated(self.conv3, x, 16))
        count = spectrograms.shape[1] - self.n_frames + 1
        starts = torch.arange(0, count, hop, device=x.device)
        frames = torch.stack([starts + 16 * i for i in range(self.frames_left)], 1)
        x = x[:, :, frames]  # (clips, 48, patches, 2, 25)
        return self._head(x.transpose(1, 2).flatten(2), ())

    def _head(self, features: Tensor, noise: tuple[Tensor, ...]) -> Tensor:
        """Return logits (..., n_classes) of flat features (..., size)."""
        first, second = noise or (None, None)
        hidden = F.relu(self.dense(dropout(features, first, 0.5)))
        return self.output(dropout(hidden, second, 0.5))


def _size_left(size: int, pool: int) -> int:
    """Return what the convolutions and pools leave of that many frames or bands."""
    for _ in range(2):
        size = (size - KERNEL + 1) // pool
    return size - KERNEL + 1


def _dilated(layer: nn.Conv2d, x: Tensor, frames: int) -> Tensor:
    return F.conv2d(x, layer.weight, layer.bias, dilation=(frames, 1))


def _pool(x: Tensor, frames: int) -> Tensor:
    """Return the maximum over 2 bands and 4 frames `frames` apart, at every frame."""
    return F.max_pool2d(x, POOL, stride=(1, POOL[1]), dilation=(frames, 1))
