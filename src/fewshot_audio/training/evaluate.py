"""From the features of clips to their scores."""

from collections.abc import Callable, Sequence
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
    frontend = network.frontend
    if frontend.pointwise:
        return rows
    network.eval()
    of_clips = _clip_by_clip(rows, frontend.frames, network.device, frontend.spectrogram)
    return [spectrogram.numpy() for spectrogram in of_clips]


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
    device = network.eval().device
    with own_randomness(method.generators, device):
        scorer = method.scorer(network, data)

        def scores(batch: Tensor) -> Tensor:
            with torch.autocast(device.type, torch.bfloat16, enabled=method.score_in_bfloat16):
                outputs = network.forward_dense(batch, method.test_hop)
            return scorer(outputs.float()).mean(1)

        return torch.stack(_clip_by_clip(inputs, int, device, scores))


def _clip_by_clip(
    rows: Sequence[np.ndarray],
    frames: Callable[[int], int],
    device: torch.device,
    function: Callable[[Tensor], Tensor],
) -> list[Tensor]:
    """Return what a function makes of each clip, on the CPU, some of one length at a time."""
    at_once = FRAMES_AT_ONCE.get(device.type, FRAMES_AT_ONCE_ELSEWHERE)
    results: dict[int, Tensor] = {}
    by_length = sorted(range(len(rows)), key=lambda number: len(rows[number]))
    for length, group in groupby(by_length, key=lambda number: len(rows[number])):
        numbers = list(group)
        size = max(1, at_once // frames(length))
        for first in range(0, len(numbers), size):
            chunk = numbers[first : first + size]
            batch = torch.from_numpy(np.stack([rows[number] for number in chunk])).to(device)
            results |= zip(chunk, function(batch).cpu(), strict=True)
    return [results[number] for number in range(len(rows))]
