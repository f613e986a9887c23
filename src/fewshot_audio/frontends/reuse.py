"""Weights that were learned before, kept or learned on."""

from __future__ import annotations

from typing import Self

import torch
from torch import nn


class Reusable(nn.Module):
    """A module that may come with weights that were learned before.

    Attributes:
        keeps_weights: Whether it does: `begin` draws none.
        frozen: Whether it learns nothing more, and is as in evaluation also in training.
    """

    keeps_weights: bool = False
    frozen: bool = False

    def reuse(self, frozen: bool) -> None:
        """Let the present weights be those that training starts from, or that stay."""
        self.keeps_weights, self.frozen = True, frozen
        if frozen:
            self.requires_grad_(False)
        self.remember_start()
        self.train()

    def train(self, mode: bool = True) -> Self:
        """Go into training mode, or evaluation; what is frozen stays in evaluation."""
        return super().train(mode and not self.frozen)

    def begin(self, generator: torch.Generator) -> None:
        """Draw what starts at random, unless weights were learned before. Called once per run."""
        if not self.keeps_weights:
            self.initialise(generator)

    def initialise(self, generator: torch.Generator) -> None:
        """Draw what starts at random, if anything does. Called once per run."""

    def remember_start(self) -> None:
        """Keep the present weights as those that diagnostics compare later ones with."""
