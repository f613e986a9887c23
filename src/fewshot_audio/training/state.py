"""The state of a training on crops in its file: whether it can be taken up, and its weights."""

import logging
from copy import deepcopy
from pathlib import Path
from pickle import UnpicklingError
from typing import Any
from zipfile import BadZipFile, ZipFile

import torch
from torch import Tensor

from fewshot_audio.training.history import Progress
from fewshot_audio.training.optimizers import make_optimizer
from fewshot_audio.training.waveform_network import WaveformNetwork
from fewshot_audio.types import OptimizerSettings

UNUSABLE = (  # what files raise that are damaged, or of other code
    *(BadZipFile, UnpicklingError, EOFError, OSError, RuntimeError),
    *(LookupError, TypeError, ValueError, AttributeError),
)
NEEDED = {"schedule", "loops", "pytorch-lightning_version"}
log = logging.getLogger(__name__)


def drop_unusable(state: Path, network: WaveformNetwork, settings: OptimizerSettings) -> None:
    """Remove a state that cannot be taken up: damaged, or of other code."""
    if not state.exists():
        return
    try:
        _try_out(state, deepcopy(network), settings)
    except UNUSABLE as error:
        reason = str(error).partition("\n")[0]
        log.warning("%s cannot be taken up (%s); the run starts anew", state, reason)
        state.unlink()


def _try_out(state: Path, network: WaveformNetwork, settings: OptimizerSettings) -> None:
    """Take up each part of a state. Checksums come first: torch does not look at them."""
    with ZipFile(state) as parts:
        if damaged := parts.testzip():
            raise BadZipFile(f"{damaged} is damaged")
    saved = torch.load(state, map_location="cpu", weights_only=True)
    network.load_state_dict(network_weights(saved))
    make_optimizer(network.network, settings).load_state_dict(saved["optimizer_states"][0])
    Progress(**saved["progress"])
    if missing := NEEDED - saved.keys():
        raise KeyError(*missing)


def network_weights(saved: dict[str, Any]) -> dict[str, Tensor]:
    """Return the weights of the network in what a state holds."""
    weights: dict[str, Tensor] = saved["state_dict"]
    return {name.removeprefix("network."): each for name, each in weights.items()}
