"""Runs that train together: network after network, or all of them as one by torch.func."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from itertools import chain
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.func import functional_call, stack_module_state, vmap
from torch.nn.utils import clip_grad_norm_
from torch.nn.utils.rnn import pad_sequence

from fewshot_audio.training.methods.base import Batch, Generators, Method, TrainingSet
from fewshot_audio.training.network import Network, Patches, cut

COPIES = 3  # of a run's weights: their own, its network's, the gradients
WORKSPACE = 2.5  # bytes that an update needs for each that its forward pass keeps


class Update(NamedTuple):
    """The next update of some runs of a stack, whose batches have one size: their numbers, their batches (runs, batch, ...)."""

    runs: tuple[int, ...]
    batch: Batch

    def to(self, device: torch.device) -> "Update":
        """The same on a device."""
        return Update(self.runs, self.batch.to(device))


class Stack(nn.Module, ABC):
    """Networks on one device and the methods that train them, run by run; each run learns what it would learn alone."""

    networks: Sequence[Network]  # with the weights of now
    methods: Sequence[Method]
    data: Sequence[TrainingSet]  # on the device

    @abstractmethod
    def losses(self, update: Update) -> Tensor:
        """The loss of each of the update's runs (runs,)."""

    @abstractmethod
    def gradients(self, max_norm: float | None) -> None:
        """Give each run's gradients to its network, scaled down to a norm of at most `max_norm`."""

    @abstractmethod
    def release(self) -> None:
        """Leave the networks with weights of their own, once they are trained."""


def make_stack(networks: Sequence[Network], methods: Sequence[Method]) -> Stack:
    """Networks of one kind, on one device, and their methods to what trains them together."""
    return (StackedRuns if len(networks) > 1 else SingleRun)(networks, methods)


class SingleRun(Stack):
    """One network by itself."""

    def __init__(self, networks: Sequence[Network], methods: Sequence[Method]):
        super().__init__()
        (network,), (method,) = networks, methods
        self.networks, self.methods, self.data = (
            nn.ModuleList([network]),
            methods,
            [method.data.to(network.device)],
        )

    def losses(self, update: Update) -> Tensor:
        batch, (data,) = update.batch.of(0), self.data
        return self.methods[0].loss(
            self.networks[0], data.patches(batch), data.labels[batch.clips], batch.noise
        )[None]

    def gradients(self, max_norm: float | None) -> None:
        if max_norm is not None:
            clip_grad_norm_(self.networks.parameters(), max_norm)

    def release(self) -> None:
        pass


class StackedRuns(Stack):
    """One network whose parameters and buffers hold those of all, (runs, ...) each, under torch.vmap.

    Until `release` the networks look into it: a network's parameters are views of one run's slice. Each
    run has an optimizer of its own on these, so a run that is not in an update keeps its weights and its
    optimizer's state; it keeps its statistics too.
    """

    def __init__(self, networks: Sequence[Network], methods: Sequence[Method]):
        super().__init__()
        self.networks, self.methods = tuple(networks), methods
        self.all = _stacked(networks)
        for run, network in enumerate(networks):
            for mine, theirs in zip(_tensors(network), _tensors(self.all), strict=True):
                mine.data = theirs.data[run]
        sets = [method.data.to(networks[0].device) for method in methods]
        self.joined = Joined(sets) if networks[0].frontend.pointwise else None
        self.data = self.joined.sets if self.joined else sets

    def losses(self, update: Update) -> Tensor:
        patches, labels = self.joined.patches(update) if self.joined else self._mapped(update)
        runs = torch.tensor(update.runs, device=labels.device)
        parameters, buffers = dict(self.all.named_parameters()), dict(self.all.named_buffers())
        everyone = len(runs) == len(self.data)
        mine = buffers if everyone else {name: each[runs] for name, each in buffers.items()}
        weights = (
            parameters if everyone else {name: each[runs] for name, each in parameters.items()}
        )
        losses = vmap(self._loss)(weights, mine, patches, labels, update.batch.noise)
        if not everyone:
            for name, each in buffers.items():
                each[runs] = mine[name]
        return losses

    def _mapped(self, update: Update) -> tuple[Tensor, Tensor]:
        """Patches (runs, batch, 128, bands) of maps, whose frontends see whole clips run by run, and labels (runs, batch)."""
        named = self.all.named_parameters()
        weights = {
            f"network.{name}": each.unbind()
            for name, each in named
            if not name.startswith("classifier.")
        }
        patches, labels = [], []
        for place, run in enumerate(update.runs):
            batch, data = update.batch.of(place), self.data[run]
            mine = {name: each[run] for name, each in weights.items()}
            given = data.patches(batch), self.methods[run].supports
            patches.append(functional_call(_Maps(self.networks[run]), mine, given))
            labels.append(data.labels[batch.clips])
        return torch.stack(patches), torch.stack(labels)

    def _loss(
        self,
        parameters: Mapping[str, Tensor],
        buffers: Mapping[str, Tensor],
        patches: Tensor,
        labels: Tensor,
        noise: tuple,
    ) -> Tensor:
        """One run's loss, as vmap sees it: each tensor without the dimension of runs."""
        tensors = {f"network.{name}": each for name, each in {**parameters, **buffers}.items()}
        return functional_call(_Loss(self.all, self.methods[0]), tensors, (patches, labels, noise))

    def gradients(self, max_norm: float | None) -> None:
        every = [each for each in self.all.parameters() if each.grad is not None]
        if max_norm is not None:
            norms = [each.grad.reshape(len(each), -1).norm(dim=1) for each in every]
            norm = torch.stack(norms).norm(dim=0)
            factors = (max_norm / (norm + 1e-6)).clamp(max=1)  # as clip_grad_norm_
            for each in every:
                each.grad.mul_(factors.view(-1, *[1] * (each.dim() - 1)))
        for run, network in enumerate(self.networks):
            for mine, theirs in zip(network.parameters(), self.all.parameters(), strict=True):
                mine.grad = None if theirs.grad is None else theirs.grad[run]

    def release(self) -> None:
        for mine in (each for network in self.networks for each in _tensors(network)):
            mine.data = mine.data.clone()


