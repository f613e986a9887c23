"""Composed settings to frozen types: the door through which configuration comes in."""

import math
import os
import re
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from fewshot_audio import compose
from fewshot_audio.components import NAME, TARGET, call
from fewshot_audio.types import (
    Component,
    ConfigError,
    Job,
    Machine,
    Mel,
    OptimizerSettings,
    ReportSettings,
    Sampling,
    Statistics,
)

SCRIPTS = Path(__file__).parents[2] / "scripts"  # of a clone
CONF, composed, choices, complete = (
    compose.CONF,
    compose.composed,
    compose.choices,
    compose.complete,
)
ALL = "all"  # n per class in a protocol's yaml: every training clip
REPORT_SETTINGS = (  # of every table
    "metric",
    "compare",
    "where",
    "pool",
    "baseline",
    "audio",
    "audio_root",
)
USUAL = ("model", "frontend", "method", "optimizer", "seed")  # settings that a run has by default
PRIVATE = re.compile(r"(^|[\s\[({,:'\"])[~/]")  # where a path that is not relative starts
PLAIN = re.compile(r"\w[\w.+-]*")


def job(cfg: DictConfig) -> Job:
    """Return the job of composed settings.

    Raises:
        ConfigError: A setting is of the wrong type, or impossible.
    """
    plain: Any = OmegaConf.to_container(cfg, resolve=True, throw_on_missing=True)
    parts: dict[str, Any] = {
        part: component(plain[part], part)
        for part in ("dataset", "model", "frontend", "method", "features")
    }
    parts["optimizer"] = optimizer_settings(plain["optimizer"])
    parts["metrics"] = {
        name: component({NAME: name, **settings}, f"metrics.{name}")
        for name, settings in plain["metrics"].items()
    }
    parts["augmentations"] = {
        name: component({NAME: name, **settings}, f"augmentation.{name}")
        for name, settings in plain.get("augmentation", {}).items()  # an empty file for none
    }
    mel = call(Mel, {field.name: plain[field.name] for field in fields(Mel)}, "", {})
    parts["sampling"] = call(Sampling, plain["sampling"], "sampling", {})
    rest = {key: plain[key] for key in ("fold", "seed", "splits", "patch_frames")}
    return call(Job, rest, "", {**parts, "mel": mel, "repeats": schedule(plain)})


def optimizer_settings(settings: Mapping[str, Any]) -> OptimizerSettings:
    """Split the optimizer's group into torch's optimizer and what goes with it."""
    rest = dict(settings)
    frontend, scheduler = rest.pop("frontend", None), rest.pop("scheduler", None)
    own = {"frontend": frontend or {}, "max_grad_norm": rest.pop("max_grad_norm", None)}
    parts = {"optimizer": component(rest, "optimizer"), "scheduler": None}
    if scheduler:
        named = {NAME: str(scheduler.get(TARGET)).rpartition(".")[2], **scheduler}
        parts["scheduler"] = component(named, "optimizer.scheduler")
    return call(OptimizerSettings, own, "optimizer", parts)


def machine(cfg: DictConfig) -> Machine:
    """Return where and how a job of composed settings runs."""
    settings: dict[str, Any] = {
        field.name: cfg[field.name] for field in fields(Machine) if field.name in cfg
    }
    settings["logger"] = _logger(cfg)
    words: Sequence[str] = sys.argv[1:]
    if HydraConfig.initialized():  # a launcher may start jobs in other folders, by other words
        started_in = Path(HydraConfig.get().runtime.cwd)
        settings |= {name: started_in / settings[name] for name in ("results", "cache")}
        searched = compose.searchpath(compose.overrides_of_command())
        words = [*HydraConfig.get().overrides.task, *searched]
    settings["command"] = command_line("run", [*filter(None, map(public, words))])
    workers = settings.pop("workers")
    settings |= {"workers": workers or 1, "builders": cores() if workers is None else workers}
    if workers == 0:
        raise ConfigError("workers=0: expected at least 1")
    return call(Machine, settings, "", {})


def _logger(cfg: DictConfig) -> Component | None:
    """Return what shows runs while they train; `name` is an argument of some loggers."""
    plain: Any = OmegaConf.to_container(cfg.get("logger") or OmegaConf.create(), resolve=True)
    if not plain:  # an empty file for none
        return None
    target = str(plain.pop(TARGET, "???"))
    return Component("logger", target.rpartition(".")[2], target, plain)


def command_line(name: str, words: Sequence[str]) -> str:
    """Return a command with its arguments: a script in a clone, else `fewshot-audio NAME`."""
    program = ["python", f"scripts/{name}.py"] if SCRIPTS.is_dir() else ["fewshot-audio", name]
    return shlex.join([*program, *words])


