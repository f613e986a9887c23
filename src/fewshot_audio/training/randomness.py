"""A run's own random numbers."""

import pickle
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields

import numpy as np
import torch

from fewshot_audio.seeding import seed_for


@dataclass(frozen=True)
class Generators:
    """A run's generators, one per use, on the CPU so that every device sees the same numbers."""

    init: torch.Generator  # of new weights
    patches: torch.Generator  # of which patches train, and in which order
    dropout: torch.Generator  # of the noise of models whose dropout takes it as an argument
    support: torch.Generator  # of the support of prototypical networks
    modules: torch.Generator  # of modules that use global generators, as nn.Dropout does

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
    """Let the global generators of torch, NumPy and Python start from a seed; restore them then."""
    device = torch.device(device)
    cuda = device.type == "cuda"
    of_numpy, of_python = np.random.get_state(), random.getstate()
    try:
        with torch.random.fork_rng([torch.cuda.current_device()] if cuda else []):
            torch.default_generator.manual_seed(seed)
            if cuda:
                torch.cuda.manual_seed(seed)
            np.random.seed(seed % 2**32)
            random.seed(seed)
            yield
    finally:
        np.random.set_state(of_numpy)
        random.setstate(of_python)


def generator_states() -> bytes:
    """Return where the global generators are, on the CPU: another value once one has drawn."""
    states = torch.get_rng_state().numpy(), np.random.get_state(), random.getstate()
    return pickle.dumps(states)


@contextmanager
def own_randomness(generators: Generators, device: torch.device | str = "cpu") -> Iterator[None]:
    """Let the global generators depend on a run alone, and restore them afterwards."""
    seed = int(torch.randint(2**62, (), generator=generators.modules))
    with isolated(seed, device):
        yield
