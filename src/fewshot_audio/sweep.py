"""What follows -m on a command line to the configuration of every job."""

from collections.abc import Callable, Iterator, Sequence
from functools import cache
from itertools import product
from typing import Any

import hydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, OverrideType
from omegaconf import DictConfig, OmegaConf

from fewshot_audio.config import CONF, check_names


def swept(overrides: Sequence[str]) -> Iterator[DictConfig]:
    """Overrides as after -m to the configuration of every job, valid until the next one is asked for.

    Plain values, which every job sets, are set on what was composed for the choices of files.
    """
    made: dict[tuple[str, ...], DictConfig] = {}
    compose = cache(
        lambda *texts: OmegaConf.to_container(hydra.compose("config", list(texts)), resolve=False)
    )
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        for combination in combinations(overrides):
            parsed = [_parsed(text) for text in combination]
            plain = [
                each
                for each in parsed
                if each.type is OverrideType.CHANGE and not (CONF / each.key_or_group).is_dir()
            ]
            chosen = tuple(each.input_line for each in parsed if each not in plain)
            if chosen not in made:
                made[chosen] = OmegaConf.create(
                    _put_together(compose, next(iter(made), chosen), chosen)
                )
                OmegaConf.set_struct(made[chosen], True)
                check_names(made[chosen])
            for each in plain:
                OmegaConf.update(made[chosen], each.key_or_group, each.value())
            yield made[chosen]


def _put_together(
    compose: Callable[..., dict[str, Any]], first: Sequence[str], chosen: Sequence[str]
) -> dict[str, Any]:
    """Choices of files to their settings: the first one's, with what each other choice alone changes in them.

    Composing takes 0.1 s, and choices are far fewer than combinations. Where two of them change one setting, all are composed.
    """
    base, changed = compose(*first), {}
    for place, (old, new) in enumerate(zip(first, chosen, strict=True)):
        if old != new:
            other = compose(*first[:place], new, *first[place + 1 :])
            different = {
                key: value for key, value in other.items() if key not in base or value != base[key]
            }
            if changed.keys() & different.keys() or base.keys() - other.keys():
                return compose(*chosen)
            changed |= different
    return base | changed


@cache
def _parsed(text: str) -> Override:
    """An override of the command line."""
    return OverridesParser.create().parse_override(text)


def combinations(overrides: Sequence[str]) -> list[list[str]]:
    """Overrides as after -m to those of every job, with the choices of a study for what they leave open; hydra is initialised."""
    parser = OverridesParser.create()
    single = [
        each.input_line
        for each in parser.parse_overrides(list(overrides))
        if not each.is_sweep_override()
    ]
    params = (
        hydra.compose("config", single, return_hydra_config=True).hydra.sweeper.get("params") or {}
    )
    named = {override.split("=")[0].lstrip("+~") for override in overrides}
    left_open = [f"{key}={value}" for key, value in params.items() if key not in named]
    choices = [
        [f"{each.get_key_element()}={value}" for value in each.sweep_string_iterator()]
        if each.is_sweep_override()
        else [each.input_line]
        for each in parser.parse_overrides([*overrides, *left_open])
    ]
    return [list(combination) for combination in product(*choices)]
