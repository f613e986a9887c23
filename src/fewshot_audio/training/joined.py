"""The training clips of several runs in one place, from which all their batches are taken."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from fewshot_audio.frontends.base import Frontend
from fewshot_audio.training.methods.base import Batch, TrainingSet
from fewshot_audio.training.network import cut


class JoinedSets:
    """Training sets in one array for each input, padded to the longest clip.

    Attributes:
        inputs: What the frontends prepared of all runs' clips.
        lengths: Frames of each clip (clips,).
        labels: Labels of all clips.
        sets: The runs' own sets, as views of these.
    """

    def __init__(self, sets: Sequence[TrainingSet]):
        counts = [len(each.labels) for each in sets]
        by_input = list(zip(*(each.inputs for each in sets), strict=True))
        self.inputs = tuple(_joined(each) for each in by_input)
        self.lengths = torch.cat([each.lengths for each in sets])
        self.labels = torch.cat([each.labels for each in sets])
        self.n_frames = sets[0].n_frames
        earlier = torch.tensor([0, *counts[:-1]]).cumsum(0)  # clips of the runs before
        self.first_clips = earlier.to(self.labels.device)
        of_runs = zip(*(each.split(counts) for each in self.inputs), strict=True)
        own = [
            tuple(_unpadded(*pair) for pair in zip(of_run, each.inputs, strict=True))
            for of_run, each in zip(of_runs, sets, strict=True)
        ]
        others = zip(own, self.lengths.split(counts), self.labels.split(counts), strict=True)
        self.sets = [TrainingSet(*each, self.n_frames) for each in others]

    def labels_of(self, runs: Sequence[int], batch: Batch) -> Tensor:
        """Return the labels (runs, batch, ...) of batches (runs, batch) of some runs."""
        return self.labels[self._clips(runs, batch)]

    def patches(self, runs: Sequence[int], batch: Batch) -> Tensor:
        """Return the patches (runs, batch, n_frames, columns) of the first input."""
        clips = self._clips(runs, batch)
        starts = batch.starts.flatten()
        patches = cut(self.inputs[0], self.lengths, clips.flatten(), starts, self.n_frames)
        return patches.unflatten(0, clips.shape)

    def clips(self, runs: Sequence[int], batch: Batch, frontend: Frontend) -> "Clips | None":
        """Return the clips of batches, each once; None where runs have different numbers of them.

        As `Patches.through` does for one run; only the parts of clips that `frontend` needs.
        """
        ordered, order = self._clips(runs, batch).sort(dim=1)
        new = torch.ones_like(ordered, dtype=torch.bool)
        new[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
        ranks = new.cumsum(1) - 1
        counts = ranks[:, -1] + 1
        if counts.min() < counts.max():
            return None
        clips = ordered[new].unflatten(0, (len(runs), -1))
        numbers = torch.empty_like(order).scatter_(1, order, ranks)
        inputs, starts = tuple(each[clips] for each in self.inputs), batch.starts
        if clips.shape == starts.shape:  # one patch of each
            flat = tuple(each.flatten(0, 1) for each in inputs), starts.gather(1, order).flatten()
            cropped, places = frontend.crop(*flat, self.n_frames)
            inputs = tuple(each.unflatten(0, clips.shape) for each in cropped)
            starts = places.view(clips.shape).gather(1, numbers)
        return inputs, self.lengths[clips], numbers, starts

    def _clips(self, runs: Sequence[int], batch: Batch) -> Tensor:
        """Return the numbers of batches' clips (runs, batch) among all."""
        return batch.clips + self.first_clips[list(runs), None]


Clips = tuple[tuple[Tensor, ...], Tensor, Tensor, Tensor]
"""Inputs (runs, clips, ...), frames of clips, each patch's clip and first frame (runs, batch)."""


def _joined(tensors: Sequence[Tensor]) -> Tensor:
    """Return clips of several runs (clips, rows, ...) as one, padded by zeros."""
    if tensors[0].dim() == 1:
        return torch.cat(list(tensors))
    return pad_sequence([clip for each in tensors for clip in each], batch_first=True)


def _unpadded(clips: Tensor, before: Tensor) -> Tensor:
    """Return a run's own clips as a view, as long as they were before."""
    return clips if clips.dim() == 1 else clips[:, : before.shape[1]]
