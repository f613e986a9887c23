"""Which runs can train as a stack, and how many."""

import gc
import logging
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks
from torch.func import functional_call, vmap

from fewshot_audio.training.methods.base import Batch, Method, TrainingSet
from fewshot_audio.training.network import Network
from fewshot_audio.training.randomness import Generators, generator_states, isolated
from fewshot_audio.training.stack import stacked, with_weights

log = logging.getLogger(__name__)
COPIES = 3  # of a run's weights: their own, its network's, the gradients
WORKSPACE = 2.5  # bytes that an update needs for each that its forward pass keeps
FREE_SHARE = 0.8  # of a GPU's free memory that a stack may take
PROBE = 3  # patches, or clips
ROUNDING = 1e-6  # of numbers about 1: a batch norm may see a mean of zero but for this


def why_not_stacked(networks: Sequence[Network], n_bands: int, data: TrainingSet) -> str | None:
    """Return why networks of one kind cannot train as a stack exactly; None where they can.

    The first two, untrained and on the CPU, are tried in training mode on random patches, alone and
    under torch.func.vmap: they must draw no random numbers of their own, and outputs and statistics
    must be the same. A frontend that needs whole clips is tried on the first clips of `data`, under
    torch.func.vmap where a stack calls it so. They stay as they are.
    """
    names = dict(networks[0].named_parameters(remove_duplicate=False))
    if len(names) > len(list(networks[0].parameters())):
        return "it uses one weight in several places"
    random = torch.Generator().manual_seed(0)
    classifier = networks[0].classifier
    patches = torch.rand(2, PROBE, classifier.n_frames, n_bands, generator=random)
    noise = tuple(torch.rand(2, PROBE, n, generator=random) for n in classifier.dropout_sizes)
    with torch.no_grad(), isolated(0):
        alone = [deepcopy(network).train() for network in networks[:2]]
        before = generator_states()
        outputs = [
            network(patches[run], tuple(each[run] for each in noise))
            for run, network in enumerate(alone)
        ]
        if not networks[0].frontend.pointwise:
            clips = torch.arange(min(PROBE, len(data.labels)))
            data.patches(Batch(clips, torch.zeros_like(clips), ())).through(alone[0].frontend)
        if before != generator_states():
            return "it draws random numbers while it trains"
        return _difference_of_stack(networks[:2], alone, data, torch.stack(outputs), patches, noise)


def _difference_of_stack(
    networks: Sequence[Network],
    alone: Sequence[Network],
    data: TrainingSet,
    expected: Tensor,
    *inputs: Any,
) -> str | None:
    """Return in what a stack differs from networks that have seen the inputs alone."""
    try:
        joint = stacked([deepcopy(network).train() for network in networks])
        tensors = {**dict(joint.named_parameters()), **dict(joint.named_buffers())}
        frontends = [network.frontend for network in networks]
        if not joint.frontend.pointwise and joint.frontend.represent(frontends):
            clips = (torch.stack([each[:PROBE]] * len(networks)) for each in data.inputs)
            lent = {name: each.clone() for name, each in tensors.items()}
            vmap(partial(with_weights, _spectrograms, joint))(lent, *clips)
        outputs = vmap(lambda weights, *own: functional_call(joint, weights, own))(tensors, *inputs)
    except Exception as error:  # of any kind: a user's module may raise anything under vmap
        log.debug("stacks do not form", exc_info=error)
        reason = (str(error).splitlines() or [""])[0]
        return f"torch.func.vmap cannot run it ({type(error).__name__}: {reason})"
    for name, buffer in alone[1].named_buffers():
        if not _close(tensors[name][1], buffer):
            return f"its {name} is another one under torch.func.vmap"
    return None if _close(outputs, expected) else "its outputs are others under torch.func.vmap"


def _spectrograms(network: Network, *inputs: Tensor) -> Tensor:
    return network.frontend.compute(*inputs)


def _close(ours: Tensor, expected: Tensor) -> bool:
    """Return whether tensors are equal up to the rounding of float32."""
    tolerance = ROUNDING + 1e-3 * expected.abs().max().item() if expected.numel() else 0
    return torch.allclose(ours.double(), expected.double(), atol=tolerance, equal_nan=True)


def runs_that_fit(network: Network, method: Method) -> int:
    """Return how many runs like this one the free memory of the GPU takes."""
    try:
        run_bytes = bytes_of_run(network.to("cuda"), method)
    except torch.OutOfMemoryError:
        return 1
    gc.collect()
    torch.cuda.empty_cache()  # what earlier stacks held
    free, _ = torch.cuda.mem_get_info()
    return max(1, int(FREE_SHARE * free) // run_bytes)


def bytes_of_run(network: Network, method: Method) -> int:
    """Return what one more run of a stack takes on a network's device.

    It is the run's data, its weights, and what an update keeps for its backward pass, which one
    forward pass on random numbers of no run shows.
    """
    spare = replace(method, generators=Generators.named("memory"))
    trial = deepcopy(network).train()
    data = method.data.to(network.device)
    batch = next(spare.batches(network.classifier.dropout_sizes)).to(network.device)
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with saved_tensors_hooks(keep, lambda tensor: tensor), isolated(0, network.device):
        spare.loss(trial, *data.of(batch))
    weights = sum(each.nbytes for each in trial.parameters())
    inputs = sum(each.nbytes for each in data.inputs)
    return inputs + COPIES * weights + round(WORKSPACE * sum(kept.values()))
