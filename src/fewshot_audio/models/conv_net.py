"""The convolutional network of leaf-audio's examples."""

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field
from torch import Tensor, nn

from fewshot_audio.models.base import batch_norm, check_patches, glorot_uniform
from fewshot_audio.types import ConfigError

FILTERS = (64, 128, 256, 256, 512, 512)


class ConvNet(nn.Module):
    """Blocks of a convolution over 3 frames and one over 3 bands; global maximum, dense layer.

    ReLU, batch norm and dropout follow each convolution. Max-pool 2x2 ends the first block and
    every second one. Source: `ConvNet` in google-research/leaf-audio, example/models.py, with the
    settings of its example/configs/common.gin.

    Args:
        n_classes: Number of classes.
        n_bands: Bands of a patch, with the default filters at least 16.
        n_frames: Frames of a patch, with the default filters at least 16.
        filters: Filters of the two convolutions of each block.
        dropout: Share of values that are zeroed in training after each convolution.

    Raises:
        ConfigError: A patch is too small for the pools, or there are no blocks.
    """

    def __init__(
        self,
        n_classes: int,
        n_bands: int,
        n_frames: int,
        filters: Sequence[Annotated[int, Field(ge=1, le=4096)]] = FILTERS,
        dropout: float = 0.1,
    ):
        super().__init__()
        if not filters:
            raise ConfigError("model.filters=[]: expected at least one number")
        least = 2 ** (1 + len(filters) // 2)
        check_patches("ConvNet", n_frames, n_bands, (least, least))
        self.blocks = nn.Sequential()
        for number, (channels, width) in enumerate(zip([1, *filters], filters, strict=False)):
            for inputs, kernel in ((channels, (3, 1)), (width, (1, 3))):
                conv = nn.Conv2d(inputs, width, kernel, padding="same")
                self.blocks.extend([conv, nn.ReLU(), batch_norm(width), nn.Dropout(dropout)])
            if number == 0 or number % 2 == 1:
                self.blocks.append(nn.MaxPool2d(2))
        self.output = nn.Linear(filters[-1], n_classes)

    initialise = glorot_uniform

    def forward(self, patches: Tensor) -> Tensor:
        """Return the logits (batch, n_classes) of patches (batch, frames, bands)."""
        return self.output(self.blocks(patches[:, None]).amax((2, 3)))
