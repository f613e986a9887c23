"""What a run trains: a frontend, then a classifier; and how patches are cut."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor, arange, nn

from fewshot_audio.components import build, build_for, locate
from fewshot_audio.frontends.base import Frontend
from fewshot_audio.frontends.bounds import use_plain_clamps
from fewshot_audio.models.base import Classifier, as_classifier
from fewshot_audio.training.augmentation import WaveformAugmentation
from fewshot_audio.training.randomness import isolated
from fewshot_audio.types import ConfigError, Recipe


@dataclass(frozen=True)
class Patches:
    """Patches that are still to be cut."""

    inputs: tuple[Tensor, ...]  # what a frontend prepared of all clips
    lengths: Tensor  # frames of each clip (clips,)
    clips: Tensor  # numbers of the clips that the patches are of (batch,)
    starts: Tensor  # first frames of the patches (batch,)
    n_frames: int = 128  # frames of a patch

    def __getitem__(self, part: slice) -> "Patches":
        return replace(self, clips=self.clips[part], starts=self.starts[part])

    def cut(self) -> Tensor:
        """Return the patches (batch, n_frames, columns) of the first input."""
        return cut(self.inputs[0], self.lengths, self.clips, self.starts, self.n_frames)

    def through(self, frontend: Frontend) -> Tensor:
        """Return the patches (batch, n_frames, bands) of the frontend's spectrograms.

        A frontend that needs whole clips sees each clip of the batch once.
        """
        if frontend.pointwise:
            return frontend.compute(self.cut())
        clips, numbers = self.clips.unique(return_inverse=True)
        inputs, starts = tuple(each[clips] for each in self.inputs), self.starts
        if len(clips) == len(starts):  # one patch of each
            inputs, clip_starts = frontend.crop(inputs, starts[numbers.argsort()], self.n_frames)
            starts = clip_starts[numbers]
        return cut(frontend.compute(*inputs), self.lengths[clips], numbers, starts, self.n_frames)


class Network(nn.Module):
    """A frontend, then a classifier: patches to logits or embeddings (batch, size).

    In training an augmentation changes the spectrograms (batch, bands, frames) between the two.
    `support_frontend` is what the support of a prototypical network passes through, None where
    support and queries share one.
    """

    def __init__(
        self, frontend: Frontend, classifier: Classifier, augmentation: nn.Module | None = None
    ):
        super().__init__()
        self.frontend = frontend
        self.support_frontend: Frontend | None = None
        self.classifier = classifier
        self.augmentation = augmentation

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.parameters()).device

    def frontends(self) -> list[Frontend]:
        """Return its frontend, and that of the support where there is one."""
        if self.support_frontend is None:
            return [self.frontend]
        return [self.frontend, self.support_frontend]

    def forward(
        self, patches: Patches | Tensor, noise: tuple[Tensor, ...] = (), support: bool = False
    ) -> Tensor:
        """Return the outputs (batch, size) of patches, of a support or not.

        Patches that are cut already (batch, n_frames, bands) are of the features, or of
        spectrograms where the frontend needs whole clips.
        """
        frontend = self.frontends()[-1] if support else self.frontend
        if isinstance(patches, Patches):
            patches = patches.through(frontend)
        elif frontend.pointwise:
            patches = frontend.compute(patches)
        if self.training and self.augmentation is not None:
            patches = self.augmentation(patches.mT).mT
        return self.classifier(patches, noise)

    def forward_dense(self, inputs: Tensor, hop: int) -> Tensor:
        """Return the outputs (clips, patches, size) of patches every `hop` frames.

        Takes features of clips of one length (clips, frames, bands), or spectrograms where the
        frontend needs whole clips.
        """
        frames = max(inputs.shape[1], self.classifier.n_frames)
        repeated = inputs[:, arange(frames, device=inputs.device) % inputs.shape[1]]
        if self.frontend.pointwise:
            repeated = self.frontend.compute(repeated)
        return self.classifier.forward_dense(repeated, hop)

    def learned_scalars(self) -> dict[str, float]:
        """Return the scalars of the frontends that training has set."""
        scalars = dict(self.frontend.learned_scalars())
        if self.support_frontend is not None:
            for name, value in self.support_frontend.learned_scalars().items():
                scalars[f"support {name}"] = value
        return scalars


def build_network(job: Recipe, n_classes: int, device: str = "cpu", seed: int = 0) -> Network:
    """Build a job's untrained network; weights that a constructor draws depend on the seed.

    On the device "meta" a classifier has no values, where its class allows that.

    Raises:
        ConfigError: A setting is impossible, or the parts do not fit each other.
    """
    shape = {"n_bands": job.mel.n_bands, "n_frames": job.patch_frames}
    target = locate(job.model.target, job.model.group)
    if not (isinstance(target, type) and issubclass(target, Classifier)):
        device = "cpu"
    with isolated(seed):
        with torch.device(device):
            module = build_for(job.model, nn.Module, n_classes=n_classes, **shape)
            classifier = as_classifier(module, n_classes=n_classes, **shape)
        frontend = build(job.frontend, Frontend)
    use_plain_clamps(frontend)  # the loop calls `project`
    bands = frontend.n_bands
    if frontend.reads == "waveform" and bands != job.mel.n_bands:
        raise ConfigError(
            f"frontend={job.frontend.name} gives {bands} bands, the model takes "
            f"n_bands={job.mel.n_bands}; set n_bands={bands}, or the frontend's bands"
        )
    of_waveforms, of_spectrograms = build_augmentations(job)
    if of_waveforms:
        raise ConfigError(
            f"augmentation: {type(of_waveforms[0]).__name__} changes waveforms, and this method "
            "trains on features; choose method=crops"
        )
    return Network(frontend, classifier, of_spectrograms)


def build_augmentations(job: Recipe) -> tuple[list[WaveformAugmentation], nn.Module | None]:
    """Build a job's augmentations: those of waveforms, and those of spectrograms as one."""
    modules = [build(each, nn.Module) for each in job.augmentations.values()]
    of_waveforms = [each for each in modules if isinstance(each, WaveformAugmentation)]
    others = [each for each in modules if not isinstance(each, WaveformAugmentation)]
    return of_waveforms, nn.Sequential(*others) if others else None


def refuse_embeddings(network: Network, step: str) -> None:
    """Raise ConfigError, with what to do, where the model gives embeddings."""
    if network.classifier.embeds:
        raise ConfigError(
            f"this model gives embeddings, not one output per class: train it with {step}"
        )


def cut(
    spectrograms: Tensor, lengths: Tensor, clips: Tensor, starts: Tensor, n_frames: int
) -> Tensor:
    """Cut patches (batch, n_frames, bands) as `Patches` describes from (clips, frames, bands).

    A clip with fewer frames is repeated from its start.
    """
    frames = starts[:, None] + arange(n_frames, device=spectrograms.device)
    return spectrograms[clips[:, None], frames % lengths[clips][:, None]]
