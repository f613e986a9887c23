"""Loggers that show a run while it trains: numbers by update and by epoch, and pictures."""

import re
import warnings
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pytorch_lightning.loggers import Logger
from torch import Tensor

from fewshot_audio.components import build
from fewshot_audio.frontends.base import Frontend
from fewshot_audio.types import Component, ConfigError

Numbers = Mapping[str, float]
NOT_IN_NAMES = re.compile(r"[^\w/. -]+")  # MLflow takes no other signs


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


def make_logger(settings: Component, folder: Path, job: str, run: str) -> Logger:
    """Return a logger; {folder}, {job} and {run} in its settings stand for these arguments.

    Args:
        settings: Its class and arguments.
        folder: Where logs are.
        job: What the run is one of.
        run: Which one it is.

    Raises:
        ConfigError: What it needs is not installed, or a setting is wrong.
    """
    words = {"{folder}": str(folder), "{job}": job, "{run}": run}
    arguments = {name: _filled(value, words) for name, value in settings.arguments.items()}
    try:
        made = build(replace(settings, arguments=arguments), Logger)
    except ImportError as error:
        reason = str(error).partition("\n")[0]
        raise ConfigError(f"logger: {reason}; pip install 'fewshot-audio[loggers]'") from error
    return made


def watch(settings: Component, folder: Path, job: str, run: str, about: Mapping[str, Any]) -> Watch:
    """Return what watches a run, its settings logged.

    Warnings of loggers would name folders of the machine in records, and are left out.
    """
    with warnings.catch_warnings(action="ignore"):
        logger = make_logger(settings, folder, job, run)
        logger.log_hyperparams(dict(about))
    return Watch(logger)


def _filled(value: Any, words: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        for word, meaning in words.items():
            value = value.replace(word, meaning)
    return value
