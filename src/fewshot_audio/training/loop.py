"""One Lightning fit, of one run or of a stack of them."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from functools import partial

import pytorch_lightning as lightning
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from fewshot_audio import processes
from fewshot_audio.frontends.base import Frontend
from fewshot_audio.progress import epoch_finished
from fewshot_audio.training.history import EpochLosses, Progress, TrainingHistory, Validation
from fewshot_audio.training.methods.base import Batch, Method, TrainingSet
from fewshot_audio.training.network import Network
from fewshot_audio.training.optimizers import make_optimizer, make_scheduler
from fewshot_audio.training.randomness import own_randomness
from fewshot_audio.training.stack import Stack, Update, make_stack
from fewshot_audio.training.trainer import own_trainer
from fewshot_audio.training.watch import Watch
from fewshot_audio.types import DataError, OptimizerSettings

CALIBRATED_EVERY = 5  # epochs


def fit(
    networks: Sequence[Network],
    methods: Sequence[Method],
    optimizer: OptimizerSettings,
    accelerator: str,
    validation: Validation | None = None,
    watches: Sequence[Watch] = (),
) -> list[TrainingHistory]:
    """Train networks of one kind in place, each as if it were alone, from new weights.

    Args:
        networks: The networks, from one job and of one n per class.
        methods: How each of them is trained.
        optimizer: The optimizer, one of its own for each network.
        accelerator: Lightning's name: "cpu", "gpu" or "auto".
        validation: What chooses the epoch whose weights are kept; None: the last one's are.
        watches: What shows each run while it trains; none: nothing does.

    Returns:
        How each training went.
    """
    epochs, precision = methods[0].max_epochs or -1, methods[0].precision
    settings = {"max_epochs": epochs, "accelerator": accelerator, "devices": 1, "barebones": True}
    with own_trainer(precision, **settings) as trainer:
        device = trainer.strategy.root_device
        stack = _untrained(networks, methods, device)
        fitting = Fitting(stack, optimizer, validation, watches)
        _show_frontends(stack, watches)
        with own_randomness(methods[0].generators, device):
            trainer.fit(fitting, Epochs(fitting))
    del fitting.stack  # the trainer refers to itself, and would hold the clips as garbage
    stack.release()
    for network, data, progress in zip(networks, stack.data, fitting.progress, strict=True):
        network.to(device)  # Lightning brings it back to the CPU
        if progress.best is not None:
            network.load_state_dict(progress.best[1])
        calibrate(network, data)
    _show_frontends(stack, watches)
    return fitting.histories(stack.methods)


def _untrained(
    networks: Sequence[Network], methods: Sequence[Method], device: torch.device
) -> Stack:
    """Return a stack of the networks, on a device and with new weights."""
    for network, method in zip(networks, methods, strict=True):
        initialise(network, method)
        network.to(device)
    stack = make_stack(networks, methods)
    for network, data in zip(stack.networks, stack.data, strict=True):
        calibrate(network, data)
    return stack


def _show_frontends(stack: Stack, watches: Sequence[Watch]) -> None:
    for watch, network, data in zip(watches, stack.networks, stack.data, strict=False):
        watch.frontend(network.frontend, partial(_first_spectrogram, network.frontend, data))


def _first_spectrogram(frontend: Frontend, data: TrainingSet) -> Tensor:
    """Return the spectrogram (frames, bands) of the first clip."""
    inputs = [each[:1] for each in data.inputs]
    return frontend.compute(*inputs)[0, : int(data.lengths[0])]


class Fitting(lightning.LightningModule):
    """A stack under training; its data live on the device, batches only name clips and frames."""

    automatic_optimization = False  # the gradients of each run are clipped by themselves

    def __init__(
        self,
        stack: Stack,
        settings: OptimizerSettings,
        validation: Validation | None,
        watches: Sequence[Watch],
    ):
        super().__init__()
        self.stack, self.settings, self.validation = stack, settings, validation
        self.watches, self.losses = watches, EpochLosses(len(stack.networks))
        self.progress = [Progress([network.learned_scalars()]) for network in stack.networks]

    def configure_optimizers(self) -> list[torch.optim.Optimizer]:
        """Make one optimizer and one schedule for each run."""
        made = [make_optimizer(network, self.settings) for network in self.stack.networks]
        self.schedulers = [make_scheduler(each, self.settings) for each in made]
        self.made = made
        return made

    def on_train_epoch_start(self) -> None:
        """Begin to count the epoch's losses."""
        self.losses.begin_epoch(self.device)

    def training_step(self, updates: list[Update], _: int) -> None:
        """Update all weights of every run that has a batch left in this epoch."""
        self.stack.zero_grad()
        losses = [self.stack.losses(update) for update in updates]
        self.manual_backward(torch.cat(losses).sum())
        self.stack.gradients(self.settings.max_grad_norm)
        for update, of_runs in zip(updates, losses, strict=True):
            self.losses.add(update.runs, of_runs)
            for run in update.runs:
                self.made[run].step()
                self.progress[run].updates += 1
                for frontend in self.stack.networks[run].frontends():
                    frontend.project()
            if self.watches:
                for run, loss in zip(update.runs, of_runs.tolist(), strict=True):
                    self.watches[run].step({"loss": loss}, self.progress[run].updates)

    def histories(self, methods: Sequence[Method]) -> list[TrainingHistory]:
        """Return how each training went, which ends what is shown of it."""
        for watch in self.watches:
            watch.finished = True
        for run, progress in enumerate(self.progress):
            progress.losses = self.losses.means(run, progress.epochs)
        done = zip(self.progress, methods, strict=True)
        return [each.history(method.max_epochs, method.updates_per_epoch) for each, method in done]

    def on_train_epoch_end(self) -> None:
        """Note what each run has learned, and stop it where its method says so."""
        processes.raise_if_interrupted()
        running = sum(progress.stop_reason is None for progress in self.progress)
        epoch_finished(running, self.stack.methods[0].max_epochs)
        for run, progress in enumerate(self.progress):
            if progress.stop_reason is None:
                self._end_epoch(run, progress)
        self.trainer.should_stop = all(progress.stop_reason for progress in self.progress)

    def _end_epoch(self, run: int, progress: Progress) -> None:
        network, method = self.stack.networks[run], self.stack.methods[run]
        data, scheduler = self.stack.data[run], self.schedulers[run]
        if scheduler is not None:
            scheduler.step()
        progress.learned.append(network.learned_scalars())
        if len(progress.learned) % CALIBRATED_EVERY == 0:
            calibrate(network, data)
        if self.validation is not None:
            self.validation.after_epoch(progress, network, method, data)
        if self.watches:
            metrics = {"train loss": self.losses.last(run), **progress.latest()}
            self.watches[run].epoch(metrics, progress.epochs)
        progress.stop_reason = method.stop_reason(network, data)