def public(word: str) -> str | None:
    """Return a word of a command without folders of the user's machine, for records.

    In the place of a path stands what cannot run silently. What `results` and `cache` were can
    change no result: None.
    """
    name, _, value = word.partition("=")
    if not PRIVATE.search(re.sub(r"\w+://", "", value)):
        return word
    if name == compose.SEARCHPATH:
        return re.sub(r"(?<=[\[\s,'\"])(file://)?[~/][^'\",\]]*", "file://FOLDER", word)
    return None if name in ("results", "cache") else f"{name}=???"


def cores() -> int:
    """Return the number of processor cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def reporting(cfg: DictConfig) -> ReportSettings:
    """Return what to show of which runs.

    Raises:
        ConfigError: A setting is of the wrong type, or a folder of also=[...] holds no runs.
    """
    plain: Any = OmegaConf.to_container(cfg, resolve=True)
    settings = {name: plain[name] for name in ("results", "also", "partial", "published", "show")}
    settings |= {name: plain["report"][name] for name in REPORT_SETTINGS}
    settings["usual"] = {name: plain[name] for name in USUAL}
    settings["schedule"] = {}
    if plain["n_per_class"] is not None or plain["repeats"] is not None:
        settings["schedule"] = schedule(plain)
    how = call(Statistics, plain["statistics"], "statistics", {})
    report: ReportSettings = call(ReportSettings, settings, "", {"how": how})
    if absent := [str(folder) for folder in report.also if not (folder / "runs").is_dir()]:
        raise ConfigError(
            f"also: no runs/ in {', '.join(absent)}; name results folders, as in also=[other]"
        )
    return report


def reports(cfg: DictConfig) -> list[Component]:
    """Return the tables of every file in conf/report, that of +report=NAME as it is composed."""
    files = compose.files_of("report", compose.overrides_of_command())
    tables: dict[str, Any] = {name: OmegaConf.to_container(file) for name, file in files.items()}
    made = {table[NAME]: component(table, name) for name, table in tables.items()}
    if TARGET in cfg.report:
        plain: Any = OmegaConf.to_container(cfg.report, resolve=True)
        own = {name: value for name, value in plain.items() if name not in REPORT_SETTINGS}
        made[own[NAME]] = component(own, "report")
    return list(made.values())


def component(settings: Mapping[str, Any], where: str) -> Component:
    """Return the component of a mapping with a name, a `_target_` and arguments."""
    rest = {key: value for key, value in settings.items() if key not in (NAME, TARGET)}
    if absent := [key for key in (NAME, TARGET) if key not in settings]:
        raise ConfigError(f"{where}: {' and '.join(absent)} must be set in its yaml")
    if not PLAIN.fullmatch(str(settings[NAME])):  # files are called by it
        raise ConfigError(
            f"{where}.name={settings[NAME]}: expected letters, digits and the signs _ . + - only"
        )
    return Component(where, settings[NAME], settings[TARGET], rest)


def schedule(plain: Mapping[str, Any]) -> dict[int | None, int]:
    """Return the repeats m for each n per class of all settings, None standing for all clips."""
    protocol = {None if n == ALL else n: m for n, m in plain["protocol"]["repeats"].items()}
    chosen = {name: plain[name] for name in ("n_per_class", "repeats")}
    return call(cut_schedule, chosen, "", {"schedule": protocol})


def cut_schedule(
    schedule: Mapping[int | None, int], n_per_class: int | list[int] | None, repeats: int | None
) -> dict[int | None, int]:
    """Return the repeats of the chosen n per class, another m for all of them where one is given.

    Raises:
        ConfigError: No n is chosen, or one that the protocol has not, or m is below 1.
    """
    chosen: list[int | None] = list(schedule)
    if n_per_class is not None:
        chosen = [n_per_class] if isinstance(n_per_class, int) else list(n_per_class)
    if not chosen:
        raise ConfigError("n_per_class=[]: expected at least one number")
    known = ", ".join("all" if n is None else str(n) for n in schedule)
    for n in chosen:
        if n is not None and n < 1:
            raise ConfigError(f"n_per_class={n}: expected whole numbers from 1")
        if n not in schedule and (repeats is None or None in schedule):
            raise ConfigError(
                f"n_per_class={n}: the protocol has n = {known}; choose from these, or another "
                "protocol, or give repeats=m"
            )
    if repeats is not None and repeats < 1:
        raise ConfigError(f"repeats={repeats}: expected at least 1")
    ordered = sorted(chosen, key=lambda n: n or math.inf)
    return {n: repeats or schedule[n] for n in ordered}
