"""The training clips of several runs in one array."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from fewshot_audio.training.methods.base import Batch, TrainingSet
from fewshot_audio.training.network import cut


class JoinedSets:
    """Training sets of spectrograms in one array, padded to the longest clip.

    The patches of several runs are cut from it at once.
    """

    def __init__(self, sets: Sequence[TrainingSet]):
        counts = [len(each.labels) for each in sets]
        clips = [clip for each in sets for clip in each.inputs[0]]
        self.spectrograms = pad_sequence(clips, batch_first=True)
        self.lengths = torch.cat([each.lengths for each in sets])
        self.labels = torch.cat([each.labels for each in sets])
        self.n_frames = sets[0].n_frames
        earlier = torch.tensor([0, *counts[:-1]]).cumsum(0)  # clips of the runs before
        self.first_clips = earlier.to(self.labels.device)
        parts = zip(
            *(each.split(counts) for each in (self.spectrograms, self.lengths, self.labels)),
            strict=True,
        )
        self.sets = [
            TrainingSet((inputs,), lengths, labels, self.n_frames)
            for inputs, lengths, labels in parts
        ]

    def patches(self, runs: Sequence[int], batch: Batch) -> tuple[Tensor, Tensor]:
        """Return the patches (runs, batch, n_frames, bands) and labels (runs, batch) of some runs.

        Args:
            runs: Their numbers.
            batch: Their batches (runs, batch).
        """
        clips = batch.clips + self.first_clips[list(runs), None]
        starts = batch.starts.flatten()
        patches = cut(self.spectrograms, self.lengths, clips.flatten(), starts, self.n_frames)
        return patches.unflatten(0, clips.shape), self.labels[clips]
