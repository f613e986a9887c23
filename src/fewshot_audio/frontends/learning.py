"""What a layer is to its training: weights to begin with, and steps of its parameters."""

from __future__ import annotations

from typing import Any, Self

import torch

from fewshot_audio.frontends.layer import MadeOnCpu


class Learning(MadeOnCpu):
    """A module that learns, from its start or from weights that were learned before.

    Its parts say in what steps their parameters count: a part's `scales()` gives a size by the
    name of the parameter.

    Attributes:
        keeps_weights: Whether it has weights that were learned before: `begin` draws none.
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

    def param_groups(self, lr: float) -> list[dict[str, Any]]:
        """Return parameter groups for Adam, AdamW and other optimizers that scale their steps.

        Such an optimizer moves every parameter by about its rate per step, whatever it counts in:
        at 1e-3 a width of 80 samples by one part in 80,000, a smoothing weight of 0.04 by one in
        40, a centre by 1e-3 rad/sample: at 16 kHz 2.5 Hz, a sixteenth of the narrowest filter. In
        these groups a step is a change by the share `lr`:

        - centres (rad/sample) learn at lr times 1 / width: the filters' spread in frequency;
        - widths (samples), pooling widths (shares), PCEN's alpha, delta, root and smooth, taps:
          at lr times their size;
        - a and b of logarithms, already relative: at lr; so does what is not named here.

        Sizes are medians over filters, of now: call it before training. Weight decay is off for all
        that has such a size, as it would draw centres to 0 Hz and widths to their least.

        Args:
            lr: The learning rate of the model.

        Returns:
            Groups with `params`, `lr` and `names`, of what learns; the model's own parameters are
            for another group.
        """
        groups: dict[tuple[float, bool], dict[str, Any]] = {}
        for path, module in self.named_modules():
            scales = module.scales() if hasattr(module, "scales") else {}
            for name, parameter in module.named_parameters(recurse=False):
                if parameter.requires_grad:
                    key = scales.get(name, 1.0), name in scales
                    group = groups.setdefault(key, {"params": [], "names": [], "lr": lr * key[0]})
                    group["params"].append(parameter)
                    group["names"].append(f"{path}.{name}" if path else name)
                    if name in scales:
                        group["weight_decay"] = 0.0
        return list(groups.values())
