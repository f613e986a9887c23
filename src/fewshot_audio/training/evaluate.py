"""From the features of clips to their scores."""

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby

import numpy as np
import torch
from torch import Tensor

from fewshot_audio.training.methods.base import Method, TrainingSet
from fewshot_audio.training.network import Network
from fewshot_audio.training.randomness import own_randomness

FRAMES_AT_ONCE = {"cpu": 700}  # a few clips: what stays in a processor's cache
FRAMES_AT_ONCE_ELSEWHERE = 40_000


@torch.inference_mode()
def dense_inputs(network: Network, rows: Sequence[np.ndarray]) -> Sequence[np.ndarray]:
    """Return the features of clips, or their spectrograms where the frontend needs whole clips.

    The network is in evaluation mode afterwards if it computes.
    """
    if network.frontend.pointwise:
        return rows
    network.eval()
    spectrograms: list[np.ndarray] = [np.empty(0)] * len(rows)
    for numbers, batch in _batches(rows, network.frontend.frames, network.device):
        outputs = network.dense_inputs(batch).cpu().numpy()
        for number, spectrogram in zip(numbers, outputs, strict=True):
            spectrograms[number] = spectrogram
    return spectrograms


@torch.inference_mode()
def score_clips(
    network: Network, method: Method, data: TrainingSet, inputs: Sequence[np.ndarray]
) -> Tensor:
    """Score clips by all their patches, where the network is.

    Args:
        network: The trained network; in evaluation mode afterwards.
        method: How it was trained.
        data: The clips that it was trained on, on the network's device.
        inputs: What `dense_inputs` returned of clips, of any lengths (frames, bands).

    Returns:
        Scores (clips, n_classes) on the CPU: the mean of each clip's patches.
    """
    network.eval()
    device = network.device
    scores: list[Tensor] = [torch.empty(0)] * len(inputs)
    with own_randomness(method.generators, device):
        scorer = method.scorer(network, data)
        for numbers, batch in _batches(inputs, int, device):
            with torch.autocast(device.type, torch.bfloat16, enabled=method.score_in_bfloat16):
                outputs = network.forward_dense(batch, method.test_hop)
            for number, each in zip(numbers, scorer(outputs.float()).mean(1).cpu(), strict=True):
                scores[number] = each
    return torch.stack(scores)


def _batches(
    rows: Sequence[np.ndarray], frames: Callable[[int], int], device: torch.device
) -> Iterator[tuple[list[int], Tensor]]:
    """Yield clips of one length at a time, in order of length: their numbers and their rows."""
    at_once = FRAMES_AT_ONCE.get(device.type, FRAMES_AT_ONCE_ELSEWHERE)
    lengths = [len(each) for each in rows]
    by_length = sorted(range(len(rows)), key=lengths.__getitem__)
    for length, group in groupby(by_length, key=lengths.__getitem__):
        numbers = list(group)
        size = max(1, at_once // frames(length))
        for first in range(0, len(numbers), size):
            chunk = numbers[first : first + size]
            yield chunk, torch.from_numpy(np.stack([rows[number] for number in chunk])).to(device)
