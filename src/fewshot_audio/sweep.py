"""What follows -m on a command line: the settings of every job."""

from collections.abc import Iterator, Sequence

import hydra
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.types import Override, OverrideType
from omegaconf import DictConfig, OmegaConf

from fewshot_audio.compose import PRIMARY, check_names, groups, loader, parsed, parsed_once


def combinations(overrides: Sequence[str]) -> list[list[str]]:
    """Return the overrides of every job of a sweep, with the choices of a study that are left open.

    Args:
        overrides: As after -m.
    """
    params = _hydra_settings(overrides).sweeper.get("params") or {}
    study = [f"{key}={value}" for key, value in params.items()]
    return BasicSweeper.split_arguments(parsed([*study, *overrides]), None)[0]


def _hydra_settings(overrides: Sequence[str]) -> DictConfig:
    """Return Hydra's own settings, which every job of a sweep has in common."""
    common = [text for text in overrides if not parsed_once(text).is_sweep_override()]
    with loader():
        return hydra.compose(PRIMARY, common, return_hydra_config=True).hydra


def swept(overrides: Sequence[str]) -> Iterator[DictConfig]:
    """Compose every job of a sweep; what is yielded is valid until the next one is asked for.

    Composing takes 0.1 s. It is done once for all jobs with the same choices of files; plain values
    are then set on what was composed.
    """
    known = set(groups(overrides))
    by_choices: dict[tuple[str, ...], DictConfig] = {}
    jobs = combinations(overrides)
    with loader():
        for combination in jobs:
            plain = [text for text in combination if _is_plain(parsed_once(text), known)]
            chosen = tuple(text for text in combination if text not in plain)
            if chosen not in by_choices:
                by_choices[chosen] = hydra.compose(PRIMARY, list(chosen))
                check_names(by_choices[chosen], overrides)
            for override in map(parsed_once, plain):
                OmegaConf.update(by_choices[chosen], override.key_or_group, override.value())
            yield by_choices[chosen]


def _is_plain(override: Override, known: set[str]) -> bool:
    """Return whether an override changes a value only, not the choice of a file or Hydra's own."""
    key = override.key_or_group
    if override.type is not OverrideType.CHANGE or override.package is not None:
        return False
    return key not in known and "/" not in key and not key.startswith("hydra.")


def launcher(overrides: Sequence[str]) -> str:
    """Return the name of the class of Hydra's that starts the jobs of a sweep."""
    return str(_hydra_settings(overrides).launcher["_target_"]).rpartition(".")[2]
