"""A frontend that makes trouble once, for tests of what becomes of it."""

import os
import signal
from dataclasses import replace
from pathlib import Path

import torch

from fewshot_audio.frontends.base import Frontend


class Disturbing(Frontend):
    """A logarithm that, where a file lies at `flag`, removes it, then kills or ends its process,
    or runs out of memory, when it is trained."""

    def __init__(self, flag: str, trouble: str):
        super().__init__()
        self.flag, self.trouble = Path("/", flag), trouble

    def compute(self, maps: torch.Tensor) -> torch.Tensor:
        if self.training and self.trouble == "end" and self.flag.exists():
            self.flag.unlink()
            os.kill(os.getpid(), signal.SIGTERM)
        return torch.log10(maps + 1e-6)

    def initialise(self, generator: torch.Generator) -> None:
        if self.training and self.trouble != "end" and self.flag.exists():
            self.flag.unlink()
            if self.trouble == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            raise MemoryError("made to fail")


def disturbing(job, flag, trouble):
    """The job with a frontend that makes a kind of trouble once, while the flag is there."""
    frontend = replace(
        job.frontend,
        target="disturbing.Disturbing",
        arguments={"flag": str(flag.relative_to("/")), "trouble": trouble},  # no file of the key
    )
    return replace(job, frontend=frontend)
