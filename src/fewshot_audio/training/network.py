"""What a run trains: a frontend, then a classifier; and how patches are cut."""

from copy import deepcopy
from dataclasses import dataclass

import torch
from torch import Tensor, arange, nn

from fewshot_audio.components import build
from fewshot_audio.frontends.base import Frontend
from fewshot_audio.models.base import BANDS, FRAMES, Classifier
from fewshot_audio.types import ConfigError, Job


@dataclass(frozen=True)
class Patches:
    """Patches still to be cut: what a frontend prepared of all clips, the frames of each, whose patches, from which frame."""

    inputs: tuple[Tensor, ...]
    lengths: Tensor
    clips: Tensor
    starts: Tensor

    def __getitem__(self, part: slice) -> "Patches":
        return Patches(self.inputs, self.lengths, self.clips[part], self.starts[part])

    def through(self, frontend: Frontend) -> Tensor:
        """The patches (batch, 128, bands) of the frontend's maps; one that needs whole clips sees each of the batch's once."""
        if frontend.pointwise:
            return frontend(cut(self.inputs[0], self.lengths, self.clips, self.starts))
        clips, numbers = self.clips.unique(return_inverse=True)
        inputs, starts = tuple(each[clips] for each in self.inputs), self.starts
        if len(clips) == len(starts):  # one patch of each
            inputs, of_clips = frontend.crop(inputs, starts[numbers.argsort()], FRAMES)
            starts = of_clips[numbers]
        return cut(frontend(*inputs), self.lengths[clips], numbers, starts)


class Network(nn.Module):
    """Patches to outputs (batch, size): logits or embeddings.

    `support_frontend` is what the support of a prototypical network passes through, None where all share one.
    """

    def __init__(self, frontend: Frontend, classifier: Classifier):
        super().__init__()
        self.frontend = frontend
        self.support_frontend: Frontend | None = None
        self.classifier = classifier

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.parameters()).device

    def frontends(self) -> list[Frontend]:
        """Its frontend, and that of the support where there is one."""
        return [self.frontend, *([] if self.support_frontend is None else [self.support_frontend])]

    def forward(
        self, patches: Patches | Tensor, noise: tuple[Tensor, ...] = (), support: bool = False
    ) -> Tensor:
        """Patches, of a support or others, and the dropout's uniform numbers to outputs (batch, size).

        Patches may be given as they are cut (batch, 128, bands): from the bank, or from maps where a frontend needs whole clips.
        """
        frontend = self.frontends()[-1] if support else self.frontend
        if isinstance(patches, Patches):
            patches = patches.through(frontend)
        elif frontend.pointwise:
            patches = frontend(patches)
        return self.classifier(patches, noise)

    def ready(self, rows: Tensor) -> Tensor:
        """A bank's rows of clips of one length to what `sweep` takes: their maps where a frontend needs whole clips."""
        return rows if self.frontend.pointwise else self.frontend.spectrogram(rows)

    def forward_dense(self, ready: Tensor, hop: int) -> Tensor:
        """What `ready` gave of clips to the outputs (clips, patches, size) of patches every `hop` frames."""
        repeated = ready[
            :, arange(max(ready.shape[1], FRAMES), device=ready.device) % ready.shape[1]
        ]
        return self.classifier.forward_dense(
            self.frontend(repeated) if self.frontend.pointwise else repeated, hop
        )

    def learned_scalars(self) -> dict[str, float]:
        """The scalars of the frontends that training has set."""
        support = {} if self.support_frontend is None else self.support_frontend.learned_scalars()
        return self.frontend.learned_scalars() | {
            f"support {name}": value for name, value in support.items()
        }


def build_network(job: Job, classes: int, device: str = "cpu") -> Network:
    """A job's untrained network, its classifier on a device ("meta": without values). ConfigError on a setting that cannot be."""
    with torch.device(device):
        classifier: Classifier = build(job.model, classes=classes)
    network = Network(build(job.frontend), classifier)
    if network.frontend.bands != BANDS:
        raise ConfigError(
            f"frontend.filters={network.frontend.bands}: the models take maps of {BANDS} bands"
        )
    return network


@torch.no_grad()
def check_maps(frontend: Frontend, name: str) -> None:
    """ConfigError where a frontend of mel maps does not give 128 bands, or is said to be pointwise and is not."""
    if frontend.reads != "mel":
        return
    frontend, rows = (
        deepcopy(frontend).eval(),
        torch.rand(1, 8, BANDS, generator=torch.Generator().manual_seed(0)),
    )
    try:
        maps, frames = frontend.spectrogram(rows), frontend.frames(rows.shape[1])
    except RuntimeError:  # its runs will tell, each with its traceback
        return
    if maps.shape != (1, frames, BANDS):
        raise ConfigError(
            f"frontend={name}: maps of shape {tuple(maps.shape)}, expected (clips, frames, {BANDS}): (1, {frames}, {BANDS})"
        )
    if frontend.pointwise and not torch.allclose(
        frontend.spectrogram(rows[:, 3:]), maps[:, 3:], equal_nan=True
    ):
        raise ConfigError(
            f"frontend={name}: a value of its map depends on other values; set pointwise = False in its class"
        )


def cut(maps: Tensor, lengths: Tensor, clips: Tensor, starts: Tensor) -> Tensor:
    """Patches (batch, 128, bands) of maps (all clips, frames, bands), from frame `starts` of the clips numbered `clips`.

    A map with fewer than 128 frames is repeated from its start.
    """
    frames = (starts[:, None] + arange(FRAMES, device=maps.device)) % lengths[clips][:, None]
    return maps[clips[:, None], frames]
