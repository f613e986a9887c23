"""Training on random crops by Lightning, which goes on where a killed process was."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytorch_lightning as lightning
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from fewshot_audio import processes
from fewshot_audio.files import sync
from fewshot_audio.frontends.diagnostics import five_digits
from fewshot_audio.progress import epoch_finished
from fewshot_audio.seeding import seed_for
from fewshot_audio.training.crops import RandomCrops, Waveforms, loader
from fewshot_audio.training.history import Progress, TrainingHistory
from fewshot_audio.training.loop import CALIBRATED_EVERY
from fewshot_audio.training.optimizers import make_optimizer, make_scheduler
from fewshot_audio.training.randomness import isolated
from fewshot_audio.training.state import drop_unusable, network_weights
from fewshot_audio.training.trainer import own_trainer
from fewshot_audio.training.watch import Watch
from fewshot_audio.training.waveform_network import WaveformNetwork, score_windows
from fewshot_audio.types import Job

SAVING_SHARE = 0.05  # of the time, at most, that saving may take
Names = Sequence[str | int | None]


class CropTraining(lightning.LightningModule):
    """A network under training on crops.

    All random numbers of an epoch depend on the run's names and the number of the epoch alone, so
    that a training which goes on from the end of an epoch gives the same numbers.

    Args:
        network: The network, with its new weights.
        job: The settings of optimizer and metrics.
        train: The clips that train.
        valid: The clips that validate, with their targets as `ClipScores` takes them.
        names: What the run's random numbers depend on.
        loaders: Processes that cut crops; 0: this one.
        state: The file that the state is saved to.
        watch: What shows the run while it trains; None: nothing does.
    """

    def __init__(
        self,
        network: WaveformNetwork,
        job: Job,
        train: Waveforms,
        valid: tuple[Sequence[str], Tensor],
        names: Names,
        loaders: int,
        state: Path,
        watch: Watch | None = None,
    ):
        super().__init__()
        self.network, self.job, self.method = network, job, network.method
        self.train_clips, self.valid_clips, self.names = train, valid, names
        self.loaders, self.state, self.watch = loaders, state, watch
        self.progress = Progress([network.network.learned_scalars()])
        self.losses: list[Tensor] = []
        self.saved, self.saving = 0.0, 0.0

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Make the optimizer and its schedule."""
        optimizer = make_optimizer(self.network.network, self.job.optimizer)
        self.scheduler = make_scheduler(optimizer, self.job.optimizer)
        return optimizer

    def train_dataloader(self) -> DataLoader:
        """Return what loads crops in another order in each epoch."""
        trainer, method = self.trainer, self.method
        crops = RandomCrops(
            self.train_clips.lengths(),
            self.train_clips.size,
            method.batch_size,
            method.crops_per_clip,
            self.names,
            lambda: trainer.current_epoch,
            (trainer.global_rank, trainer.world_size),
            method.groups(self.train_clips.targets),
        )
        return loader(self.train_clips, crops, self.loaders, self.device.type == "cuda")

    def on_train_start(self) -> None:
        """Fit the frontend's approximations to the clips, or go on with schedule and end."""
        if self.progress.epochs == 0:
            self.network.calibrate(self.train_clips)
        elif self.scheduler is not None:
            self.scheduler.load_state_dict(self.schedule)
        self.trainer.should_stop = self.progress.stop_reason is not None
        self.show_frontend()

    def show_frontend(self) -> None:
        """Show the first crop of a training clip and the filters, if anything shows the run."""
        if self.watch is not None:
            self.watch.steps = self.trainer.global_step
            self.watch.frontend(self.network.network.frontend, self._first_spectrogram)

    def _first_spectrogram(self) -> Tensor:
        crop = self.train_clips.crops([(0, 0)]).to(self.network.network.device)
        return self.network.network.frontend(self.method.levelled(crop))[0].mT

    def on_train_batch_start(self, _: Any, number: int) -> None:
        """Let the global generators depend on the run, the epoch and the device alone.

        Lightning does not announce the start of the epoch at which it goes on.
        """
        if number == 0:
            epoch, rank = self.trainer.current_epoch, self.trainer.global_rank
            torch.manual_seed(seed_for("modules", *self.names, epoch, rank))
            self.losses = []

    def training_step(self, batch: tuple[Tensor, Tensor], _: int) -> Tensor:
        """Return the mean cost of a batch of crops."""
        waveforms, targets = self.network.augmented(*batch)
        loss = self.method.cost(self.network(waveforms), targets)
        self.losses.append(loss.detach())
        return loss

    def on_train_batch_end(self, *_: Any) -> None:
        """Bring the frontend's parameters back within their bounds."""
        self.network.network.frontend.project()
        if self.watch is not None:
            self.watch.step({"loss": self.losses[-1].item()}, self.trainer.global_step)

    def on_train_epoch_end(self) -> None:
        """Note what was learned, validate, stop where that is due, and save the state."""
        processes.raise_if_interrupted()
        progress, method = self.progress, self.method
        epoch_finished(1, method.max_epochs)
        if self.scheduler is not None:  # here, because Lightning's own comes after the state
            self.scheduler.step()
        progress.updates = self.trainer.global_step
        progress.learned.append(self.network.network.learned_scalars())
        progress.losses.append(five_digits(torch.stack(self.losses).float().mean().item()))
        if progress.epochs % CALIBRATED_EVERY == 0:
            self.network.calibrate(self.train_clips)
        if method.keep_best is not None:
            self._validate(method.keep_best)
        # batch norm's statistics, and so the metrics, are each device's own: the first one decides
        progress.stop_reason = self.trainer.strategy.broadcast(progress.stop_reason)
        if self.watch is not None:
            metrics = {"train loss": progress.losses[-1], **progress.latest()}
            self.watch.epoch(metrics, progress.epochs)
        self.trainer.should_stop = progress.stop_reason is not None
        self._save(progress.stop_reason is not None or progress.epochs == method.max_epochs)

    def _validate(self, metric: str) -> None:
        clips, targets = self.valid_clips
        scores = score_windows(self.network, self.train_clips.cache.of(clips))
        self.network.train()
        self.progress.note(
            metric, self.job.metrics, self.method.clip_scores(scores, targets), self.network
        )
        assert self.progress.best is not None
        without = self.progress.epochs - self.progress.best[0]
        if self.method.patience is not None and without >= self.method.patience:
            self.progress.stop_reason = f"{without} epochs without a better {metric}"

    def _save(self, last: bool) -> None:
        """Save the state unless saving has taken too much of the time."""
        now = time.monotonic()
        due = last or now - self.saved > self.saving / SAVING_SHARE
        if not self.trainer.strategy.broadcast(due):
            return
        draft = self.state.with_suffix(".draft")
        self.state.parent.mkdir(parents=True, exist_ok=True)
        try:
            self.trainer.save_checkpoint(draft)
        except (OSError, RuntimeError):  # torch's word for a full disk
            draft.unlink(missing_ok=True)
            raise
        if self.trainer.is_global_zero:
            sync(draft)
            draft.replace(self.state)  # the old state stays where the disk is full
        self.saved = time.monotonic()
        self.saving = self.saved - now

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add how far the training is."""
        checkpoint["progress"] = {**vars(self.progress)}
        checkpoint["schedule"] = self.scheduler and self.scheduler.state_dict()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Go on from there."""
        self.progress = Progress(**checkpoint["progress"])
        self.schedule = checkpoint["schedule"]


