"""VGG: five small convolutional blocks, and their exact sweep over overlapping patches."""

import torch
from pydantic import PositiveInt
from torch import Tensor, nn
from torch.nn import functional as F

from fewshot_audio.models.base import (
    FRAMES,
    Classifier,
    batch_norm,
    dropout,
    patch_starts,
    patchwise,
)

BLOCKS = 5
SPARSE = 32  # frames between patches from which on they are cheaper one by one


class Block(nn.Module):
    """Maps (batch, channels, frames, bands) to (batch, width, frames / 2, bands / 2): 3x3 same, ELU, batch norm, max-pool 2x2."""

    def __init__(self, channels: int, width: int):
        super().__init__()
        self.conv = nn.Conv2d(channels, width, 3, padding=1)
        self.norm = batch_norm(width)

    def forward(self, x: Tensor) -> Tensor:
        return F.max_pool2d(self.norm(F.elu(self.conv(x))), 2)

    def valid(self, x: Tensor, dilation: int) -> Tensor:
        """The same at stride 1 over frames that lie `dilation` apart, without padding in time: 3 dilations fewer frames."""
        x = F.conv2d(x, self.conv.weight, self.conv.bias, padding=(0, 1), dilation=(dilation, 1))
        return F.max_pool2d(self.norm(F.elu(x)), 2, stride=(1, 2), dilation=(dilation, 1))


class VGG(Classifier):
    """Batch norm on the input, five blocks of `width` filters, dropout 0.5, one dense layer.

    Its outputs are one logit per class, or an embedding of `embedding` dimensions. The input norm has one channel, or, with
    `norm_frames`, one for each of a patch's 128 frames. Source: Pons, Serrà & Serra, arXiv 1810.10274, model VGG; wider
    and with an embedding it is the network of its prototypical networks, whose code normalises frames.
    """

    def __init__(
        self, classes: int, width: PositiveInt, embedding: PositiveInt | None, norm_frames: bool
    ):
        super().__init__()
        self.embeds = embedding is not None
        self.norm_frames = norm_frames
        self.input_norm = batch_norm(FRAMES if norm_frames else 1)
        self.blocks = nn.ModuleList(Block(1 if i == 0 else width, width) for i in range(BLOCKS))
        self.output = nn.Linear(16 * width, embedding or classes)
        self.dropout_sizes = (16 * width,)
        self.to(memory_format=torch.channels_last)  # two thirds of the time on CPU

    def forward(self, patches: Tensor, noise: tuple[Tensor, ...] = ()) -> Tensor:
        x = (
            self.input_norm(patches[:, :, None]).transpose(1, 2)
            if self.norm_frames
            else self.input_norm(patches[:, None])
        )
        for block in self.blocks:
            x = block(x)
        return self.output(dropout(x.flatten(1), noise[0] if noise else None, 0.5))

    def forward_dense(self, maps: Tensor, hop: int) -> Tensor:
        """Share what overlapping patches have in common, where that is possible and pays."""
        if self.norm_frames or hop >= SPARSE:
            return patchwise(self, maps, hop)
        return self._sweep_shared(maps, hop)

    def _sweep_shared(self, maps: Tensor, hop: int) -> Tensor:
        """Share between patches all that their zero padding in time does not reach.

        After each block only a patch's first and last frame differ from an unpadded map of the whole clip. So the inner
        frames come from one dilated pass over the clip, and the two edge frames are made patch by patch.
        """
        shared = self.input_norm(maps[:, None])
        starts = torch.arange(0, len(patch_starts(maps.shape[1], 1)), hop, device=maps.device)
        first, last = shared[:, :, starts], shared[:, :, starts + FRAMES - 1]
        shift = 0  # shared[t] holds the frame that starts at t + shift
        for depth, block in enumerate(self.blocks):
            step, size = 2**depth, FRAMES // 2**depth
            inner = [shared[:, :, starts + step * j - shift] for j in (1, 2, size - 3, size - 2)]
            zero = torch.zeros_like(first)
            first = _edge(block, [zero, first, inner[0], inner[1]])
            last = _edge(block, [inner[2], inner[3], last, zero])
            shared, shift = block.valid(shared, step), shift + step
        inner = [shared[:, :, starts + 2**BLOCKS * j - shift] for j in (1, 2)]
        features = torch.stack(
            [first, *inner, last], 3
        )  # (clips, width, patches, 4 frames, 4 bands)
        return self.output(features.transpose(1, 2).flatten(2))


def _edge(block: Block, frames: list[Tensor]) -> Tensor:
    """Four neighbouring frames of each patch, each (clips, channels, patches, bands), to the one frame that they give."""
    x = torch.stack(frames, 3).transpose(1, 2)  # (clips, patches, channels, 4, bands)
    return block.valid(x.flatten(0, 1), 1).squeeze(2).unflatten(0, x.shape[:2]).transpose(1, 2)
