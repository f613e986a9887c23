"""CNN14 of the PANNs (pretrained audio neural networks), without their weights."""

from typing import Annotated

from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from fewshot_audio.models.base import check_patches, glorot_uniform

BLOCKS = 6
SMALLEST = 2 ** (BLOCKS - 1)  # frames and bands that the pools leave one value of


class CNN14(nn.Module):
    """Batch norm of each band, six blocks of two 3x3 convolutions, two dense layers.

    Batch norm and ReLU follow each convolution. An average pool 2x2 ends each block but the last,
    dropout 0.2 every one. Over bands the mean is taken; over frames the mean and the maximum are
    added. Dropout 0.5 comes before each dense layer. Source: `Cnn14` in
    qiuqiangkong/audioset_tagging_cnn, pytorch/models.py, from its spectrogram on (Kong et al.,
    arXiv 1912.10211); its augmentation is augmentation=spec_augment here.

    Args:
        n_classes: Number of classes.
        n_bands: Bands of a patch, at least 32.
        n_frames: Frames of a patch, at least 32.
        width: Filters of the first block; each later one has twice as many.

    Raises:
        ConfigError: A patch is too small for the pools.
    """

    def __init__(
        self,
        n_classes: int,
        n_bands: int,
        n_frames: int,
        width: Annotated[int, Field(ge=1, le=256)] = 64,
    ):
        super().__init__()
        check_patches("CNN14", n_frames, n_bands, (SMALLEST, SMALLEST))
        widths = [width * 2**number for number in range(BLOCKS)]
        self.input_norm = nn.BatchNorm1d(n_bands)
        self.blocks = nn.Sequential()
        for channels, filters in zip([1, *widths], widths, strict=False):
            for inputs in (channels, filters):
                conv = nn.Conv2d(inputs, filters, 3, padding=1, bias=False)
                self.blocks.extend([conv, nn.BatchNorm2d(filters), nn.ReLU()])
            pool = nn.AvgPool2d(2) if filters < widths[-1] else nn.Identity()
            self.blocks.extend([pool, nn.Dropout(0.2)])
        self.hidden = nn.Linear(widths[-1], widths[-1])
        self.output = nn.Linear(widths[-1], n_classes)

    initialise = glorot_uniform

    def forward(self, patches: Tensor) -> Tensor:
        """Return the logits (batch, n_classes) of patches (batch, frames, bands)."""
        x = self.input_norm(patches.mT).mT[:, None]
        x = self.blocks(x).mean(3)  # (batch, filters, frames)
        x = F.dropout(x.amax(2) + x.mean(2), 0.5, self.training)
        x = F.dropout(F.relu(self.hidden(x)), 0.5, self.training)
        return self.output(x)
