"""One Lightning fit."""

import signal
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from math import isfinite
from typing import Any

import numpy as np
import pytorch_lightning as lightning
import torch
from torch import Tensor

from fewshot_audio.frontends.frontend import Frontend
from fewshot_audio.train.method import Batch, Method, TrainingSet
from fewshot_audio.train.network import Network

PATH_POINTS = 25  # of the path that a result keeps
CALIBRATED_EVERY = 5  # epochs


@dataclass(frozen=True)
class Course:
    """How a training went: its length, why it ended, and the frontend's learned scalars before and after some epochs."""

    epochs: int
    updates: int
    ended: str
    path: dict[str, list[float | None]]  # "epoch" (0 is the start) and each scalar; empty where nothing is learned


def fit(network: Network, method: Method, accelerator: str) -> Course:
    """Train the network in place, from new weights; how it went. KeyboardInterrupt on Ctrl-C."""
    initialise(network, method)
    fitting = Fitting(network, method)
    trainer = lightning.Trainer(max_epochs=method.epochs or -1, accelerator=accelerator, devices=1, barebones=True)
    try:
        trainer.fit(fitting, Epochs(method, network.classifier.noise_sizes))
    except SystemExit as error:  # Lightning turns Ctrl-C into exit code 1 and then ignores the signal
        signal.signal(signal.SIGINT, signal.default_int_handler)
        raise KeyboardInterrupt from error
    network.to(trainer.strategy.root_device)  # Lightning brings it back to the CPU
    calibrate(network, method.data.to(network.device))
    return fitting.course()


class Fitting(lightning.LightningModule):
    """A network under training; its data live on the device, batches only say which clips and frames."""

    automatic_optimization = False  # with one's own clipping, each run of a stack can keep a gradient norm of its own

    def __init__(self, network: Network, method: Method):
        super().__init__()
        self.network = network
        self.method = method
        self.updates = 0
        self.ended: str | None = None
        self.learned = [network.learned()]
        self.data = method.data

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.network.parameter_groups(self.method.learning_rate))

    def on_fit_start(self) -> None:
        """Bring the data to the device, where they stay."""
        self.data = self.data.to(self.device)

    def training_step(self, batch: Batch, _: int) -> None:
        """One update of all weights."""
        optimiser = self.optimizers()
        optimiser.zero_grad()
        labels = self.data.labels[batch.clips]
        self.manual_backward(self.method.loss(self.network, self.data.patches(batch), labels, batch.noise))
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.method.clip_norm)
        optimiser.step()
        self.updates += 1

    def on_train_epoch_end(self) -> None:
        """Keep what the frontend has learned, and stop where the method says so."""
        self.learned.append(self.network.learned())
        if len(self.learned) % CALIBRATED_EVERY == 0:
            calibrate(self.network, self.data)
        self.ended = self.method.ended(self.network)
        self.trainer.should_stop = self.ended is not None

    def course(self) -> Course:
        """How the training went."""
        epochs = len(self.learned) - 1
        return Course(epochs, self.updates, self.ended or f"{epochs} epochs, the number set", thinned(self.learned))


class Epochs:
    """An iterable whose every pass is a new epoch of batches: what Lightning takes for a data loader."""

    def __init__(self, method: Method, noise_sizes: tuple[int, ...]):
        self.method = method
        self.noise_sizes = noise_sizes

    def __iter__(self) -> Iterator[Batch]:
        return self.method.epoch(self.noise_sizes)


def thinned(learned: list[dict[str, float]]) -> dict[str, list[float | None]]:
    """Scalars by epoch to a few evenly spaced ones, the first and the last among them; None for what is not finite."""
    if not learned[0]:
        return {}
    epochs = np.unique(np.linspace(0, len(learned) - 1, PATH_POINTS).round().astype(int)).tolist()
    return {"epoch": epochs} | {name: [finite(learned[epoch][name]) for epoch in epochs] for name in learned[0]}


def finite(value: Any) -> Any:
    """A number, or numbers in dicts and lists, to what JSON can hold: None for one that is not finite."""
    if isinstance(value, dict):
        return {name: finite(each) for name, each in value.items()}
    if isinstance(value, list):
        return [finite(each) for each in value]
    return None if isinstance(value, float) and not isfinite(value) else value


def initialise(network: Network, method: Method) -> None:
    """Give a network its new weights, drawn by the run's own generator, and its frontends a look at the training clips."""
    network.classifier.initialise(method.randomness.init)
    network.frontend.initialise(method.randomness.init)
    if network.support_frontend is not None:  # starts where the other one does
        network.support_frontend = deepcopy(network.frontend)
    calibrate(network, method.data)


def calibrate(network: Network, data: TrainingSet) -> None:
    """Let the frontends fit what is approximate in them to the training clips, with the parameters that they have now."""
    for frontend in network.frontends():
        frontend.calibrate(*data.inputs)


def training_set(frontend: Frontend, rows: list[Tensor], labels: list[int]) -> TrainingSet:
    """A bank's rows (rows, columns) of clips of any lengths, and their labels, to what the frontend prepares of them."""
    padded, lengths = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True), torch.tensor([len(each) for each in rows])
    return TrainingSet(frontend.prepare(padded, lengths), frontend.frames(lengths), torch.tensor(labels))
