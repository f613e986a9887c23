"""From the features of clips to their scores."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import groupby

import numpy as np
import torch
from torch import Tensor, nn

from fewshot_audio.models.base import Classifier
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
    with own_randomness(method.generators, network.eval().device):
        return score_inputs(network, method, method.scoring_state(network, data), inputs)


@torch.inference_mode()
def score_inputs(
    network: Network, method: Method, state: Mapping[str, Tensor], inputs: Sequence[np.ndarray]
) -> Tensor:
    """Do the same with what `method.scoring_state` returned, in place of the training clips."""
    device, scorer = network.eval().device, method.scorer(state)

    def scores(batch: Tensor) -> Tensor:
        with torch.autocast(device.type, torch.bfloat16, enabled=method.score_in_bfloat16):
            outputs = network.forward_dense(batch, method.test_hop)
        return scorer(outputs.float()).mean(1)

    return torch.stack(_clip_by_clip(inputs, int, device, scores))


@torch.inference_mode()
def embed_clips(network: Network, method: Method, inputs: Sequence[np.ndarray]) -> np.ndarray:
    """Return an embedding of each clip, float32 (clips, size), the mean over its patches.

    It is what the classifier's last dense layer takes; where there is none, or outputs are
    embeddings, the outputs.
    """
    with embedding(network.eval().classifier) as embedded:

        def embeddings(batch: Tensor) -> Tensor:
            return embedded(lambda: network.forward_dense(batch, method.test_hop)).mean(1)

        return torch.stack(_clip_by_clip(inputs, int, network.device, embeddings)).numpy()


@contextmanager
def embedding(classifier: Classifier) -> Iterator[Callable[[Callable[[], Tensor]], Tensor]]:
    """Yield a function that makes a call, and returns what the last dense layer took in it.

    Its shape is that of the call's outputs (..., size) but for the size. Where there is no such
    layer, or outputs are embeddings, it returns the outputs.
    """
    dense = [each for each in classifier.modules() if isinstance(each, nn.Linear)]
    seen: list[Tensor] = []

    def embedded(call: Callable[[], Tensor]) -> Tensor:
        seen.clear()
        outputs = call()
        rows = torch.cat([each.flatten(0, -2) for each in seen or [outputs]])
        return rows.view(*outputs.shape[:-1], -1)

    if not dense or classifier.embeds:
        yield embedded
        return
    hook = dense[-1].register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    try:
        yield embedded
    finally:
        hook.remove()


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