class Joined:
    """Training sets of maps in one array, padded to the longest, from which the patches of several runs are cut at once."""

    def __init__(self, sets: Sequence[TrainingSet]):
        counts = [len(each.labels) for each in sets]
        self.maps = pad_sequence(
            [each for part in sets for each in part.inputs[0]], batch_first=True
        )
        self.lengths, self.labels = (
            torch.cat([each.lengths for each in sets]),
            torch.cat([each.labels for each in sets]),
        )
        self.before = (
            torch.tensor([0, *counts[:-1]]).cumsum(0).to(self.labels.device)
        )  # clips of the runs before
        parts = zip(
            *(each.split(counts) for each in (self.maps, self.lengths, self.labels)), strict=True
        )
        self.sets = [TrainingSet((maps,), lengths, labels) for maps, lengths, labels in parts]

    def patches(self, update: Update) -> tuple[Tensor, Tensor]:
        """An update's patches (runs, batch, 128, bands) and labels (runs, batch)."""
        clips = update.batch.clips + self.before[list(update.runs), None]
        found = cut(self.maps, self.lengths, clips.flatten(), update.batch.starts.flatten())
        return found.unflatten(0, clips.shape), self.labels[clips]


class _Maps(nn.Module):
    """A network's frontends as a module, so that functional_call can lend them other weights."""

    def __init__(self, network: Network):
        super().__init__()
        self.network = network

    def forward(self, patches: Patches, supports: int) -> Tensor:
        parts = (
            (patches[:supports], self.network.frontends()[-1]),
            (patches[supports:], self.network.frontend),
        )
        return torch.cat([part.through(frontend) for part, frontend in parts if len(part.clips)])


class _Loss(nn.Module):
    """A method's loss as a module, so that functional_call can lend it other weights."""

    def __init__(self, network: Network, method: Method):
        super().__init__()
        self.network, self.method = network, method

    def forward(self, patches: Tensor, labels: Tensor, noise: tuple[Tensor, ...]) -> Tensor:
        return self.method.loss(self.network, patches, labels, noise)


def _stacked(networks: Sequence[Network]) -> Network:
    """A network like each of these, whose tensors are theirs, (runs, ...)."""
    found = deepcopy(networks[0])
    for norm in (module for module in found.modules() if isinstance(module, nn.BatchNorm2d)):
        norm.forward = torch.backends.cudnn.flags(enabled=False)(
            norm.forward
        )  # cuDNN's wants layouts that vmap does not give it
    parameters, buffers = stack_module_state(list(networks))
    for name, tensor in (parameters | buffers).items():
        module, _, leaf = name.rpartition(".")
        fresh = (
            nn.Parameter(tensor.detach(), tensor.requires_grad) if name in parameters else tensor
        )
        setattr(found.get_submodule(module), leaf, fresh)
    return found


def _tensors(network: Network) -> Iterator[Tensor]:
    """All parameters and buffers, in one order for all networks of a kind."""
    return chain(network.parameters(), network.buffers())


def bytes_of_run(network: Network, method: Method) -> int:
    """What one more run of a stack takes on a network's device: its data, its weights, and what an update keeps for its
    backward pass, found by one forward pass on random numbers of no run."""
    spare, trial = replace(method, generators=Generators.named("memory")), deepcopy(network).train()
    data = method.data.to(network.device)
    batch = next(spare.batches(network.classifier.dropout_sizes)).to(network.device)
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with saved_tensors_hooks(keep, lambda tensor: tensor):
        loss = spare.loss(trial, data.patches(batch), data.labels[batch.clips], batch.noise)
    del loss
    weights = sum(each.nbytes for each in trial.parameters())
    return (
        sum(each.nbytes for each in data.inputs)
        + COPIES * weights
        + round(WORKSPACE * sum(kept.values()))
    )
