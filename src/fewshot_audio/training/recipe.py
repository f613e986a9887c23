"""A network's settings as checkpoints hold them, and which names in them may be called."""

import math
from collections.abc import Collection, Mapping
from dataclasses import asdict
from pathlib import PurePath
from typing import Any

from fewshot_audio.components import NAME, TARGET, call, locate
from fewshot_audio.types import Component, ConfigError, Job, Mel, Recipe

PARTS = ("model", "frontend", "method", "features")
SAFE = (  # packages whose classes and functions do nothing but compute
    "fewshot_audio.frontends",
    "fewshot_audio.models",
    "fewshot_audio.training.methods",
    "fewshot_audio.features.transforms",
    "fewshot_audio.features.torchaudio_transforms",
)


def recipe_of(job: Job) -> Recipe:
    """Return what of a job's settings its network is built from again.

    A component from a checkpoint, which has a function `source`, is there as it was in that one.
    """
    parts = {part: getattr(job, part) for part in PARTS}
    if source := getattr(locate(job.frontend.target), "source", None):
        parts["frontend"] = source(job.frontend.arguments)
    return Recipe(**parts, mel=job.mel, patch_frames=job.patch_frames)


def as_settings(recipe: Recipe) -> dict[str, Any]:
    """Return a recipe as plain JSON, without folders of the user's machine."""
    settings: dict[str, Any] = {}
    for part in PARTS:
        component: Component = getattr(recipe, part)
        named = {NAME: component.name, TARGET: component.target, **component.arguments}
        settings[part] = _public(named, part)
    return {**settings, "mel": asdict(recipe.mel), "patch_frames": recipe.patch_frames}


def from_settings(settings: Mapping[str, Any], trust: Collection[str] = ()) -> Recipe:
    """Return the recipe of settings that come from anywhere.

    Args:
        settings: What `as_settings` returned.
        trust: Packages beside this one whose code may run.

    Raises:
        ConfigError: A part is missing, or a name in it is not to be trusted.
    """
    check_trusted(settings, trust)
    try:
        parts: dict[str, Any] = {}
        for part in PARTS:
            arguments = {**settings[part]}
            names = arguments.pop(NAME), arguments.pop(TARGET)
            if "pretrained" in arguments:  # a download of weights that would not be used
                arguments["pretrained"] = False
            parts[part] = Component(part, *names, arguments)
        parts["mel"] = call(Mel, settings["mel"], "settings.mel", {})
        return call(Recipe, {"patch_frames": settings["patch_frames"]}, "settings", parts)
    except (KeyError, TypeError) as error:
        raise ConfigError(f"its settings are incomplete ({error!r})") from error


def check_trusted(value: Any, trust: Collection[str], where: str = "settings") -> None:
    """Raise ConfigError where settings name code that is neither safe nor of a trusted package.

    Nothing is called, and no module is imported but those of `SAFE`.
    """
    if isinstance(value, list):
        for number, each in enumerate(value):
            check_trusted(each, trust, f"{where}[{number}]")
    elif isinstance(value, Mapping):
        if TARGET in value and not _is_trusted(value[TARGET], trust):
            package = str(value[TARGET]).partition(".")[0]
            raise ConfigError(
                f"{where}.{TARGET}: {value[TARGET]} is not of this program, and would run if it "
                f"were built; if you trust it, add --trust {package} (in Python "
                f'trust=("{package}",))'
            )
        for name, each in value.items():
            check_trusted(each, trust, f"{where}.{name}")
    elif isinstance(value, str) and "${" in value:
        raise ConfigError(f"{where}: found {value!r}; expected a value without ${{...}}")


def _is_trusted(target: Any, trust: Collection[str]) -> bool:
    if not isinstance(target, str):
        return False
    if _is_of(target, trust):
        return True
    return _is_of(target, SAFE) and _is_of(locate(target).__module__, SAFE)  # not imported there


def _is_of(name: str, packages: Collection[str]) -> bool:
    return any(name == each or name.startswith(f"{each}.") for each in packages)


def _public(value: Any, where: str) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _public(each, f"{where}.{name}") for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_public(each, where) for each in value]
    if isinstance(value, str):
        return PurePath(value).name if value.startswith(("/", "~")) else value
    if value is None or (isinstance(value, int | float) and math.isfinite(value)):
        return value
    raise ConfigError(f"{where}={value!r} cannot be kept in a checkpoint; expected a plain value")
