"""Training on random crops of waveforms, of clips with one label or several."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field, PositiveFloat, PositiveInt
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from fewshot_audio.components import locate
from fewshot_audio.frontends.loudness import at_level
from fewshot_audio.training.batchnorm import batch_norms
from fewshot_audio.training.metrics import ClipScores
from fewshot_audio.training.network import Network, refuse_embeddings
from fewshot_audio.types import ConfigError, Recipe

Level = Literal["none", "peak", "loudness"]
Precision = Literal["32-true", "16-mixed", "bf16-mixed"]  # whose weights are in float32


@dataclass(frozen=True, kw_only=True)
class CropMethod(ABC):
    """How one run trains on random crops of its clips, and scores others by windows of that length.

    Args:
        crop: Seconds of a crop. Shorter clips are padded with zeros behind.
        window_hop: Seconds between the windows of a clip that is scored; None: side by side.
        level: What each crop or window is brought to: its own level, a peak of 1, or the loudness
            of `frontends.loudness.loud`.
        max_epochs: Largest number of epochs.
        batch_size: Crops of an update, on each device.
        crops_per_clip: Crops of each clip in an epoch.
        balanced: Whether an epoch has as many crops of each class instead of each clip.
        batch_norm_momentum: The weight of a batch in batch norm's running statistics, by which
            clips are scored; None: the model's own. The models of the studies have 0.01, which
            takes some 500 updates to forget its start.
        keep_best: Metric on the clips that validate; the weights of the epoch at which it is best
            are kept. None: those of the last epoch.
        patience: Epochs without a better metric after which training ends; None: goes on.
        accumulate: Batches whose gradients make one update.
        precision: Lightning's: "32-true", "16-mixed", "bf16-mixed"; scores are always in float32.
        devices: Number of devices that train together.
        strategy: Lightning's, for several devices: "ddp_spawn" or "ddp_fork"; "auto": the first.
    """

    multi_label: ClassVar[bool] = False

    crop: PositiveFloat
    window_hop: PositiveFloat | None = None
    level: Level = "none"
    max_epochs: PositiveInt
    batch_size: PositiveInt
    crops_per_clip: PositiveInt = 1
    balanced: bool = False
    batch_norm_momentum: Annotated[float, Field(gt=0, le=1)] | None = None
    keep_best: str | None = None
    patience: PositiveInt | None = None
    accumulate: PositiveInt = 1
    precision: Precision = "32-true"
    devices: PositiveInt = 1
    strategy: Literal["auto", "ddp_spawn", "ddp_fork"] = "auto"

    def __post_init__(self) -> None:
        if self.patience is not None and self.keep_best is None:
            raise ConfigError(
                f"method.patience={self.patience}: it counts epochs without a better metric; set "
                "method.keep_best to one, as accuracy"
            )

    @abstractmethod
    def cost(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Return the mean cost of logits (batch, n_classes) for targets of that shape in [0, 1]."""

    @abstractmethod
    def scores(self, logits: Tensor) -> Tensor:
        """Return the probabilities (..., n_classes) of a clip's mean logits."""

    def clip_scores(self, scores: Tensor, targets: Tensor) -> ClipScores:
        """Return scores (clips, n_classes) and targets of clips as metrics take them."""
        return ClipScores(scores, targets)

    def groups(self, targets: Tensor) -> Sequence[np.ndarray]:
        """Return the numbers of clips of each of which an epoch holds as many crops; none: of all.

        Balanced over classes it is as in Kong et al., arXiv 1912.10211.

        Args:
            targets: Of the clips that train, 0 and 1 (clips, n_classes).
        """
        if not self.balanced:
            return ()
        return [clips for each in targets.T if len(clips := each.nonzero()[:, 0].numpy())]

    def adapt(self, network: Network) -> None:
        """Check that this method can train a network, and set its batch norms' momentum.

        Raises:
            ConfigError: It gives embeddings.
        """
        refuse_embeddings(network, "method=prototypical, on n clips per class")
        if self.batch_norm_momentum is not None:
            for norm in batch_norms(network):
                norm.momentum = self.batch_norm_momentum

    def updates_per_epoch(self, clips: int) -> int:
        """Return how many updates of all devices an epoch has on so many clips."""
        crops = -(-clips * self.crops_per_clip // self.devices)
        batches = -(-crops // self.batch_size)
        return -(-batches // self.accumulate)

    def samples(self, sample_rate: int) -> int:
        """Return the samples of a crop at a rate in Hz."""
        return max(1, round(self.crop * sample_rate))

    def hop(self, sample_rate: int) -> int:
        """Return the samples between two windows of a clip at a rate in Hz."""
        hop = self.crop if self.window_hop is None else self.window_hop
        return max(1, round(hop * sample_rate))

    def levelled(self, waveforms: Tensor) -> Tensor:
        """Return crops (batch, time) at the level that is set."""
        return at_level(waveforms, self.level)


@dataclass(frozen=True, kw_only=True)
class Crops(CropMethod):
    """Cross-entropy; a clip's score is the softmax of the mean logits of its windows."""

    def cost(self, logits: Tensor, targets: Tensor) -> Tensor:
        return cross_entropy(logits, targets)

    def scores(self, logits: Tensor) -> Tensor:
        return logits.softmax(-1)


@dataclass(frozen=True, kw_only=True)
class MultiLabelCrops(CropMethod):
    """Binary cross-entropy; a clip's score is the sigmoid of the mean logits of its windows."""

    multi_label: ClassVar[bool] = True

    def cost(self, logits: Tensor, targets: Tensor) -> Tensor:
        return binary_cross_entropy_with_logits(logits, targets)

    def scores(self, logits: Tensor) -> Tensor:
        return logits.sigmoid()


def trains_on_crops(job: Recipe) -> bool:
    """Return whether a job's method trains on crops of waveforms, not on patches of features."""
    target = locate(job.method.target, job.method.group)
    return isinstance(target, type) and issubclass(target, CropMethod)
