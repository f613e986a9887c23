"""Networks of crops of waveforms to logits, as checkpoints are loaded."""

from collections.abc import Mapping, Sequence
from copy import deepcopy

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from fewshot_audio.frontends.base import Frontend
from fewshot_audio.frontends.bounds import use_plain_clamps
from fewshot_audio.training.clip_model import NETWORK, ClipModel, below
from fewshot_audio.training.crops import window_starts
from fewshot_audio.training.waveform_network import (
    WaveformNetwork,
    build_waveform_network,
    score_windows,
)
from fewshot_audio.types import Recipe


class CropModel(ClipModel):
    """A network of crops of waveforms; logits are the mean over the windows of a clip.

    Args:
        recipe: What it is built from.
        class_names: Names of the classes.
        network: The network.
    """

    kind = "crops"

    def __init__(self, recipe: Recipe, class_names: Sequence[str], network: WaveformNetwork):
        super().__init__(recipe, class_names, network.sample_rate, network.method.multi_label)
        network.augmentations, network.network.augmentation = nn.ModuleList(), None  # of training
        self.network = network
        self.eval()

    @classmethod
    def restored(
        cls, recipe: Recipe, class_names: Sequence[str], tensors: Mapping[str, Tensor]
    ) -> "CropModel":
        network = build_waveform_network(recipe, class_names)
        network.load_state_dict(below(NETWORK, tensors))
        use_plain_clamps(network.network.frontend, False)  # no loop calls `project`
        return cls(recipe, class_names, network)

    @property
    def frontend(self) -> Frontend:
        return self.network.network.frontend

    def forward(self, waveform: Tensor, lengths: Tensor | None = None) -> Tensor:
        method, clips = self.network.method, self.levelled(waveform, lengths)
        clips = clips.reshape(-1, waveform.shape[-1])
        size, hop = method.samples(self.sample_rate), method.hop(self.sample_rate)
        counts = [clips.shape[1]] * len(clips) if lengths is None else lengths.flatten().tolist()
        windows, shares = [], []
        for clip, count in zip(clips, counts, strict=True):
            starts = window_starts(count, size, hop)
            own = [pad(clip[start : min(start + size, count)], (0, size)) for start in starts]
            windows += [window[:size] for window in own]
            shares.append(len(starts))
        logits = self.network(torch.stack(windows)).split(shares)
        return torch.stack([each.mean(0) for each in logits]).reshape(*waveform.shape[:-1], -1)

    def scores(self, rows: Sequence[np.ndarray]) -> Tensor:
        return score_windows(self.network, rows)

    def probabilities(self, scores: Tensor) -> Tensor:
        return scores

    def for_export(self) -> nn.Module:
        return PlainCrops(self).eval()


class PlainCrops(nn.Module):
    """A `CropModel` of waveforms (batch, time), both of any size."""

    def __init__(self, model: CropModel):
        super().__init__()
        inner, method = model.network.network, model.network.method
        self.frontend, self.classifier = inner.frontend.for_export(), deepcopy(inner.classifier)
        self.levelled, self.of_clip = method.levelled, model.levelled
        self.size = method.samples(model.sample_rate)
        self.hop = method.hop(model.sample_rate)

    def forward(self, waveform: Tensor) -> Tensor:
        """Return the logits (batch, n_classes).

        As in `PlainPatches` a window too many is computed, and has no part in the mean.
        """
        batch, time = waveform.shape
        last = torch.sym_max(time, self.size) - self.size
        count = 1 + (last + self.hop - 1) // self.hop
        window = torch.arange(count + 1, device=waveform.device)
        starts = (window * self.hop).clamp(max=last)
        padded = pad(self.of_clip(waveform), (0, self.size))
        places = starts[:, None] + torch.arange(self.size, device=waveform.device)
        windows = self.levelled(padded[:, places].flatten(0, 1))
        logits = self.classifier(self.frontend(windows).mT).reshape(batch, count + 1, -1)
        return (logits * (window < count)[:, None]).sum(1) / count
