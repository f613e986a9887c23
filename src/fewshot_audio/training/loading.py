"""Trained networks from checkpoints: nothing is unpickled, and no code runs that is not trusted."""

import hashlib
from collections.abc import Collection, Sequence
from pathlib import Path

import safetensors.torch
from safetensors import SafetensorError

from fewshot_audio.training.checkpoint import ABOUT, MODEL, About, describe
from fewshot_audio.training.clip_model import ClipModel, PatchModel
from fewshot_audio.training.crop_model import CropModel
from fewshot_audio.training.recipe import from_settings
from fewshot_audio.types import ConfigError, StoreError

KINDS: dict[str, type[ClipModel]] = {each.kind: each for each in (PatchModel, CropModel)}


def load(
    checkpoint: str | Path, class_names: Sequence[str] | None = None, trust: Collection[str] = ()
) -> ClipModel:
    """Load a trained network of a checkpoint, on the CPU.

    Args:
        checkpoint: The folder.
        class_names: The classes that it must have, in their order; None: any.
        trust: Packages whose code may run to build the network, beside this one.

    Returns:
        A module from waveforms (..., time) to logits (..., classes), in evaluation mode.

    Raises:
        StoreError: The checkpoint is missing, damaged, of another version or of other classes.
        ConfigError: It names code of a package that is not trusted, or that is not installed.
    """
    folder = Path(checkpoint)
    about = describe(folder)
    if class_names is not None:
        check_classes(folder, about.class_names, class_names)
    data = _checked(folder, about)
    if about.kind not in KINDS:
        raise StoreError(f"{folder}: of kind {about.kind}, expected {', '.join(KINDS)}")
    try:
        tensors = safetensors.torch.load(data)
        recipe = from_settings(about.settings, trust)
        return KINDS[about.kind].restored(recipe, about.class_names, tensors)
    except ConfigError as error:
        raise ConfigError(f"{folder}: {error}") from error
    except (SafetensorError, RuntimeError, KeyError) as error:
        raise StoreError(
            f"{folder}: its weights do not fit its settings ({error}); was it made by other code?"
        ) from error


def check_classes(folder: Path, found: Sequence[str], expected: Sequence[str]) -> None:
    """Raise StoreError where a checkpoint's classes are not those expected, in that order."""
    if list(found) == list(expected):
        return
    differences = [
        f"{word} {', '.join(sorted(names)[:5])}"
        for word, names in (("without", {*expected} - {*found}), ("with", {*found} - {*expected}))
        if names
    ]
    text = " and ".join(differences) or "in another order"
    raise StoreError(
        f"{folder}: it has {len(found)} classes, expected {len(expected)}: {text}; choose the "
        "checkpoint of a run on this dataset"
    )


def _checked(folder: Path, about: About) -> bytes:
    """Return the bytes of the tensors, once every file that is there is as it was written.

    The table and the embeddings of test clips may have been left out of a copy.
    """
    for name, file in about.files.items():
        path = folder / name
        if not path.is_file() and name != MODEL:
            continue
        if not path.is_file():
            raise StoreError(f"{path} is missing; copy the checkpoint again, or train it again")
        data = path.read_bytes()
        if len(data) == file.size and hashlib.sha256(data).hexdigest() == file.sha256:
            continue
        what = f"is truncated ({len(data)} of {file.size} bytes)"
        if len(data) >= file.size:
            what = "was changed: its hash is not the one in checkpoint.json"
        raise StoreError(f"{path} {what}; copy the checkpoint again, or train it again")
    if MODEL not in about.files:
        raise StoreError(f"{folder / ABOUT} does not list {MODEL}; it was changed")
    return (folder / MODEL).read_bytes()
