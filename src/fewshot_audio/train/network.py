"""What a run trains: a frontend, then a classifier; and how patches are cut."""

import torch
from torch import Tensor, arange, nn

from fewshot_audio.components import build
from fewshot_audio.frontends.frontend import Frontend
from fewshot_audio.models.classifier import FRAMES, Classifier
from fewshot_audio.types import Job


class Network(nn.Module):
    """Patches of a bank's maps (batch, 128 frames, 128 bands) to outputs (batch, size): logits or embeddings.

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

    def forward(self, patches: Tensor, noise: tuple[Tensor, ...] = (), support: bool = False) -> Tensor:
        """Patches (batch, 128, 128), of a support or others, and the dropout's uniform numbers to outputs (batch, size)."""
        frontend = self.support_frontend if support and self.support_frontend is not None else self.frontend
        return self.classifier(frontend(patches), noise)

    def sweep(self, maps: Tensor, hop: int) -> Tensor:
        """Maps (clips, frames, 128), all of one length, to the outputs (clips, patches, size) of patches every `hop` frames."""
        frames = arange(max(maps.shape[1], FRAMES), device=maps.device) % maps.shape[1]
        return self.classifier.sweep(self.frontend(maps[:, frames]), hop)

    def learned(self) -> dict[str, float]:
        """The scalars of the frontends that training has set."""
        support = {} if self.support_frontend is None else self.support_frontend.learned()
        return self.frontend.learned() | {f"support {name}": value for name, value in support.items()}


def build_network(job: Job, classes: int) -> Network:
    """A job's untrained network. ConfigError on a setting that cannot be."""
    return Network(build(job.frontend), build(job.model, classes=classes))


def cut(maps: Tensor, lengths: Tensor, clips: Tensor, starts: Tensor) -> Tensor:
    """Patches (batch, 128, bands) of maps (all clips, frames, bands), from frame `starts` of the clips numbered `clips`.

    A map with fewer than 128 frames is repeated from its start.
    """
    frames = (starts[:, None] + arange(FRAMES, device=maps.device)) % lengths[clips][:, None]
    return maps[clips[:, None], frames]
