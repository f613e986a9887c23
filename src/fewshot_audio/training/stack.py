"""Runs that train together: one network by itself, or all of them as one by torch.func."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from itertools import chain
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap
from torch.nn.utils import clip_grad_norm_

from fewshot_audio.training.batchnorm import batch_norms
from fewshot_audio.training.joined_sets import JoinedSets
from fewshot_audio.training.methods.base import Batch, Method, TrainingSet
from fewshot_audio.training.network import Network, Patches


class Update(NamedTuple):
    """The next update of some runs of a stack, whose batches have one size.

    Args:
        runs: Their numbers.
        batch: Their batches (runs, batch, ...).
    """

    runs: tuple[int, ...]
    batch: Batch

    def to(self, device: torch.device) -> "Update":
        """Return the same on a device."""
        return Update(self.runs, self.batch.to(device))


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
        (network,), (method,) = networks, methods
        self.network = network
        self.networks, self.methods = (network,), methods
        self.data = [method.data.to(network.device)]

    def losses(self, update: Update) -> Tensor:
        """Return the loss (1,)."""
        batch, data = update.batch.of(0), self.data[0]
        patches, labels = data.patches(batch), data.labels[batch.clips]
        return self.methods[0].loss(self.network, patches, labels, batch.noise)[None]

    def gradients(self, max_norm: float | None) -> None:
        """Clip the gradients."""
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
        self.joined = JoinedSets(sets) if networks[0].frontend.pointwise else None
        self.data = self.joined.sets if self.joined else sets

    def losses(self, update: Update) -> Tensor:
        """Return the losses; a run that is not in the update keeps its batch norms' statistics."""
        if self.joined is None:
            patches, labels = self._patches(update)
        else:
            patches, labels = self.joined.patches(update.runs, update.batch)
        parameters, buffers = dict(self.all.named_parameters()), dict(self.all.named_buffers())
        if len(update.runs) == len(self.data):
            return vmap(self._loss)(parameters, buffers, patches, labels, update.batch.noise)
        runs = torch.tensor(update.runs, device=labels.device)
        some = {name: each[runs] for name, each in buffers.items()}
        weights = {name: each[runs] for name, each in parameters.items()}
        losses = vmap(self._loss)(weights, some, patches, labels, update.batch.noise)
        for name, each in buffers.items():
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
        """Copy each network's weights."""
        for network in self.networks:
            for tensor in _tensors(network):
                tensor.data = tensor.data.clone()

    def _patches(self, update: Update) -> tuple[Tensor, Tensor]:
        """Return patches of spectrograms (runs, batch, n_frames, bands) and labels (runs, batch).

        Each run's frontends see whole clips, run by run.
        """
        weights = {
            f"network.{name}": each.unbind()
            for name, each in self.all.named_parameters()
            if not name.startswith("classifier.")
        }
        patches, labels = [], []
        for place, run in enumerate(update.runs):
            batch, data = update.batch.of(place), self.data[run]
            own = {name: each[run] for name, each in weights.items()}
            inputs = data.patches(batch), self.methods[run].supports
            patches.append(functional_call(_Frontends(self.networks[run]), own, inputs))
            labels.append(data.labels[batch.clips])
        return torch.stack(patches), torch.stack(labels)

    def _loss(
        self,
        parameters: Mapping[str, Tensor],
        buffers: Mapping[str, Tensor],
        patches: Tensor,
        labels: Tensor,
        noise: tuple[Tensor, ...],
    ) -> Tensor:
        """Return one run's loss, as vmap sees it: each tensor without the dimension of runs."""
        tensors = {f"network.{name}": each for name, each in {**parameters, **buffers}.items()}
        return functional_call(_Loss(self.all, self.methods[0]), tensors, (patches, labels, noise))


class _Frontends(nn.Module):
    """A network's frontends as a module, so that functional_call can lend them other weights."""

    def __init__(self, network: Network):
        super().__init__()
        self.network = network

    def forward(self, patches: Patches, supports: int) -> Tensor:
        queries = patches[supports:].through(self.network.frontend)
        if supports == 0:
            return queries
        support = patches[:supports].through(self.network.frontends()[-1])
        return torch.cat([support, queries])


class _Loss(nn.Module):
    """A method's loss as a module, so that functional_call can lend it other weights."""

    def __init__(self, network: Network, method: Method):
        super().__init__()
        self.network, self.method = network, method

    def forward(self, patches: Tensor, labels: Tensor, noise: tuple[Tensor, ...]) -> Tensor:
        return self.method.loss(self.network, patches, labels, noise)


def stacked(networks: Sequence[Network]) -> Network:
    """Return a network like each of these, whose parameters and buffers are theirs, (runs, ...)."""
    joint = deepcopy(networks[0])
    without_cudnn = torch.backends.cudnn.flags(enabled=False)
    for norm in batch_norms(joint):  # cuDNN's wants layouts that vmap does not give it
        norm.forward = without_cudnn(norm.forward)  # type: ignore[method-assign]
    parameters, buffers = stack_module_state(list(networks))
    for name, tensor in parameters.items():
        parameter = nn.Parameter(tensor.detach(), requires_grad=tensor.requires_grad)
        _set(joint, name, parameter)
    for name, tensor in buffers.items():
        _set(joint, name, tensor)
    return joint


def _set(network: Network, name: str, tensor: Tensor) -> None:
    module, _, leaf = name.rpartition(".")
    setattr(network.get_submodule(module), leaf, tensor)


def _tensors(network: Network) -> Iterator[Tensor]:
    """Yield all parameters and buffers, in one order for all networks of a kind."""
    return chain(network.parameters(), network.buffers())
