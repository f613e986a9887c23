"""VGG: five small convolutional blocks, and their exact dense scoring."""

from collections.abc import Iterable
from typing import Annotated, cast

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from fewshot_audio.models.base import (
    Classifier,
    batch_norm,
    check_patches,
    dropout,
    glorot_uniform,
    patchwise,
)
from fewshot_audio.types import Size

BLOCKS = 5
SHRINKS = 2**BLOCKS  # times that a patch is smaller after all blocks
SPARSE = 32  # frames between patches from which on they are cheaper one by one


class Block(nn.Module):
    """3x3 convolution of the same size, ELU, batch norm, max-pool 2x2.

    Takes (batch, channels, frames, bands), returns (batch, width, frames / 2, bands / 2).
    """

    def __init__(self, channels: int, width: int):
        super().__init__()
        self.conv = nn.Conv2d(channels, width, 3, padding=1)
        self.norm = batch_norm(width)

    def forward(self, x: Tensor) -> Tensor:
        return F.max_pool2d(self.norm(_elu(self.conv(x))), 2)

    def valid(self, x: Tensor, dilation: int) -> Tensor:
        """Return the same at every frame, over frames that lie `dilation` apart.

        There is no padding in time, so the output has 3 dilations fewer frames.
        """
        x = F.conv2d(x, self.conv.weight, self.conv.bias, padding=(0, 1), dilation=(dilation, 1))
        return F.max_pool2d(self.norm(_elu(x)), 2, stride=(1, 2), dilation=(dilation, 1))


class VGG(Classifier):
    """Batch norm on the input, five blocks, dropout 0.5, one dense layer.

    Source: Pons, Serrà & Serra, arXiv 1810.10274, model VGG; wider and with an embedding it is
    the network of its prototypical networks, whose code normalises frames.

    Args:
        n_classes: Number of classes.
        n_bands: Bands of a patch, at least 32.
        n_frames: Frames of a patch, at least 32.
        width: Filters of each block.
        embedding: Dimensions of the embedding that replaces the logits; None: logits.
        norm_frames: Whether the input's batch norm has one channel per frame instead of one.

    Raises:
        ConfigError: A patch is too small to be halved five times.
    """

    def __init__(
        self,
        n_classes: int,
        n_bands: int = 128,
        n_frames: int = 128,
        width: Annotated[int, Field(ge=1, le=1024)] = 32,
        embedding: Size | None = None,
        norm_frames: bool = False,
    ):
        super().__init__()
        check_patches("VGG", n_frames, n_bands, (SHRINKS, SHRINKS))
        features = width * (n_frames // SHRINKS) * (n_bands // SHRINKS)
        self.n_frames, self.norm_frames = n_frames, norm_frames
        self.embeds = embedding is not None
        self.input_norm = batch_norm(n_frames if norm_frames else 1)
        self.blocks = nn.ModuleList(Block(1 if i == 0 else width, width) for i in range(BLOCKS))
        self.output = nn.Linear(features, embedding or n_classes)
        self.dropout_sizes = (features,)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # two thirds of the time on CPU

    initialise = glorot_uniform

    def forward(self, patches: Tensor, noise: tuple[Tensor, ...] = ()) -> Tensor:
        """Return logits (batch, n_classes) or embeddings (batch, embedding)."""
        if self.norm_frames:
            x = self.input_norm(patches[:, :, None]).transpose(1, 2)
        else:
            x = self.input_norm(patches[:, None])
        for block in self.blocks:
            x = block(x)
        return self.output(dropout(x.flatten(1), noise[0] if noise else None, 0.5))

    def forward_dense(self, spectrograms: Tensor, hop: int) -> Tensor:
        """Share what overlapping patches have in common, where that is possible and pays."""
        whole = self.n_frames % SHRINKS == 0 and self.n_frames >= 3 * SHRINKS
        if not whole or self.norm_frames or hop >= SPARSE:
            return patchwise(self, spectrograms, self.n_frames, hop)
        return self._forward_shared(spectrograms, hop)

    def _forward_shared(self, spectrograms: Tensor, hop: int) -> Tensor:
        """Share between patches all that their zero padding in time does not reach.

        After each block only a patch's first and last frame differ from those of the whole clip
        without padding. So the inner frames come from one dilated pass over the clip, and the two
        edge frames are made patch by patch.
        """
        shared = self.input_norm(spectrograms[:, None])
        count = spectrograms.shape[1] - self.n_frames + 1
        starts = torch.arange(0, count, hop, device=shared.device)
        first, last = shared[:, :, starts], shared[:, :, starts + self.n_frames - 1]
        shift = 0  # shared[t] holds the frame that starts at t + shift
        for depth, block in enumerate(cast("Iterable[Block]", self.blocks)):
            step, size = 2**depth, self.n_frames // 2**depth
            inner = [shared[:, :, starts + step * j - shift] for j in (1, 2, size - 3, size - 2)]
            zero = torch.zeros_like(first)
            first = _edge(block, [zero, first, inner[0], inner[1]])
            last = _edge(block, [inner[2], inner[3], last, zero])
            shared, shift = block.valid(shared, step), shift + step
        frames_left = self.n_frames // SHRINKS
        inner = [shared[:, :, starts + SHRINKS * j - shift] for j in range(1, frames_left - 1)]
        features = torch.stack([first, *inner, last], 3)  # (clips, width, patches, frames, bands)
        return self.output(features.transpose(1, 2).flatten(2))


def _elu(x: Tensor) -> Tensor:
    """Return ELU, in place where no gradient is asked for: in place it would differ by rounding."""
    return F.elu(x, inplace=not torch.is_grad_enabled())


def _edge(block: Block, frames: list[Tensor]) -> Tensor:
    """Return the one frame that four neighbouring frames of each patch give.

    Each is (clips, channels, patches, bands).
    """
    x = torch.stack(frames, 3).transpose(1, 2)  # (clips, patches, channels, 4, bands)
    return block.valid(x.flatten(0, 1), 1).squeeze(2).unflatten(0, x.shape[:2]).transpose(1, 2)