class Epochs:
    """An iterable whose every pass is a new epoch of updates, as Lightning takes a data loader."""

    def __init__(self, fitting: Fitting):
        self.fitting = fitting

    def __iter__(self) -> Iterator[list[Update]]:
        stack, epochs = self.fitting.stack, {}
        for run, progress in enumerate(self.fitting.progress):
            if progress.stop_reason is None:
                sizes = stack.networks[run].classifier.dropout_sizes
                epochs[run] = stack.methods[run].batches(sizes)
        while epochs:
            following = {run: next(epoch, None) for run, epoch in epochs.items()}
            batches = {run: batch for run, batch in following.items() if batch is not None}
            epochs = {run: epochs[run] for run in batches}
            if batches:
                yield updates_of(batches)


def updates_of(batches: Mapping[int, Batch]) -> list[Update]:
    """Return the next batch of each run, by its number, as few updates of batches of one size."""
    by_size = defaultdict(list)
    for run, batch in batches.items():
        by_size[len(batch.clips)].append(run)
    return [
        Update(tuple(runs), Batch.of_runs([batches[run] for run in runs]))
        for runs in by_size.values()
    ]


def initialise(network: Network, method: Method) -> None:
    """Give a network its new weights, drawn by the run's own generator."""
    network.classifier.initialise(method.generators.init)
    network.frontend.begin(method.generators.init)
    if network.support_frontend is not None:  # starts where the other one does
        network.support_frontend = deepcopy(network.frontend)


def calibrate(network: Network, data: TrainingSet) -> None:
    """Let the frontends fit what is approximate in them to the training clips, on their device."""
    for frontend in network.frontends():
        frontend.calibrate(*data.inputs)


def training_set(
    frontend: Frontend, rows: list[Tensor], labels: list[int] | Tensor, n_frames: int = 128
) -> TrainingSet:
    """Return clips as a run trains on them.

    Takes features (rows, columns) of each clip, of any lengths, and labels as of `TrainingSet`.
    """
    padded = pad_sequence(rows, batch_first=True)
    lengths = torch.tensor([len(each) for each in rows])
    inputs, frames = frontend.prepare(padded, lengths), frontend.frames(lengths)
    if frames.min() < 1:
        raise DataError("a clip that trains gives no frame: it is too short")
    return TrainingSet(inputs, frames, torch.as_tensor(labels), n_frames)
