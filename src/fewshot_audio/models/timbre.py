"""TIMBRE: one layer of tall filters and a global maximum."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fewshot_audio.models.base import Classifier, batch_norm, check_patches, glorot_uniform

WIDTH, HEIGHT = 7, 108  # frames and bands of a filter


class Timbre(Classifier):
    """One filter of 7 frames and 108 bands per class, valid, linear.

    A class's logit is the filter's largest response in the patch. Source: Pons, Serrà & Serra,
    arXiv 1810.10274, model TIMBRE.

    Args:
        n_classes: Number of classes.
        n_bands: Bands of a patch, at least 108.
        n_frames: Frames of a patch, at least 7.

    Raises:
        ConfigError: A patch is smaller than a filter.
    """

    def __init__(self, n_classes: int, n_bands: int = 128, n_frames: int = 128):
        super().__init__()
        check_patches("TIMBRE", n_frames, n_bands, (WIDTH, HEIGHT))
        self.n_frames = n_frames
        self.input_norm = batch_norm(1)
        self.filters = nn.Conv2d(1, n_classes, (WIDTH, HEIGHT))

    initialise = glorot_uniform

    def forward(self, patches: Tensor, noise: tuple[Tensor, ...] = ()) -> Tensor:
        """Return logits: find each filter's best window, then respond to those windows alone.

        The gradient of a maximum is zero elsewhere, so it is the same as through all responses,
        at a third of the work.
        """
        x = self.input_norm(patches[:, None])
        with torch.no_grad():
            responses = self.filters(x)  # (batch, classes, n_frames - 6, n_bands - 107)
            best = responses.flatten(2).argmax(2)
        corners = best // responses.shape[3] * x.shape[3] + best % responses.shape[3]
        rows = torch.arange(WIDTH, device=x.device)[:, None] * x.shape[3]
        window = (rows + torch.arange(HEIGHT, device=x.device)).flatten()
        positions = (corners[:, :, None] + window).flatten(1)
        windows = x.flatten(1).gather(1, positions).unflatten(1, (-1, window.numel()))
        return (windows * self.filters.weight.flatten(1)).sum(2) + self.filters.bias

    def forward_dense(self, spectrograms: Tensor, hop: int) -> Tensor:
        """Filter each spectrogram once; a patch's logit is a sliding maximum over frames."""
        responses = self.filters(self.input_norm(spectrograms[:, None])).amax(3)
        return F.max_pool1d(responses, self.n_frames - WIDTH + 1, hop).transpose(1, 2)
