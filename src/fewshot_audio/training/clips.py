"""Features of clips on a device, a few clips of one length at a time."""

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby

import numpy as np
import torch
from torch import Tensor

from fewshot_audio.types import DataError

FRAMES_AT_ONCE = {"cpu": 700}  # a few clips: what stays in a processor's cache
FRAMES_AT_ONCE_ELSEWHERE = 40_000
FREE_SHARE = 0.25  # of a GPU's free memory that clips may take


class ClipBatches:
    """Features of clips as batches (clips, rows, columns), each of clips of one length.

    A device that keeps them reads them once, however often they are asked for.

    Args:
        rows: Features of each clip (rows, columns), arrays or tensors.
        frames: Returns the frames that so many rows give; they bound a batch.
        device: Where the batches are.
        keep: Whether the device keeps them; None: a GPU does if it has the memory.
    """

    def __init__(
        self,
        rows: Sequence[np.ndarray] | Sequence[Tensor],
        frames: Callable[[int], int],
        device: torch.device,
        keep: bool | None = None,
    ):
        self.rows, self.device = rows, device
        self._kept: list[Tensor] = []
        self._numbers: list[list[int]] = []
        at_once = FRAMES_AT_ONCE.get(device.type, FRAMES_AT_ONCE_ELSEWHERE)
        lengths = [len(each) for each in rows]
        by_length = sorted(range(len(rows)), key=lengths.__getitem__)
        size_of_row = rows[0][:1].nbytes if lengths else 0
        self.keep = _fits(sum(lengths) * size_of_row, device) if keep is None else keep
        for length, group in groupby(by_length, key=lengths.__getitem__):
            if frames(length) < 1:
                raise DataError(f"a clip of {length} rows gives no frame: it is too short")
            numbers, size = list(group), max(1, at_once // frames(length))
            self._numbers += [numbers[at : at + size] for at in range(0, len(numbers), size)]

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[tuple[list[int], Tensor]]:
        """Yield the numbers of a batch's clips, and the batch."""
        for place, numbers in enumerate(self._numbers):
            if place < len(self._kept):
                yield numbers, self._kept[place]
                continue
            batch = self._batch(numbers)
            if self.keep:
                self._kept.append(batch)
            yield numbers, batch

    def map(self, function: Callable[[Tensor], Tensor]) -> Tensor:
        """Return on the CPU what a function of batches makes of each clip (clips, ...)."""
        numbers, results = [], []
        for of_clips, batch in self:
            numbers += of_clips
            results.append(function(batch))  # a GPU is not waited for
        return torch.cat([each.cpu() for each in results])[torch.tensor(numbers).argsort()]

    def converted(self, function: Callable[[Tensor], Tensor]) -> "ClipBatches":
        """Return the clips with the features (frames, bands) that a function makes of batches.

        They lie on the device if it keeps these, otherwise in the CPU's memory.
        """
        rows: dict[int, Tensor] = {}
        for numbers, batch in self:
            features = function(batch)
            rows |= zip(numbers, features if self.keep else features.cpu(), strict=True)
        return ClipBatches([rows[each] for each in range(len(self))], int, self.device, keep=False)

    def _batch(self, numbers: Sequence[int]) -> Tensor:
        """Return the features of clips; a GPU is sent them while it still computes."""
        rows = [self.rows[number] for number in numbers]
        tensors = [each for each in rows if isinstance(each, Tensor)]
        batch = torch.stack(tensors) if tensors else torch.from_numpy(np.stack(rows))
        if self.device.type == "cuda" and not batch.is_cuda:
            batch = batch.pin_memory()
        return batch.to(self.device, non_blocking=True)


def _fits(size: int, device: torch.device) -> bool:
    """Return whether a device has memory of its own, and enough of it for so many bytes."""
    if device.type != "cuda":
        return False
    free, _ = torch.cuda.mem_get_info(device)
    unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return size <= FREE_SHARE * (free + unused)
