"""What the result of a run depends on, and the key made of it."""

import math
import os
from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from fewshot_audio.components import TARGET, build, defaults_of, locate
from fewshot_audio.datasets.base import Fold
from fewshot_audio.features.base import Features
from fewshot_audio.files import sha256
from fewshot_audio.seeding import digest_of
from fewshot_audio.types import Component, Job, OptimizerSettings, RunSpec

OF_LIBRARIES = {"fewshot_audio", "torch", "torchaudio", "torchmetrics"}  # their names do not clash
STUDY_SIZE = 128  # bands of a spectrogram, frames of a patch
KNOWN_METRICS = {  # in the keys of earlier records by name alone: these classes at their defaults
    "balanced_accuracy": "MulticlassAccuracy",
    "macro_f1": "MulticlassF1Score",
    "macro_auc": "MultilabelAUROC",
    "d_prime": "MultilabelDPrime",
    "map": "MultilabelAveragePrecision",
}


def run_specs(job: Job, fold: Fold, features: str, splits: str | None) -> list[RunSpec]:
    """Return all runs of a job, n by n, repeat by repeat.

    Args:
        job: The settings.
        fold: What trains and what tests.
        features: Digest of the feature cache: of the audio files and of the transform.
        splits: Digest of a file of few-shot splits, "group" for splits by group, else None.
    """
    shared = _of_all_runs(job, fold, features, splits)
    specs = []
    for n_per_class, repeats in sorted(job.repeats.items(), key=lambda pair: pair[0] or math.inf):
        for repeat in range(1, repeats + 1):
            identity = {**shared, "n_per_class": n_per_class, "repeat": repeat}
            specs.append(RunSpec(n_per_class, repeat, identity, digest_of(identity)))
    return specs


def _of_all_runs(job: Job, fold: Fold, features: str, splits: str | None) -> dict[str, Any]:
    """Return what the runs of a job have in common in their identities."""
    validates = job.method.arguments.get("keep_best") is not None
    method = {**component_identity(job.method), **_metric_that_chooses(job)}
    sizes: dict[str, Any] = {"mel": asdict(job.mel), "patch_frames": job.patch_frames}
    if job.mel.n_bands == STUDY_SIZE:  # left out: earlier records have none
        del sizes["mel"]["n_bands"]
    if job.patch_frames == STUDY_SIZE:
        del sizes["patch_frames"]
    shared: dict[str, Any] = canonical(
        {
            "dataset": {"name": job.dataset.name},
            "fold": job.fold,
            "split": fold.digest_with_valid if validates else fold.digest,
            "features": features,
            **sizes,
            "model": component_identity(job.model),
            "frontend": component_identity(job.frontend),
            "method": method,
            "optimizer": optimizer_identity(job.optimizer),
            "seed": job.seed,
            "few_shot_splits": splits,
        }
    )
    level = build(job.features, Features).level
    if level != "none":  # of which earlier records know nothing
        shared["level"] = canonical(level)
    if job.augmentations:
        shared["augmentation"] = canonical(
            {name: component_identity(each) for name, each in job.augmentations.items()}
        )
        if list(job.augmentations) != sorted(job.augmentations):  # JSON is sorted below
            shared["augmentation_order"] = list(job.augmentations)
    return shared


def missing(specs: Iterable[RunSpec], finished: Container[str]) -> list[RunSpec]:
    """Return the runs whose key is not among the finished ones."""
    return [spec for spec in specs if spec.key not in finished]


def component_identity(component: Component) -> dict[str, Any]:
    """Return the names of a choice and its class, and the arguments that are not its defaults.

    Modules are left out, so that code can move; a class of a user's package keeps the package's
    name. An argument at its default is left out, so that a new argument changes no key of earlier
    runs. Those that a class names in `always_in_key` had no default in earlier versions. What has a
    function `in_key` gives by it other arguments than those that are set. The absolute path of a
    file is replaced by a digest of what it holds.
    """
    settings = {TARGET: component.target, **component.arguments}
    return {"name": component.name, **_without_defaults(settings)}


def optimizer_identity(
    settings: OptimizerSettings,
    describe: Callable[[Component], dict[str, Any]] = component_identity,
) -> dict[str, Any]:
    """Return what of an optimizer's settings can change a result, its parts as described."""
    identity = describe(settings.optimizer)
    identity["max_grad_norm"] = settings.max_grad_norm
    if settings.frontend:
        identity["frontend"] = canonical(settings.frontend)
    if settings.scheduler is not None:
        identity["scheduler"] = describe(settings.scheduler)
    return identity


def _metric_that_chooses(job: Job) -> dict[str, Any]:
    """Return what defines the metric that chooses the best epoch, where its name does not."""
    metric = job.metrics.get(str(job.method.arguments.get("keep_best")))
    if metric is None:
        return {}
    identity = component_identity(metric)
    known = {"name": metric.name, "type": KNOWN_METRICS.get(metric.name)}
    return {} if identity == known else {"keep_best_metric": identity}


def canonical(value: Any) -> Any:
    """Return settings as plain JSON in which equal numbers look equal, as 1 and 1.0."""
    if isinstance(value, Mapping):
        return {str(key): canonical(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [canonical(each) for each in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _without_defaults(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the class name and the other arguments of a mapping with a `_target_`."""
    target = str(settings[TARGET])
    if in_key := getattr(locate(target), "in_key", None):
        settings = {TARGET: target, **in_key(settings)}
    always = getattr(locate(target), "always_in_key", ())
    defaults = {name: each for name, each in defaults_of(target).items() if name not in always}
    package, *_, kind = target.split(".")
    identity: dict[str, Any] = {"type": kind if package in OF_LIBRARIES else f"{package}.{kind}"}
    for name, value in settings.items():
        is_default = name in defaults and _same(defaults[name], value)
        if is_default or name in (TARGET, "_partial_"):
            continue
        identity[name] = _without_modules(value)
    return identity


def _same(default: Any, value: Any) -> bool:
    """Return whether a value is the default; True is not 1."""
    is_bool = isinstance(default, bool), isinstance(value, bool)
    return is_bool[0] == is_bool[1] and canonical(default) == canonical(value)


def _without_modules(value: Any) -> Any:
    """Return a setting in which each component is that of `_without_defaults`, however deep."""
    if isinstance(value, Mapping):
        if TARGET in value:
            return _without_defaults(value)
        return {name: _without_modules(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_without_modules(each) for each in value]
    if isinstance(value, str) and os.path.isabs(value) and os.path.isfile(value):
        return {"file": sha256(Path(value))[:16]}
    return value
