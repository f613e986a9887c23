"""A run's own random numbers."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch

from fewshot_audio.seeding import seed_for


@dataclass(frozen=True)
class Generators:
    """A run's generators, one per use, on the CPU so that every device sees the same numbers.

    Args:
        init: For new weights.
        patches: For which patches train, and in which order.
        dropout: For the noise of models whose dropout takes it as an argument.
        support: For the support of prototypical networks.
        modules: For modules that draw from torch's global generators, as nn.Dropout does.
    """

    init: torch.Generator
    patches: torch.Generator
    dropout: torch.Generator
    support: torch.Generator
    modules: torch.Generator

    @classmethod
    def named(cls, *names: str | int | None) -> "Generators":
        """Return independent generators that depend on the names alone."""
        uses = ("init", "patches", "dropout", "support", "modules")
        return cls(*(torch.Generator().manual_seed(seed_for(use, *names)) for use in uses))


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
