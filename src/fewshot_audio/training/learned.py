"""The frontend that another run has learned, under a new classifier."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from fewshot_audio.frontends.base import Frontend
from fewshot_audio.seeding import digest_of
from fewshot_audio.training.checkpoint import MODEL, About, describe
from fewshot_audio.training.loading import load
from fewshot_audio.training.recipe import from_settings
from fewshot_audio.types import Component, ConfigError, Mel


def learned(
    checkpoint: Path, mel: Mel, frozen: bool = True, trust: tuple[str, ...] = ()
) -> Frontend:
    """Return the frontend of a checkpoint with its weights.

    Args:
        checkpoint: The folder.
        mel: Settings of spectrograms that the checkpoint must have.
        frozen: Whether it learns nothing more, and is as in evaluation also in training.
        trust: Packages whose code may run to build its network, beside this one.

    Raises:
        StoreError: The checkpoint is missing, damaged or of another version.
        ConfigError: It was learned at other settings, or names code that is not trusted.
    """
    model = load(checkpoint.expanduser(), trust=trust)
    found, expected = asdict(model.recipe.mel), asdict(mel)
    if others := [name for name in found if found[name] != expected[name]]:
        ours = ", ".join(f"{name}={expected[name]}" for name in others)
        cure = " ".join(f"{name}={found[name]}" for name in others)
        raise ConfigError(
            f"frontend.checkpoint={checkpoint}: it was learned at other settings than {ours}; add "
            f"{cure}"
        )
    model.frontend.reuse(frozen)
    return model.frontend


def _about(settings: Mapping[str, Any]) -> About:
    return describe(Path(settings["checkpoint"]).expanduser())


def _in_key(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a run's key depends on: the weights and what they are of, not where they lie."""
    about = _about(settings)
    weights = digest_of([about.settings["frontend"], about.files[MODEL].sha256])
    return {"weights": weights, "frozen": settings.get("frozen", True)}


def _source(settings: Mapping[str, Any]) -> Component:
    """Return the frontend's own settings, so that a checkpoint of a run with it needs no other."""
    return from_settings(_about(settings).settings, settings.get("trust", ())).frontend


vars(learned).update(in_key=_in_key, source=_source)
