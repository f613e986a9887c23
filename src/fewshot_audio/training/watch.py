"""Loggers that show a run while it trains: numbers by update and by epoch, and pictures."""

import re
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from pytorch_lightning.loggers import Logger
from torch import Tensor

from fewshot_audio.components import build
from fewshot_audio.frontends.base import Frontend
from fewshot_audio.types import Component, ConfigError, Job, Machine, RunSpec

Numbers = Mapping[str, float]
NOT_IN_NAMES = re.compile(r"[^\w/. -]+")  # MLflow takes no other signs
KEY_START = 8  # letters of a key that tell runs with other settings apart


class Watch:
    """Tells one run's numbers and pictures to a logger of Lightning's.

    Args:
        logger: The logger, of this run alone; a trainer may write to it, too.

    Attributes:
        finished: Whether the training came to its end, for loggers that show that.
    """

    def __init__(self, logger: Logger):
        self.logger: Any = logger  # `experiment` is not in Lightning's own contract
        self.finished, self.steps = False, 0

    def step(self, metrics: Numbers, step: int) -> None:
        """Log numbers of the update `step`, counted from 1."""
        self.steps = step
        self._log(metrics)

    def epoch(self, metrics: Numbers, epoch: int) -> None:
        """Log numbers of an epoch, counted from 1, at its last update."""
        self._log({**metrics, "epoch": epoch})

    @property
    def takes_images(self) -> bool:
        """Whether the logger can show pictures."""
        places = self.logger, self.logger.experiment
        return any(hasattr(each, name) for each in places for name in ("log_image", "add_image"))

    def image(self, name: str, pixels: np.ndarray) -> None:
        """Log a picture (height, width, 3) of bytes at the last update, where the logger can."""
        experiment = self.logger.experiment
        if hasattr(self.logger, "log_image"):  # Weights & Biases
            self.logger.log_image(name, [pixels], step=self.steps)
        elif hasattr(experiment, "add_image"):  # TensorBoard
            experiment.add_image(name, pixels, self.steps, dataformats="HWC")
        elif hasattr(experiment, "log_image"):  # MLflow
            experiment.log_image(self.logger.version, pixels, key=name, step=self.steps)

    def frontend(self, frontend: Frontend, spectrogram: Callable[[], Tensor]) -> None:
        """Log what a frontend makes of a training clip, and its filters where there are some.

        Args:
            frontend: The frontend; it is in evaluation mode only meanwhile.
            spectrogram: Returns the spectrogram (frames, bands).
        """
        if not self.takes_images:
            return
        from fewshot_audio.training import pictures  # runs that nothing watches need no matplotlib

        training = frontend.training
        frontend.eval()
        with torch.no_grad():
            values = spectrogram().float().cpu().numpy()
        frontend.train(training)
        self.image("spectrogram", pictures.spectrogram(values))
        if filters := frontend.report().get("filters"):
            self.image("filters", pictures.filters(filters))

    def close(self) -> None:
        """Write what is not written yet."""
        with warnings.catch_warnings(action="ignore"):
            self.logger.finalize("success" if self.finished else "failed")
            if hasattr(self.logger.experiment, "finish"):  # Weights & Biases
                self.logger.experiment.finish()

    def _log(self, metrics: Numbers) -> None:
        named = {NOT_IN_NAMES.sub("", name): value for name, value in metrics.items()}
        self.logger.log_metrics(named, step=self.steps)


@contextmanager
def watching(job: Job, machine: Machine, specs: Sequence[RunSpec]) -> Iterator[list[Watch]]:
    """Give what shows each of some runs, none where nothing does; it is closed afterwards.

    Warnings of loggers would name folders of the machine in records, and are left out.
    """
    if machine.logger is None:
        yield []
        return
    watches: list[Watch] = []
    try:
        for spec in specs:
            n = "all" if spec.n_per_class is None else spec.n_per_class
            run = f"n{n}-r{spec.repeat}-{spec.key[:KEY_START]}"
            with warnings.catch_warnings(action="ignore"):
                logger = _make_logger(machine.logger, job, machine, run)
                logger.log_hyperparams(dict(spec.identity))
            watches.append(Watch(logger))
        yield watches
    finally:
        for each in watches:
            each.close()


def check_logger(job: Job, machine: Machine) -> None:
    """ConfigError where the logger cannot be made, or cannot show the job; nothing is written."""
    if machine.logger is None:
        return
    if (devices := job.method.arguments.get("devices", 1)) != 1:
        raise ConfigError(f"logger: expected method.devices=1, found {devices}; set logger=none")
    _make_logger(machine.logger, job, machine, "check")


def _make_logger(settings: Component, job: Job, machine: Machine, run: str) -> Logger:
    """Return the logger of a run.

    In its settings {folder} stands for the folder of logs, {job} for what a job's runs have in
    common, {run} for which of them it is. ConfigError where it cannot be made.
    """
    words = {
        "{folder}": str(machine.results / "logs"),
        "{job}": f"{job.dataset.name}-fold{job.fold}-{job.model.name}-{job.frontend.name}",
        "{run}": run,
    }
    arguments = {name: _filled(value, words) for name, value in settings.arguments.items()}
    try:
        return build(replace(settings, arguments=arguments), Logger)
    except ImportError as error:
        reason = str(error).partition("\n")[0]
        raise ConfigError(f"logger: {reason}; pip install 'fewshot-audio[loggers]'") from error


def _filled(value: Any, words: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        for word, meaning in words.items():
            value = value.replace(word, meaning)
    return value
