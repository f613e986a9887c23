"""Trained networks as ONNX."""

import warnings
from collections.abc import Collection
from pathlib import Path

import torch
from torch import Tensor

from fewshot_audio.files import atomic_write
from fewshot_audio.frontends.base import Frontend
from fewshot_audio.training.clip_model import ClipModel
from fewshot_audio.training.loading import load
from fewshot_audio.types import ConfigError

SECONDS = 3  # of the clip that is traced
OF_EXPORT = (RuntimeError, ValueError, TypeError, AttributeError, LookupError, AssertionError)


def export_onnx(checkpoint: str | Path, path: str | Path, trust: Collection[str] = ()) -> None:
    """Write a checkpoint's network as ONNX: waveforms (batch, time) to logits (batch, classes).

    Both sizes are free; a clip must have two frames at least. Needs onnxscript.

    Args:
        checkpoint: The folder.
        path: The file to write.
        trust: As for `load`.

    Raises:
        StoreError: As for `load`.
        ConfigError: As for `load`; or a part of the network cannot be exported.
    """
    model = load(checkpoint, trust=trust)
    least = 2 * model.recipe.mel.n_fft
    shapes = ({0: torch.export.Dim("batch"), 1: torch.export.Dim("time", min=least)},)
    clips = torch.zeros(2, least + SECONDS * model.sample_rate)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the exporter, on itself
            program = torch.export.export(model.for_export(), (clips,), dynamic_shapes=shapes)
            written = torch.onnx.export(program, dynamo=True, verbose=False, optimize=False)
    except ImportError as error:
        raise ConfigError(f"ONNX: {error}; pip install onnxscript") from error
    except OF_EXPORT as error:
        part, reason = _part_at_fault(model, clips), str(error).partition("\n")[0]
        raise ConfigError(f"{part} cannot be exported as ONNX ({reason})") from error
    assert written is not None
    with atomic_write(Path(path)) as draft:
        written.save(draft)


def _part_at_fault(model: ClipModel, clips: Tensor) -> str:
    """Return the frontend if it cannot be exported alone, else the model."""
    frontend = next(each for each in model.modules() if isinstance(each, Frontend))
    try:
        torch.export.export(frontend.for_export(), (clips,))
    except OF_EXPORT:
        return f"frontend={model.recipe.frontend.name}"
    return f"model={model.recipe.model.name}"
