"""TIMBRE: one layer of tall filters and a global maximum."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fewshot_audio.models.base import FRAMES, Classifier, batch_norm

WIDTH, HEIGHT = 7, 108  # frames, bands


class Timbre(Classifier):
    """One 7-frame, 108-band filter per class, valid, linear; its logit is the largest response in the patch.

    Source: Pons, Serrà & Serra, arXiv 1810.10274, model TIMBRE.
    """

    def __init__(self, classes: int):
        super().__init__()
        self.input_norm = batch_norm(1)
        self.filters = nn.Conv2d(1, classes, (WIDTH, HEIGHT))

    def forward(self, patches: Tensor, noise: tuple[Tensor, ...] = ()) -> Tensor:
        """Find each filter's best window without gradients, then respond to those windows alone.

        The gradient of a maximum is zero elsewhere, so it is the same as through the whole map, at a third of the work.
        """
        x = self.input_norm(patches[:, None])
        with torch.no_grad():
            responses = self.filters(x)  # (batch, classes, 122, 21)
            best = responses.flatten(2).argmax(2)
        corners = best // responses.shape[3] * x.shape[3] + best % responses.shape[3]
        rows = torch.arange(WIDTH, device=x.device)[:, None] * x.shape[3]
        window = (rows + torch.arange(HEIGHT, device=x.device)).flatten()
        windows = (
            x.flatten(1)
            .gather(1, (corners[:, :, None] + window).flatten(1))
            .unflatten(1, (-1, window.numel()))
        )
        return (windows * self.filters.weight.flatten(1)).sum(2) + self.filters.bias

    def forward_dense(self, maps: Tensor, hop: int) -> Tensor:
        """Filter each map once; a patch's logit is a sliding maximum over frames."""
        responses = self.filters(self.input_norm(maps[:, None])).amax(3)
        return F.max_pool1d(responses, FRAMES - WIDTH + 1, hop).transpose(1, 2)
