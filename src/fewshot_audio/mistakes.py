"""Mistakes in settings, explained: near matches, and what to do."""

import errno
import re
from collections.abc import Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from difflib import get_close_matches
from typing import Any

from hydra.errors import HydraException
from omegaconf import OmegaConf
from omegaconf.errors import InterpolationResolutionError, MissingMandatoryValue
from omegaconf.errors import OmegaConfBaseException as OmegaConfError

from fewshot_audio.components import near
from fewshot_audio.compose import SEARCHPATH, choices, composed, groups, parsed, parsed_once

ADDED = ("study", "report")
NO_CHOICE = "Config group override must be a string or a list"  # a ValueError of Hydra's


def explain(error: BaseException, overrides: Sequence[str] = ()) -> str:
    """Return what a user should read of an error of a command: near matches, the next step."""
    text = str(error)
    if NO_CHOICE in text:
        return _no_choice(overrides)
    if option := re.search(r"Could not find '([\w/]+)/([^'/]+)'", text):
        group, name = option.groups()
        return f"{group}={name}: no such {group}{near(name, choices(group, overrides))}"
    if key := re.search(r"(?:Could not override|Key) '([\w./@]+)'", text):
        full = re.search(r"full_key: ([\w.]+)", text)  # of a key within a group
        return _unknown_setting(full[1] if full else key[1], overrides)
    if isinstance(error, HydraException) and re.search("NoViableAlt|no viable alt", text):
        step = (
            "write folders in full, and quote what holds other signs, in both quotes: "
            "'dataset.root=\"~data\"', 'dataset.classes=[\"Flöte\"]'; what stands before a colon "
            "cannot be quoted, and goes into a yaml (docs/own-data.md, Classes)"
        )
        return f"{text.splitlines()[0]}; {step}"
    if isinstance(error, InterpolationResolutionError):
        raw: Any = OmegaConf.to_container(error.parent_node, resolve=False)
        found = f"{error.full_key}={raw[error.key]}"
        return f"{found} cannot be made of the other settings: {text.splitlines()[0]}"
    if isinstance(error, MissingMandatoryValue):
        return f"{error.full_key} is not set; add {error.full_key}=... to the command"
    if isinstance(error, BrokenProcessPool):
        return (
            "a worker process was killed, often for want of memory; run the same command again, "
            "with fewer workers=..."
        )
    if isinstance(error, FileNotFoundError) and error.filename is not None:
        return f"{error.filename}: no such file; check the settings that name it or its folder"
    if isinstance(error, OSError):
        step = "free space" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "mend that"
        return f"{text}; {step} and run the same command again"
    return text


def _no_choice(overrides: Sequence[str]) -> str:
    """Return a message on a group that is set to something else than the name of a file."""
    known = groups(overrides)
    for override in parsed(overrides):
        value: Any = override.value()
        key, values = override.key_or_group, getattr(value, "list", [value])  # of a sweep
        is_group = key in known or "/" in key
        if is_group and not all(isinstance(each, str | list) for each in values):
            return f"{override.input_line}: expected a choice{near('', choices(key, overrides))}"
    return "a group of settings is null: expected one of its files"


def _unknown_setting(key: str, overrides: Sequence[str]) -> str:
    """Return a message on a setting that does not exist with the choices of the command."""
    if key in ADDED:
        return f"{key}: not part of every command; write +{key}=... to add it"
    names = setting_names(overrides) - {key}
    return f"{key}: no such setting with these choices{_alike(key, names)}"


def _alike(key: str, names: set[str]) -> str:
    """Return a phrase that proposes settings for a misspelt one, or lists those beside it."""
    group, _, last = key.rpartition(".")
    beside = {name.rpartition(".")[2]: name for name in names if name.rpartition(".")[0] == group}
    by_name = [name for name in names if name.rpartition(".")[2] == last]
    close = [beside[name] for name in get_close_matches(last, beside)]
    holding = [name for name in names if last in name.rpartition(".")[2].split("_")]
    if found := by_name or close or holding:
        return f"; did you mean {' or '.join(sorted(found)[:3])}?"
    if beside and group:
        return f"; there are {', '.join(sorted(beside.values()))}"
    close = get_close_matches(key, names)
    return near(key, close or {name for name in names if "." not in name})


def setting_names(overrides: Sequence[str]) -> set[str]:
    """Return the dotted names of all settings with the choices of files that overrides make."""
    known = groups(overrides)
    keys = {text: parsed_once(text).key_or_group for text in overrides}
    kept = [text for text, key in keys.items() if key in [*known, SEARCHPATH] or "/" in key]
    names: set[str] = set()
    for chosen in _each_choice(kept):
        with suppress(HydraException, OmegaConfError):  # of what else may be wrong
            plain: Any = OmegaConf.to_container(composed(chosen), resolve=False)
            names |= {*_dotted(plain), *known}
    return names


def _each_choice(overrides: Sequence[str]) -> Iterator[list[str]]:
    """Yield overrides of choices without sweeps, in which each swept choice is at least once."""
    choices = []
    for text in overrides:
        override = parsed_once(text)
        is_swept = override.is_sweep_override()
        swept = list(override.sweep_string_iterator()) if is_swept else []
        choices.append([f"{override.key_or_group}={each}" for each in swept] or [text])
    for place in range(max(map(len, choices), default=1)):
        yield [each[min(place, len(each) - 1)] for each in choices]


def _dotted(settings: dict[Any, Any], above: str = "") -> Iterator[str]:
    for key, value in settings.items():
        name = f"{above}{key}"
        if not str(key).startswith("_"):
            yield name
        if isinstance(value, dict):
            yield from _dotted(value, f"{name}.")
