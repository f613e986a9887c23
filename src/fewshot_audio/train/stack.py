"""Runs that train together: network after network, or all of them as one by torch.func."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.func import functional_call, stack_module_state, vmap
from torch.nn.utils import clip_grad_norm_
from torch.nn.utils.rnn import pad_sequence

from fewshot_audio.train.method import Batch, Method, Randomness, TrainingSet
from fewshot_audio.train.network import Network, cut

COPIES = 3  # of a run's weights: their own, its network's, the gradients
WORKSPACE = 2  # bytes that an update needs for each that its forward pass keeps


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
    def parameter_groups(self) -> list[dict]:
        """All parameters for plain SGD."""

    @abstractmethod
    def losses(self, update: Update) -> Tensor:
        """The loss of each of the update's runs (runs,)."""

    @abstractmethod
    def clip(self) -> None:
        """Scale the gradients of each run down to the norm that its method allows."""

    @abstractmethod
    def release(self) -> None:
        """Leave the trained weights in the networks that were given."""


def stack_of(networks: Sequence[Network], methods: Sequence[Method]) -> Stack:
    """Networks of one kind, on one device, and their methods to what trains them together."""
    vectorised = len(networks) > 1 and networks[0].frontend.pointwise
    return (Vectorised if vectorised else OneByOne)(networks, methods)


class OneByOne(Stack):
    """Each network by itself: one run, or several whose frontend needs whole clips."""

    def __init__(self, networks: Sequence[Network], methods: Sequence[Method]):
        super().__init__()
        self.networks, self.methods = nn.ModuleList(networks), methods
        self.data = [method.data.to(network.device) for network, method in zip(networks, methods, strict=True)]

    def parameter_groups(self) -> list[dict]:
        pairs = zip(self.networks, self.methods, strict=True)
        return [group for network, method in pairs for group in network.parameter_groups(method.learning_rate)]

    def losses(self, update: Update) -> Tensor:
        return torch.stack([self._loss(run, update.batch.of(place)) for place, run in enumerate(update.runs)])

    def _loss(self, run: int, batch: Batch) -> Tensor:
        data = self.data[run]
        return self.methods[run].loss(self.networks[run], data.patches(batch), data.labels[batch.clips], batch.noise)

    def clip(self) -> None:
        for network, method in zip(self.networks, self.methods, strict=True):
            clip_grad_norm_(network.parameters(), method.clip_norm)

    def release(self) -> None:
        pass


class Vectorised(Stack):
    """One network whose parameters and buffers hold those of all, (runs, ...) each, under torch.vmap.

    `networks` are views of it. All clips lie in one array, from which the patches of all runs are cut at once. A run that is not
    in an update keeps its statistics, and its weights, because plain SGD leaves alone what has no gradient.
    """

    def __init__(self, networks: Sequence[Network], methods: Sequence[Method]):
        super().__init__()
        self.given, self.methods = tuple(networks), methods
        self.all = _stacked(networks)
        self.networks = tuple(_view(self.all, network, run) for run, network in enumerate(networks))
        self.together = _joined([method.data for method in methods]).to(networks[0].device)
        counts = [len(method.data.labels) for method in methods]
        parts = (each.split(counts) for each in (self.together.inputs[0], self.together.lengths, self.together.labels))
        self.data = [TrainingSet((maps,), lengths, labels) for maps, lengths, labels in zip(*parts, strict=True)]
        self.before = torch.tensor([0, *counts[:-1]]).cumsum(0).to(networks[0].device)  # clips of the runs before

    def parameter_groups(self) -> list[dict]:
        return self.all.parameter_groups(self.methods[0].learning_rate)

    def losses(self, update: Update) -> Tensor:
        runs, (clips, starts, noise) = torch.tensor(update.runs, device=self.before.device), update.batch
        clips = clips + self.before[runs, None]
        patches = cut(self.together.inputs[0], self.together.lengths, clips.flatten(), starts.flatten()).unflatten(0, clips.shape)
        parameters, buffers = dict(self.all.named_parameters()), dict(self.all.named_buffers())
        everyone = len(runs) == len(self.data)
        mine = buffers if everyone else {name: each[runs] for name, each in buffers.items()}
        weights = parameters if everyone else {name: each[runs] for name, each in parameters.items()}
        losses = vmap(self._loss)(weights, mine, patches, self.together.labels[clips], noise)
        if not everyone:
            for name, each in buffers.items():
                each[runs] = mine[name]
        return losses

    def _loss(
        self, parameters: Mapping[str, Tensor], buffers: Mapping[str, Tensor], patches: Tensor, labels: Tensor, noise: tuple
    ) -> Tensor:
        """One run's loss, as vmap sees it: each tensor without the dimension of runs."""
        tensors = {f"network.{name}": each for name, each in {**parameters, **buffers}.items()}
        return functional_call(_Loss(self.all, self.methods[0]), tensors, (patches, labels, noise))

    def clip(self) -> None:
        gradients = [each.grad for each in self.all.parameters() if each.grad is not None]
        norms = torch.stack([each.reshape(len(each), -1).norm(dim=1) for each in gradients]).norm(dim=0)
        factors = (self.methods[0].clip_norm / (norms + 1e-6)).clamp(max=1)  # the formula of clip_grad_norm_
        for each in gradients:
            each.mul_(factors.view(-1, *[1] * (each.dim() - 1)))

    def release(self) -> None:
        for network, view in zip(self.given, self.networks, strict=True):
            network.load_state_dict(view.state_dict())


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
    parameters, buffers = stack_module_state(list(networks))
    for name, tensor in (parameters | buffers).items():
        module, _, leaf = name.rpartition(".")
        fresh = nn.Parameter(tensor.detach(), tensor.requires_grad) if name in parameters else tensor
        setattr(found.get_submodule(module), leaf, fresh)
    return found


def _view(stacked: Network, network: Network, run: int) -> Network:
    """A network that looks into one run's part of a stacked one: it follows each step without a copy."""
    found = deepcopy(network)
    for tensors in ("named_parameters", "named_buffers"):
        for (_, mine), (_, theirs) in zip(getattr(found, tensors)(), getattr(stacked, tensors)(), strict=True):
            mine.data = theirs.data[run]
    return found


def _joined(sets: Sequence[TrainingSet]) -> TrainingSet:
    """Training sets of maps as one, padded to the longest."""
    maps = pad_sequence([each for part in sets for each in part.inputs[0]], batch_first=True)
    return TrainingSet((maps,), torch.cat([part.lengths for part in sets]), torch.cat([part.labels for part in sets]))


def bytes_of_run(network: Network, method: Method) -> int:
    """What one more run of a stack takes on a network's device: its data, its weights, and what an update keeps for its
    backward pass, found by one forward pass on random numbers of no run."""
    spare, trial = replace(method, randomness=Randomness.named("memory")), deepcopy(network).train()
    data = method.data.to(network.device)
    batch = next(spare.epoch(network.classifier.noise_sizes)).to(network.device)
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with saved_tensors_hooks(keep, lambda tensor: tensor):
        loss = spare.loss(trial, data.patches(batch), data.labels[batch.clips], batch.noise)
    del loss
    weights = sum(each.nbytes for each in trial.parameters())
    return sum(each.nbytes for each in data.inputs) + COPIES * weights + WORKSPACE * sum(kept.values())
