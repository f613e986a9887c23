"""Trained networks from waveforms of any length to logits, as checkpoints are loaded."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from fewshot_audio.components import build
from fewshot_audio.features.base import Features
from fewshot_audio.frontends.base import Frontend
from fewshot_audio.frontends.bounds import use_plain_clamps
from fewshot_audio.frontends.loudness import at_level
from fewshot_audio.training.evaluate import clip_batches, dense_inputs, score_inputs
from fewshot_audio.training.methods.base import Method
from fewshot_audio.training.network import Network, build_network
from fewshot_audio.training.randomness import isolated
from fewshot_audio.training.waveform_network import crop_rate, mel_of
from fewshot_audio.types import Recipe

NETWORK, SCORING = "network.", "scoring."  # what names of tensors begin with


class ClipModel(nn.Module, ABC):
    """A trained network: a clip of any length to one logit per class.

    The module is in evaluation mode and can be trained on.

    Args:
        recipe: What it is built from.
        class_names: Names of the classes, in the order of the logits.
        sample_rate: Hz of the waveforms.
        multi_label: Whether a clip may have several labels: probabilities are the sigmoid of the
            logits then, else their softmax.

    Attributes:
        kind: What checkpoints call the subclass.
    """

    kind: ClassVar[str]

    def __init__(
        self, recipe: Recipe, class_names: Sequence[str], sample_rate: int, multi_label: bool
    ):
        super().__init__()
        self.recipe, self.class_names = recipe, tuple(class_names)
        self.sample_rate, self.multi_label = sample_rate, multi_label
        self.level = build(recipe.features, Features).level

    @classmethod
    @abstractmethod
    def restored(
        cls, recipe: Recipe, class_names: Sequence[str], tensors: Mapping[str, Tensor]
    ) -> "ClipModel":
        """Build a model of a checkpoint, with the tensors of `state_dict` of the one it was."""

    @property
    @abstractmethod
    def frontend(self) -> Frontend:
        """The network's frontend."""

    @abstractmethod
    def forward(self, waveform: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Return the logits (..., n_classes) of waveforms (..., time).

        Args:
            waveform: Samples in [-1, 1] at `sample_rate`, with any leading dimensions.
            lengths: The samples of each clip of a padded batch (...); the others have no influence.
        """

    def levelled(self, waveform: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Return waveforms (..., time) at the level that clips were trained at."""
        clips = waveform.reshape(-1, waveform.shape[-1])
        samples = None if lengths is None else lengths.reshape(-1)
        return at_level(clips, self.level, samples).reshape(waveform.shape)

    @abstractmethod
    def scores(self, rows: Sequence[np.ndarray]) -> Tensor:
        """Return the scores (clips, n_classes) of clips' features, as a run scores test clips."""

    @abstractmethod
    def probabilities(self, scores: Tensor) -> Tensor:
        """Return the probabilities (clips, n_classes) of scores."""

    @abstractmethod
    def for_export(self) -> nn.Module:
        """Return the same of waveforms (batch, time) as plain operations, for torch.export."""


class PatchModel(ClipModel):
    """A network of patches of spectrograms; a clip's score is the mean over its patches.

    Args:
        recipe: What it is built from.
        class_names: Names of the classes.
        network: The network.
        method: How it was trained.
        state: What `method.scoring_state` returned.

    Attributes:
        hop: Frames between the patches of a clip in `forward`, as many as in the run.
    """

    kind = "patches"

    def __init__(
        self,
        recipe: Recipe,
        class_names: Sequence[str],
        network: Network,
        method: Method,
        state: Mapping[str, Tensor],
    ):
        rate = crop_rate(network.frontend, recipe)
        super().__init__(recipe, class_names, rate, method.multi_label)
        network.augmentation = None  # of training
        self.network, self.method, self.hop = network, method, method.test_hop
        self.scoring = nn.Module()
        for name, tensor in state.items():
            self.scoring.register_buffer(name, tensor)
        self.eval()

    @classmethod
    def restored(
        cls, recipe: Recipe, class_names: Sequence[str], tensors: Mapping[str, Tensor]
    ) -> "PatchModel":
        network = build_network(recipe, len(class_names))
        method = build(recipe.method, Method, data=None, generators=None)
        method.adapt(network)
        model = cls(recipe, class_names, network, method, below(SCORING, tensors))
        network.load_state_dict(below(NETWORK, tensors))
        for frontend in network.frontends():
            frontend.mel, frontend.normalize = mel_of(recipe), None
            use_plain_clamps(frontend, False)  # no loop calls `project`
        return model

    @property
    def frontend(self) -> Frontend:
        return self.network.frontend

    def forward(self, waveform: Tensor, lengths: Tensor | None = None) -> Tensor:
        n_frames, classifier = self.network.classifier.n_frames, self.network.classifier
        if lengths is None:
            lengths = torch.full(waveform.shape[:-1], waveform.shape[-1], device=waveform.device)
        levelled = self.levelled(waveform, lengths)
        spectrograms, frames = self.network.frontend(levelled, lengths)
        clips = spectrograms.reshape(-1, *spectrograms.shape[-2:]).mT
        frames = frames.reshape(-1, 1).clamp(min=1)
        places = torch.arange(max(clips.shape[1], n_frames), device=clips.device) % frames
        repeated = clips.gather(1, places[..., None].expand(-1, -1, clips.shape[2]))
        outputs = classifier.forward_dense(repeated, self.hop)
        starts = torch.arange(outputs.shape[1], device=clips.device) * self.hop
        used = (starts <= (frames - n_frames).clamp(min=0))[..., None]  # (clips, patches, 1)
        patch_scores = self.method.scorer(self._state())(outputs)
        scores = patch_scores.where(used, 0.0).sum(1) / used.sum(1)
        return self.method.logits(scores).reshape(*waveform.shape[:-1], -1)

    def scores(self, rows: Sequence[np.ndarray]) -> Tensor:
        inputs = dense_inputs(self.network, clip_batches(self.network, rows))
        with isolated(0, self.network.device):
            return score_inputs(self.network, self.method, self._state(), inputs)

    def probabilities(self, scores: Tensor) -> Tensor:
        return self.method.probabilities(scores)

    def for_export(self) -> nn.Module:
        return PlainPatches(self).eval()

    def _state(self) -> dict[str, Tensor]:
        return dict(self.scoring.named_buffers())


class PlainPatches(nn.Module):
    """A `PatchModel` of waveforms (batch, time), both of any size, patch by patch."""

    def __init__(self, model: PatchModel):
        super().__init__()
        self.frontend = model.network.frontend.for_export()
        self.classifier = deepcopy(model.network.classifier)
        self.scoring, self.method, self.hop = deepcopy(model.scoring), model.method, model.hop
        self.levelled = model.levelled

    def forward(self, waveform: Tensor) -> Tensor:
        """Return the logits (batch, n_classes).

        The patch that comes after the last one is computed too, and has no part in the mean: torch
        takes a dimension that can be 1 at some lengths for another one.
        """
        spectrograms, n_frames = self.frontend(self.levelled(waveform)).mT, self.classifier.n_frames
        batch, frames, _ = spectrograms.shape
        count = 1 + (torch.sym_max(frames, n_frames) - n_frames) // self.hop
        patch = torch.arange(count + 1, device=waveform.device)
        length = torch.ones_like(spectrograms[0, :, 0], dtype=torch.int64).sum()  # for % in ONNX
        places = (patch[:, None] * self.hop + torch.arange(n_frames, device=patch.device)) % length
        outputs = self.classifier(spectrograms[:, places].flatten(0, 1))
        scorer = self.method.scorer(dict(self.scoring.named_buffers()))
        scores = scorer(outputs.reshape(batch, count + 1, -1)) * (patch < count)[:, None]
        return self.method.logits(scores.sum(1) / count)


def below(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors whose names begin with a prefix, by the rest of the name."""
    return {
        name.removeprefix(prefix): each for name, each in tensors.items() if name.startswith(prefix)
    }
