"""The contract of a frontend: what a bank holds in, time-frequency maps out."""

from abc import ABC, abstractmethod

from torch import Tensor, nn


class Frontend(nn.Module, ABC):
    """Power mel maps (clips, frames, 128) to compressed maps of the same shape, float32, each value by itself.

    Because values do not see each other, patches may be cut before or after.
    """

    @abstractmethod
    def forward(self, maps: Tensor) -> Tensor:
        """Power mel maps (clips, frames, 128) to maps (clips, frames, 128)."""

    def learned(self) -> dict[str, float]:
        """The scalars that training has set, by name, for the record of a run."""
        return {}

    def measured(self, patches: Tensor) -> dict[str, float]:
        """What is worth knowing of training patches (patches, 128, 128), by name, each number a mean over patches."""
        return {}
