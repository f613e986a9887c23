"""One Lightning fit."""

import signal
from collections.abc import Iterator

import pytorch_lightning as lightning
import torch
from torch import Tensor

from fewshot_audio.train.method import Batch, Method, Randomness, TrainingSet
from fewshot_audio.train.network import Network, cut


def fit(network: Network, method: Method, data: TrainingSet, randomness: Randomness, accelerator: str) -> torch.device:
    """Train the network in place; the device that it was trained on. KeyboardInterrupt on Ctrl-C."""
    network.classifier.initialise(randomness.init)
    trainer = lightning.Trainer(max_epochs=method.epochs, accelerator=accelerator, devices=1, barebones=True)
    try:
        trainer.fit(Fitting(network, method, data), Epochs(method, data, randomness, network.classifier.noise_sizes))
    except SystemExit as error:  # Lightning turns Ctrl-C into exit code 1 and then ignores the signal
        signal.signal(signal.SIGINT, signal.default_int_handler)
        raise KeyboardInterrupt from error
    return trainer.strategy.root_device


class Fitting(lightning.LightningModule):
    """A network under training; its data live on the device, batches only say which clips and frames."""

    automatic_optimization = False  # with one's own clipping, each run of a stack can keep a gradient norm of its own

    def __init__(self, network: Network, method: Method, data: TrainingSet):
        super().__init__()
        self.network = network
        self.method = method
        for name, tensor in data._asdict().items():
            self.register_buffer(name, tensor, persistent=False)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.network.parameters(), self.method.learning_rate)

    def training_step(self, batch: Batch, _: int) -> None:
        """One update of all weights."""
        optimiser = self.optimizers()
        optimiser.zero_grad()
        patches = cut(self.maps, self.lengths, batch.clips, batch.starts)
        self.manual_backward(self.method.loss(self.network, patches, self.labels[batch.clips], batch.noise))
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.method.clip_norm)
        optimiser.step()


class Epochs:
    """An iterable whose every pass is a new epoch of batches: what Lightning takes for a data loader."""

    def __init__(self, method: Method, data: TrainingSet, randomness: Randomness, noise_sizes: tuple[int, ...]):
        self.method = method
        self.arguments = (data, randomness, noise_sizes)

    def __iter__(self) -> Iterator[Batch]:
        return self.method.epoch(*self.arguments)


def training_set(maps: list[Tensor], labels: list[int]) -> TrainingSet:
    """Maps (frames, bands) of any lengths and their labels to one padded set."""
    padded = torch.nn.utils.rnn.pad_sequence(maps, batch_first=True)
    return TrainingSet(padded, torch.tensor([len(each) for each in maps]), torch.tensor(labels))
