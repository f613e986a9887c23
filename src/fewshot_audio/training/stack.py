"""Runs that train together: one network by itself, or all of them as one by torch.func."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from functools import partial
from itertools import chain
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap
from torch.nn.utils import clip_grad_norm_

from fewshot_audio.training.batchnorm import batch_norms
from fewshot_audio.training.joined import JoinedSets
from fewshot_audio.training.methods.base import Batch, Method, TrainingSet
from fewshot_audio.training.network import Network, Patches, cut


class Update(NamedTuple):
    """The next update of some runs of a stack, whose batches have one size."""

    runs: tuple[int, ...]  # their numbers
    batch: Batch  # (runs, batch, ...)


class Stack(nn.Module, ABC):
    """Networks on one device and the methods that train them; each run learns as if alone.

    Attributes:
        networks: The networks, with the weights of now.
        methods: How each of them is trained.
        data: The clips that each is trained on, on the device.
    """

    networks: Sequence[Network]
    methods: Sequence[Method]
    data: Sequence[TrainingSet]

    @abstractmethod
    def losses(self, update: Update) -> Tensor:
        """Return the loss of each of the update's runs (runs,)."""

    @abstractmethod
    def gradients(self, max_norm: float | None) -> None:
        """Give each run's gradients to its network, scaled down to a norm of at most `max_norm`."""

    @abstractmethod
    def release(self) -> None:
        """Leave the networks with weights of their own, once they are trained."""


def make_stack(networks: Sequence[Network], methods: Sequence[Method]) -> Stack:
    """Return what trains networks of one kind, on one device, together."""
    return (StackedRuns if len(networks) > 1 else SingleRun)(networks, methods)


class SingleRun(Stack):
    """One network by itself."""

    def __init__(self, networks: Sequence[Network], methods: Sequence[Method]):
        super().__init__()
        (self.network,) = networks
        self.networks, self.methods = (self.network,), tuple(methods)
        self.data = [methods[0].data.to(self.network.device)]

    def losses(self, update: Update) -> Tensor:
        return self.methods[0].loss(self.network, *self.data[0].of(update.batch.of(0)))[None]

    def gradients(self, max_norm: float | None) -> None:
        if max_norm is not None:
            clip_grad_norm_(self.network.parameters(), max_norm)

    def release(self) -> None:
        """Do nothing: the weights are the network's own."""


