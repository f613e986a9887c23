"""One Lightning fit, of one run or of a stack of them."""

import signal
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from itertools import zip_longest
from math import isfinite
from typing import Any

import numpy as np
import pytorch_lightning as lightning
import torch
from torch import Tensor

from fewshot_audio import processes as process
from fewshot_audio.frontends.base import Frontend
from fewshot_audio.training.methods.base import Batch, Method, TrainingSet
from fewshot_audio.training.network import Network
from fewshot_audio.training.optimizers import make_optimizer, make_scheduler
from fewshot_audio.training.stack import Stack, Update, make_stack
from fewshot_audio.types import OptimizerSettings

PATH_POINTS = 25  # of the path that a result keeps
CALIBRATED_EVERY = 5  # epochs


@dataclass(frozen=True)
class TrainingHistory:
    """How a training went: its length, why it ended, and the frontend's learned scalars before and after some epochs."""

    epochs: int
    updates: int
    stop_reason: str
    history: dict[
        str, list[float | None]
    ]  # "epoch" (0 is the start) and each scalar; empty where nothing is learned


@dataclass
class Progress:
    """How far one run of a stack is: updates, the frontend's scalars at the start and after each epoch, why it ended."""

    updates: int
    learned: list[dict[str, float]]
    stop_reason: str | None

    def course(self) -> TrainingHistory:
        """What is kept of it."""
        epochs = len(self.learned) - 1
        return TrainingHistory(
            epochs,
            self.updates,
            self.stop_reason or f"{epochs} epochs, the number set",
            thinned(self.learned),
        )


def fit(
    networks: Sequence[Network],
    methods: Sequence[Method],
    optimizer: OptimizerSettings,
    accelerator: str,
) -> list[TrainingHistory]:
    """Train networks of one job and n in place, each as if alone, from new weights; how each went.

    KeyboardInterrupt on Ctrl-C.
    """
    trainer = lightning.Trainer(
        max_epochs=methods[0].max_epochs or -1, accelerator=accelerator, devices=1, barebones=True
    )
    for network, method in zip(networks, methods, strict=True):
        initialise(network, method)
        network.to(trainer.strategy.root_device)
    stack = make_stack(networks, methods)
    for network, data in zip(stack.networks, stack.data, strict=True):
        calibrate(network, data)
    fitting = Fitting(stack, optimizer)
    try:
        trainer.fit(fitting, Epochs(stack, fitting.progress))
    except (
        SystemExit
    ) as error:  # Lightning turns Ctrl-C into exit code 1 and then ignores the signal
        signal.signal(signal.SIGINT, signal.default_int_handler)
        raise KeyboardInterrupt from error
    stack.release()
    for network, data in zip(networks, stack.data, strict=True):
        network.to(trainer.strategy.root_device)  # Lightning brings it back to the CPU
        calibrate(network, data)
    return [each.course() for each in fitting.progress]


class Fitting(lightning.LightningModule):
    """A stack under training; its data live on the device, batches only say which clips and frames."""

    automatic_optimization = False  # the gradients of each run are clipped by themselves

    def __init__(self, stack: Stack, settings: OptimizerSettings):
        super().__init__()
        self.stack, self.settings = stack, settings
        self.progress = [
            Progress(0, [network.learned_scalars()], None) for network in stack.networks
        ]

    def configure_optimizers(self) -> list[torch.optim.Optimizer]:
        made = [make_optimizer(network, self.settings) for network in self.stack.networks]
        self.schedulers = [make_scheduler(each, self.settings) for each in made]
        return made

    def training_step(self, updates: list[Update], _: int) -> None:
        """One update of all weights of every run that has one left in this epoch."""
        self.stack.zero_grad()
        self.manual_backward(torch.cat([self.stack.losses(update) for update in updates]).sum())
        self.stack.gradients(self.settings.max_grad_norm)
        optimizers = self.optimizers(use_pl_optimizer=False)
        for run in (run for update in updates for run in update.runs):
            (optimizers[run] if isinstance(optimizers, list) else optimizers).step()
            self.progress[run].updates += 1
            for frontend in self.stack.networks[run].frontends():
                frontend.project()

    def on_train_epoch_end(self) -> None:
        """Keep what the frontends have learned, and stop each run where its method says so. KeyboardInterrupt on Ctrl-C."""
        process.raise_if_interrupted()
        runs = zip(
            self.progress,
            self.stack.networks,
            self.stack.methods,
            self.stack.data,
            self.schedulers,
            strict=True,
        )
        for progress, network, method, data, scheduler in runs:
            if progress.stop_reason is None:
                if scheduler is not None:
                    scheduler.step()
                progress.learned.append(network.learned_scalars())
                if len(progress.learned) % CALIBRATED_EVERY == 0:
                    calibrate(network, data)
                progress.stop_reason = method.stop_reason(network, data)
        self.trainer.should_stop = all(progress.stop_reason for progress in self.progress)


