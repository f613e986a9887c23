"""From the features of clips to their scores."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn

from fewshot_audio.models.base import Classifier
from fewshot_audio.training.clips import ClipBatches
from fewshot_audio.training.methods.base import Method, TrainingSet
from fewshot_audio.training.network import Network
from fewshot_audio.training.randomness import own_randomness


def clip_batches(network: Network, rows: Sequence[np.ndarray]) -> ClipBatches:
    """Return features of clips, of any lengths, as batches where a network is."""
    frontend = network.frontend
    return ClipBatches(rows, int if frontend.pointwise else frontend.frames, network.device)


@torch.inference_mode()
def dense_inputs(network: Network, clips: ClipBatches) -> ClipBatches:
    """Return clips as they are, or their spectrograms where the frontend needs whole clips.

    The network is in evaluation mode afterwards if it computes.
    """
    if network.frontend.pointwise:
        return clips
    return clips.converted(network.eval().frontend.spectrogram)


@torch.inference_mode()
def score_clips(network: Network, method: Method, data: TrainingSet, inputs: ClipBatches) -> Tensor:
    """Score clips by all their patches, where the network is.

    Args:
        network: The trained network; in evaluation mode afterwards.
        method: How it was trained.
        data: The clips that it was trained on, on the network's device.
        inputs: What `dense_inputs` returned.

    Returns:
        Scores (clips, n_classes) on the CPU: the mean of each clip's patches.
    """
    with own_randomness(method.generators, network.eval().device):
        return score_inputs(network, method, method.scoring_state(network, data), inputs)


@torch.inference_mode()
def score_inputs(
    network: Network, method: Method, state: Mapping[str, Tensor], inputs: ClipBatches
) -> Tensor:
    """Do the same with what `method.scoring_state` returned, in place of the training clips."""
    device, scorer = network.eval().device, method.scorer(state)

    def scores(batch: Tensor) -> Tensor:
        with torch.autocast(device.type, torch.bfloat16, enabled=method.score_in_bfloat16):
            outputs = network.forward_dense(batch, method.test_hop)
        return scorer(outputs.float()).mean(1)

    return inputs.map(scores)


@torch.inference_mode()
def embed_clips(network: Network, method: Method, inputs: ClipBatches) -> np.ndarray:
    """Return an embedding of each clip, float32 (clips, size), the mean over its patches.

    It is what the classifier's last dense layer takes; where there is none, or outputs are
    embeddings, the outputs.
    """
    with embedding(network.eval().classifier) as embedded:

        def embeddings(batch: Tensor) -> Tensor:
            return embedded(lambda: network.forward_dense(batch, method.test_hop)).mean(1)

        return inputs.map(embeddings).numpy()


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