class StackedRuns(Stack):
    """One network whose parameters and buffers hold those of all, (runs, ...), under torch.vmap.

    Until `release` the networks' parameters and buffers are views of one run's slice. Each run has
    an optimizer of its own on these, so a run that is not in an update keeps its weights and its
    optimizer's state; it keeps its statistics too.
    """

    def __init__(self, networks: Sequence[Network], methods: Sequence[Method]):
        super().__init__()
        self.networks, self.methods = tuple(networks), methods
        self.all = stacked(networks)
        for run, network in enumerate(networks):
            for own, shared in zip(_tensors(network), _tensors(self.all), strict=True):
                own.data = shared.data[run]
        sets = [method.data.to(networks[0].device) for method in methods]
        together = self.all.frontend.represent([network.frontend for network in networks])
        self.joined = JoinedSets(sets) if together else None
        self.data = self.joined.sets if self.joined else sets

    def losses(self, update: Update) -> Tensor:
        """Return the losses; a run that is not in the update keeps its batch norms' statistics."""
        buffers = dict(self.all.named_buffers())
        tensors = {**dict(self.all.named_parameters()), **buffers}
        every = len(update.runs) == len(self.data)
        runs = torch.tensor(update.runs, device=update.batch.clips.device)
        some = tensors if every else {name: each[runs] for name, each in tensors.items()}
        losses = vmap(self._loss)(some, *self._patches(some, update), update.batch.noise)
        for name, each in buffers.items():
            if not every:
                each[runs] = some[name]
        return losses

    def gradients(self, max_norm: float | None) -> None:
        """Clip each run's gradients by their own norm."""
        gradients = [each.grad for each in self.all.parameters() if each.grad is not None]
        if max_norm is not None:
            norms = [each.reshape(len(each), -1).norm(dim=1) for each in gradients]
            norm = torch.stack(norms).norm(dim=0)
            factors = (max_norm / (norm + 1e-6)).clamp(max=1)  # as clip_grad_norm_
            for each in gradients:
                each.mul_(factors.view(-1, *[1] * (each.dim() - 1)))
        for run, network in enumerate(self.networks):
            for own, shared in zip(network.parameters(), self.all.parameters(), strict=True):
                own.grad = None if shared.grad is None else shared.grad[run]

    def release(self) -> None:
        for network in self.networks:
            for tensor in _tensors(network):
                tensor.data = tensor.data.clone()

    def _patches(self, tensors: dict[str, Tensor], update: Update) -> tuple[Tensor, Tensor]:
        """Return patches (runs, batch, n_frames, columns) and labels (runs, batch).

        Of features where the frontend is pointwise, else of spectrograms.
        """
        if self.joined is not None:
            labels = self.joined.labels_of(update.runs, update.batch)
            if self.all.frontend.pointwise:
                return self.joined.patches(update.runs, update.batch), labels
            patches = self._of_clips(self.joined, tensors, update)
            if patches is not None:
                return patches, labels
        return self._run_by_run(tensors, update)

    def _of_clips(
        self, joined: JoinedSets, tensors: dict[str, Tensor], update: Update
    ) -> Tensor | None:
        """Return patches of whole clips' spectrograms; None where runs differ in their number."""
        supports, given, patches = self.methods[0].supports, [], []
        for which, part in ((-1, slice(supports)), (0, slice(supports, None))):
            batch = Batch(update.batch.clips[:, part], update.batch.starts[:, part], ())
            if batch.clips.shape[1] > 0:
                frontend = self.all.frontends()[which]
                clips = joined.clips(update.runs, batch, frontend)
                if clips is None:
                    return None
                given.append((which, clips))
        for which, clips in given:
            frontends = [self.networks[run].frontends()[which] for run in update.runs]
            self.all.frontends()[which].represent(frontends)
            function = partial(_cut, which=which, n_frames=joined.n_frames)
            patches.append(vmap(partial(with_weights, function, self.all))(tensors, *clips))
        return torch.cat(patches, 1)

    def _run_by_run(self, tensors: dict[str, Tensor], update: Update) -> tuple[Tensor, Tensor]:
        """Return patches of spectrograms and labels, of frontends that vmap cannot compute."""
        weights = {
            name: each.unbind()
            for name, each in tensors.items()
            if not name.startswith("classifier.")
        }
        patches, labels = [], []
        for place, run in enumerate(update.runs):
            own = {name: each[place] for name, each in weights.items()}
            uncut, of_batch, _ = self.data[run].of(update.batch.of(place))
            inputs = uncut, self.methods[run].supports
            patches.append(with_weights(_spectrograms, self.networks[run], own, *inputs))
            labels.append(of_batch)
        return torch.stack(patches), torch.stack(labels)

    def _loss(self, tensors: dict[str, Tensor], *inputs: Any) -> Tensor:
        """Return one run's loss, as vmap sees it: each tensor without the dimension of runs."""
        return with_weights(self.methods[0].loss, self.all, tensors, *inputs)


def _spectrograms(network: Network, patches: Patches, supports: int) -> Tensor:
    """Return patches of spectrograms, the first ones of a support's."""
    queries = patches[supports:].through(network.frontend)
    if supports == 0:
        return queries
    return torch.cat([patches[:supports].through(network.frontends()[-1]), queries])


def _cut(
    network: Network,
    inputs: tuple[Tensor, ...],
    lengths: Tensor,
    numbers: Tensor,
    starts: Tensor,
    *,
    which: int,
    n_frames: int,
) -> Tensor:
    """Return patches of the spectrograms that one of the frontends computes."""
    return cut(network.frontends()[which].compute(*inputs), lengths, numbers, starts, n_frames)


def with_weights(
    function: Callable[..., Tensor], network: Network, tensors: dict[str, Tensor], *inputs: Any
) -> Tensor:
    """Return a function of a network that has other parameters and buffers for that long."""
    lent = {f"network.{name}": each for name, each in tensors.items()}
    return functional_call(_Function(function, network), lent, inputs)


class _Function(nn.Module):
    """A function of a network as a module, as functional_call takes it."""

    def __init__(self, function: Callable[..., Tensor], network: Network):
        super().__init__()
        self.function, self.network = function, network

    def forward(self, *inputs: Any) -> Tensor:
        return self.function(self.network, *inputs)


def stacked(networks: Sequence[Network]) -> Network:
    """Return a network like each of these, whose parameters and buffers are theirs, (runs, ...)."""
    joint = deepcopy(networks[0])
    without_cudnn = torch.backends.cudnn.flags(enabled=False)
    for norm in batch_norms(joint):  # cuDNN's wants layouts that vmap does not give it
        norm.forward = without_cudnn(norm.forward)  # type: ignore[method-assign]
    parameters, buffers = stack_module_state(list(networks))
    for name, tensor in chain(parameters.items(), buffers.items()):
        module, _, leaf = name.rpartition(".")
        if name in parameters:
            tensor = nn.Parameter(tensor.detach(), requires_grad=tensor.requires_grad)
        setattr(joint.get_submodule(module), leaf, tensor)
    return joint


def _tensors(network: Network) -> Iterator[Tensor]:
    """Yield all parameters and buffers, in one order for all networks of a kind."""
    return chain(network.parameters(), network.buffers())