def fit_on_crops(training: CropTraining, accelerator: str) -> TrainingHistory:
    """Train a network in place; return how it went.

    The state of an earlier process that was killed is taken up where there is one.
    """
    method, state = training.method, training.state
    drop_unusable(state, training.network, training.job.optimizer)
    several = "ddp_spawn" if method.strategy == "auto" else method.strategy
    making = own_trainer(
        max_epochs=method.max_epochs,
        accelerator=accelerator,
        devices=method.devices,
        strategy="auto" if method.devices == 1 else several,
        precision=method.precision,
        accumulate_grad_batches=method.accumulate,
        gradient_clip_val=training.job.optimizer.max_grad_norm,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
    )
    with making as trainer, isolated(0, trainer.strategy.root_device):
        trainer.fit(training, ckpt_path=state if state.exists() else None, weights_only=True)
    saved = torch.load(state, map_location="cpu", weights_only=True)  # of whichever process trained
    progress = Progress(**saved["progress"])
    weights = network_weights(saved) if progress.best is None else progress.best[1]
    training.network.load_state_dict(weights)
    training.network.to(trainer.strategy.root_device)
    training.network.calibrate(training.train_clips)
    training.show_frontend()
    if training.watch is not None:
        training.watch.finished = True
    updates = method.updates_per_epoch(len(training.train_clips.clips))
    try:
        return progress.history(method.max_epochs, updates)
    except RuntimeError:
        state.unlink()  # what goes on from it would fail likewise
        raise
