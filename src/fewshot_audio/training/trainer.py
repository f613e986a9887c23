"""Lightning's Trainer, to which the environment of the process says nothing."""

import os
import signal
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytorch_lightning as lightning
from pytorch_lightning.plugins.environments import LightningEnvironment
from pytorch_lightning.trainer.connectors.signal_connector import _SignalConnector

from fewshot_audio.training.precision import full_precision, round_products

TF32 = "tf32"  # a precision that Lightning has not
# what names begin with that Lightning, or torch.distributed below it, reads
SHUT_OUT = ("PL_", "SLURM_", "TORCHELASTIC_", "MASTER_", "STANDALONE_PORT", "WORLD_SIZE")
RANKS = ("RANK", "LOCAL_RANK", "GROUP_RANK", "NODE_RANK")


class _NoHandlers(_SignalConnector):
    """Leaves signals to the command: Lightning would requeue jobs of Slurm, and put off SIGTERM."""

    def register_signal_handlers(self) -> None:
        pass


@contextmanager
def own_trainer(precision: str, **settings: Any) -> Iterator[lightning.Trainer]:
    """Make a Trainer of this process alone, and shut the environment out while it is used.

    It starts the processes of several devices by itself, whatever a cluster's variables say; they
    end when it does. Ctrl-C is a KeyboardInterrupt, and frozen modules are no news.

    Args:
        precision: Lightning's, or "tf32".
        settings: Others of Lightning's Trainer.

    Raises:
        ConfigError: The environment, or code, would have float32 be something else.
    """
    full_precision()
    round_products(to_tf32=precision == TF32)
    hidden = _hide()
    environment = LightningEnvironment()
    environment.set_global_rank(0)  # Lightning's loggers took it from RANK when they were imported
    trainer = None
    try:
        own: Any = "32-true" if precision == TF32 else precision
        trainer = lightning.Trainer(plugins=environment, precision=own, **settings)
        trainer._signal_connector = _NoHandlers(trainer)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", r"Found \d+ module\(s\) in eval mode")
            yield trainer
    except SystemExit as error:  # Lightning turns Ctrl-C into exit code 1 and ignores the signal
        signal.signal(signal.SIGINT, signal.default_int_handler)
        raise KeyboardInterrupt from error
    finally:
        if trainer is not None and trainer.strategy.launcher is not None:
            trainer.strategy.launcher.kill(signal.SIGKILL)
        round_products(to_tf32=False)
        _hide()
        os.environ.update(hidden)


def _hide() -> dict[str, str]:
    """Take variables of Lightning and of clusters out of the environment and return them."""
    names = [name for name in os.environ if name.startswith(SHUT_OUT) or name in RANKS]
    return {name: os.environ.pop(name) for name in names}
