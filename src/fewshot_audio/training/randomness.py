"""A run's own random numbers."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields

import torch

from fewshot_audio.seeding import seed_for


@dataclass(frozen=True)
class Generators:
    """A run's generators, one per use, on the CPU so that every device sees the same numbers."""

    init: torch.Generator  # of new weights
    patches: torch.Generator  # of which patches train, and in which order
    dropout: torch.Generator  # of the noise of models whose dropout takes it as an argument
    support: torch.Generator  # of the support of prototypical networks
    modules: torch.Generator  # of modules that use torch's global generators, as nn.Dropout does

    @classmethod
    def named(cls, *names: str | int | None) -> "Generators":
        """Return independent generators that depend on the names alone."""
        uses = [each.name for each in fields(cls)]
        return cls(*(torch.Generator().manual_seed(seed_for(use, *names)) for use in uses))

    def noise(self, count: int, sizes: tuple[int, ...]) -> tuple[torch.Tensor, ...]:
        """Return the uniform numbers (count, size) of each dropout layer for so many patches."""
        return tuple(torch.rand(count, size, generator=self.dropout) for size in sizes)


@contextmanager
def isolated(seed: int, device: torch.device | str = "cpu") -> Iterator[None]:
    """Let torch's global generators start from a seed, and restore them afterwards."""
    device = torch.device(device)
    cuda = device.type == "cuda"
    with torch.random.fork_rng([torch.cuda.current_device()] if cuda else []):
        torch.default_generator.manual_seed(seed)
        if cuda:
            torch.cuda.manual_seed(seed)
        yield


@contextmanager
def own_randomness(generators: Generators, device: torch.device | str = "cpu") -> Iterator[None]:
    """Let torch's global generators depend on a run alone, and restore them afterwards."""
    seed = int(torch.randint(2**62, (), generator=generators.modules))
    with isolated(seed, device):
        yield