class Epochs:
    """An iterable whose every pass is a new epoch of updates: what Lightning takes for a data loader."""

    def __init__(self, stack: Stack, progress: Sequence[Progress]):
        self.stack, self.progress = stack, progress

    def __iter__(self) -> Iterator[list[Update]]:
        running = [
            run for run, progress in enumerate(self.progress) if progress.stop_reason is None
        ]
        epochs = [
            self.stack.methods[run].batches(self.stack.networks[run].classifier.dropout_sizes)
            for run in running
        ]
        for batches in zip_longest(*epochs):
            yield updates_of(
                {
                    run: batch
                    for run, batch in zip(running, batches, strict=True)
                    if batch is not None
                }
            )


def updates_of(batches: Mapping[int, Batch]) -> list[Update]:
    """The next batch of each run that has one, by its number, to as few updates as there are sizes."""
    by_size = defaultdict(list)
    for run, batch in batches.items():
        by_size[len(batch.clips)].append(run)
    return [
        Update(tuple(runs), Batch.of_runs([batches[run] for run in runs]))
        for runs in by_size.values()
    ]


def thinned(learned: list[dict[str, float]]) -> dict[str, list[float | None]]:
    """Scalars by epoch to a few evenly spaced ones, the first and the last among them; None for what is not finite."""
    if not learned[0]:
        return {}
    epochs = np.unique(np.linspace(0, len(learned) - 1, PATH_POINTS).round().astype(int)).tolist()
    return {"epoch": epochs} | {
        name: [finite(learned[epoch][name]) for epoch in epochs] for name in learned[0]
    }


def finite(value: Any) -> Any:
    """A number, or numbers in dicts and lists, to what JSON can hold: None for one that is not finite."""
    if isinstance(value, dict):
        return {name: finite(each) for name, each in value.items()}
    if isinstance(value, list):
        return [finite(each) for each in value]
    return None if isinstance(value, float) and not isfinite(value) else value


def initialise(network: Network, method: Method) -> None:
    """Give a network its new weights, drawn by the run's own generator."""
    network.classifier.initialise(method.generators.init)
    network.frontend.initialise(method.generators.init)
    if network.support_frontend is not None:  # starts where the other one does
        network.support_frontend = deepcopy(network.frontend)


def calibrate(network: Network, data: TrainingSet) -> None:
    """Let the frontends fit what is approximate in them to the training clips on their device, with the parameters of now."""
    for frontend in network.frontends():
        frontend.calibrate(*data.inputs)


def training_set(frontend: Frontend, rows: list[Tensor], labels: list[int]) -> TrainingSet:
    """A bank's rows (rows, columns) of clips of any lengths, and their labels, to what the frontend prepares of them."""
    padded, lengths = (
        torch.nn.utils.rnn.pad_sequence(rows, batch_first=True),
        torch.tensor([len(each) for each in rows]),
    )
    return TrainingSet(
        frontend.prepare(padded, lengths), frontend.frames(lengths), torch.tensor(labels)
    )
