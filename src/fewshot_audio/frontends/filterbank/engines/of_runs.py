"""The engines of runs that train together, as one engine under torch.func.vmap."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from fewshot_audio.frontends.base import Cropped
from fewshot_audio.frontends.filterbank.engines.base import Engine


class OfRuns(Engine):
    """Compute under torch.func.vmap over runs what the engine of each run would.

    Args:
        engines: One of each run, all of one class and made alike.
    """

    def __init__(self, engines: Sequence[Engine]):
        super().__init__(engines[0].placement, engines[0].symmetric)
        self.engines = engines

    def prepare(self, waveforms: Tensor, lengths: Tensor) -> tuple[Tensor, ...]:
        return self.engines[0].prepare(waveforms, lengths)

    def crop(self, prepared: tuple[Tensor, ...], starts: Tensor, frames: int) -> Cropped:
        return self.engines[0].crop(prepared, starts, frames)

    def energies(self, filters: Tensor, windows: Tensor, *prepared: Tensor) -> Tensor:
        return _Energies.apply(self, filters, windows, *prepared)


class _Energies(torch.autograd.Function):
    """What vmap calls with the tensors of all runs; torch differentiates what it calls."""

    @staticmethod
    def forward(engine: OfRuns, *tensors: Tensor) -> Tensor:
        raise NotImplementedError("only under torch.func.vmap over runs")

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        """Keep nothing."""

    @staticmethod
    def vmap(info: Any, dims: tuple[int | None, ...], engine: OfRuns, *tensors: Tensor) -> Any:
        of_runs = [
            each.expand(info.batch_size, *each.shape) if dim is None else each.movedim(dim, 0)
            for each, dim in zip(tensors, dims[1:], strict=True)
        ]
        return type(engine.engines[0]).energies_of_runs(engine.engines, *of_runs), 0
