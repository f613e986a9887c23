"""All settings of a run that change its result, for who reads its record."""

import math
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import PurePath
from typing import Any

from fewshot_audio.components import SPECIAL, TARGET, defaults_of
from fewshot_audio.runner.identity import canonical, optimizer_identity
from fewshot_audio.types import Component, Job

OFFERED = {"n_classes", "n_bands", "n_frames"}  # a model has them from the program
ABSENT = object()  # of a value that JSON has not


def all_settings(job: Job) -> dict[str, Any]:
    """Return settings in the form of a run's identity, those at their defaults among them.

    A key does not depend on them: a default may change, and arguments may be added.
    """
    model = _component(job.model)
    for name in OFFERED - set(job.model.arguments):
        model.pop(name, None)
    return {
        "mel": asdict(job.mel),
        "patch_frames": job.patch_frames,
        "model": model,
        "frontend": _component(job.frontend),
        "method": _component(job.method),
        "optimizer": optimizer_identity(job.optimizer, _component),
    }


def _component(component: Component) -> dict[str, Any]:
    settings = {TARGET: component.target, **component.arguments}
    return {"name": component.name, **_plain(settings)}


def _plain(value: Any) -> Any:
    """Return a value with defaults, as identities hold it; `ABSENT` where JSON has none such."""
    if isinstance(value, Mapping):
        target = value.get(TARGET)
        given = {name: each for name, each in value.items() if name not in SPECIAL}
        kind = {} if target is None else {"type": str(target).rpartition(".")[2]}
        every = {**({} if target is None else defaults_of(str(target))), **given}
        plain = {str(name): _plain(each) for name, each in every.items()}
        return kind | {name: each for name, each in plain.items() if each is not ABSENT}
    if isinstance(value, list | tuple):
        items = [_plain(each) for each in value]
        return ABSENT if any(each is ABSENT for each in items) else items
    if isinstance(value, str) and value.startswith(("/", "~")):
        return PurePath(value).name  # records hold no folders of the user's machine
    is_plain = value is None or isinstance(value, str | int)
    is_finite = isinstance(value, float) and math.isfinite(value)
    return canonical(value) if is_plain or is_finite else ABSENT
