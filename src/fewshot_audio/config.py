"""conf/ to frozen types; beside command and sweep the only file that sees hydra or omegaconf."""

import errno
import os
import re
import sys
from collections.abc import Mapping
from concurrent.futures.process import BrokenProcessPool
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import MissingMandatoryValue

from fewshot_audio.components import NAME, TARGET, call, near
from fewshot_audio.provenance import command_line
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

CONF = Path(__file__).parents[2] / "conf"
ADDED = ("study", "report")
PLAIN = re.compile(r"\w[\w.+-]*")


def composed(overrides: list[str]) -> DictConfig:
    """conf/config.yaml with overrides as on the command line, for use outside of a command."""
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        return hydra.compose("config", overrides)


def explain(error: BaseException) -> str:
    """An error to what a user should read: near matches for misspelt names, a next step for a full disk."""
    text = str(error)
    if option := re.search(r"Could not find '(\w+)/([^']+)'", text):
        group, name = option.groups()
        return f"{group}={name}: no such {group}{near(name, choices(group))}"
    if key := re.search(r"(?:Could not override|Key) '([\w./@]+)'", text):
        names = setting_names()
        if key[1] in ADDED:
            return f"{key[1]}: not part of every command; write +{key[1]}=... to add it"
        return f"{key[1]}: no such setting{' with this choice' if key[1] in names else ''}{near(key[1], names - {key[1]})}"
    if isinstance(error, HydraException) and "LexerNoViableAlt" in text:
        return f"{text.splitlines()[0]}; write folders in full, and quote what holds other signs: 'dataset.root=\"~data\"'"
    if isinstance(error, MissingMandatoryValue):
        return f"{error.full_key} is not set; add {error.full_key}=... to the command"
    if isinstance(error, BrokenProcessPool):
        return "a worker process was killed, often for want of memory; run the same command again, with fewer workers=..."
    if isinstance(error, OSError):
        step = "free space" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "mend that"
        return f"{text}; {step} and run the same command again, finished work is kept"
    return text


def choices(group: str) -> list[str]:
    """What a group of conf/ can be."""
    return sorted(file.stem for file in (CONF / group).glob("*.yaml"))


@cache
def setting_names() -> set[str]:
    """Every setting that the command line may name, with any choice of the groups."""
    names = {group.name for group in CONF.iterdir() if group.is_dir()}
    for file in CONF.rglob("*.yaml"):
        group = file.parent.relative_to(CONF).parts
        if group == ("study",):  # names settings of the other files
            continue
        for key in OmegaConf.load(file):
            names.add(".".join((*group, str(key))))
    return {name for name in names if name.rpartition(".")[2] not in ("defaults", "hydra", TARGET)}


def job(cfg: DictConfig) -> Job:
    """The composed configuration to a job. ConfigError on a setting of the wrong type or that cannot be."""
    plain = OmegaConf.to_container(cfg, resolve=True, throw_on_missing=True)
    parts = {
        part: component(plain[part], part) for part in ("dataset", "model", "frontend", "method")
    }
    parts["optimizer"] = optimizer_settings(plain["optimizer"])
    mel = call(Mel, {field.name: plain[field.name] for field in fields(Mel)}, "", {})
    wanted = {key: plain[key] for key in ("n_per_class", "repeats")}
    repeats = call(cut_schedule, wanted, "", {"schedule": plain["protocol"]["repeats"]})
    sampling = call(Sampling, plain["sampling"], "sampling", {})
    rest = {key: plain[key] for key in ("fold", "seed", "splits")}
    return call(Job, rest, "", {**parts, "mel": mel, "repeats": repeats, "sampling": sampling})


def optimizer_settings(settings: Mapping[str, Any]) -> OptimizerSettings:
    """Split the optimizer's group into torch's optimizer and what goes with it."""
    own = {
        key: settings[key] for key in ("frontend", "scheduler", "max_grad_norm") if key in settings
    }
    rest = {key: value for key, value in settings.items() if key not in own}
    parts: dict[str, Any] = {"optimizer": component(rest, "optimizer"), "scheduler": None}
    if schedule := own.pop("scheduler", None):
        named = {NAME: str(schedule.get(TARGET)).rpartition(".")[2], **schedule}
        parts["scheduler"] = component(named, "optimizer.scheduler")
    return call(
        OptimizerSettings, {"frontend": {}, "max_grad_norm": None, **own}, "optimizer", parts
    )


def machine(cfg: DictConfig) -> Machine:
    """The composed configuration to where and how to run."""
    settings = {field.name: cfg[field.name] for field in fields(Machine) if field.name in cfg} | {
        "command": _job_command()
    }
    if HydraConfig.initialized():  # a launcher may start jobs in other folders
        started_in = Path(HydraConfig.get().runtime.cwd)
        settings |= {name: started_in / settings[name] for name in ("results", "cache")}
    workers = settings.pop("workers")
    asked = (
        {"builders": cores(), "workers": 1}
        if workers is None
        else {"builders": workers, "workers": workers}
    )
    return call(Machine, {**settings, **asked}, "", {})


def _job_command() -> str:
    """The command that does the present job alone, wherever a launcher does it."""
    return command_line(
        "run.py", HydraConfig.get().overrides.task if HydraConfig.initialized() else sys.argv[1:]
    )


def cores() -> int:
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def reporting(cfg: DictConfig) -> ReportSettings:
    """The composed configuration to what to show of which runs. ConfigError where a folder of also=[...] holds none."""
    plain = OmegaConf.to_container(cfg, resolve=True)
    settings = {name: plain[name] for name in ("results", "also", "partial", "published", "show")}
    how, schedule = (
        call(Statistics, plain["statistics"], "statistics", {}),
        plain["protocol"]["repeats"],
    )
    found: ReportSettings = call(
        ReportSettings, {**settings, "schedule": schedule}, "", {"how": how}
    )
    if absent := [str(folder) for folder in found.also if not (folder / "runs").is_dir()]:
        raise ConfigError(
            f"also: no runs/ in {', '.join(absent)}; name results folders, as in also=[other/results]"
        )
    return found


def reports(cfg: DictConfig) -> list[Component]:
    """The tables of +report=NAME, or without it those of every file in conf/report."""
    if cfg.get("report") is not None:
        return [component(OmegaConf.to_container(cfg.report, resolve=True), "report")]
    files = sorted((CONF / "report").glob("*.yaml"))
    return [component(OmegaConf.to_container(OmegaConf.load(file)), file.stem) for file in files]


def component(settings: Mapping[str, Any], where: str) -> Component:
    """A mapping with a name, a _target_ and arguments to a component."""
    rest = {key: value for key, value in settings.items() if key not in (NAME, TARGET)}
    if absent := [key for key in (NAME, TARGET) if key not in settings]:
        raise ConfigError(f"{where}: {' and '.join(absent)} must be set in its yaml")
    if not PLAIN.fullmatch(str(settings[NAME])):  # files are called by it
        raise ConfigError(
            f"{where}.name={settings[NAME]}: expected letters, digits and the signs _ . + - only"
        )
    return Component(where, settings[NAME], settings[TARGET], rest)


def check_names(cfg: DictConfig) -> None:
    """ConfigError, with near matches, where a setting was added (+name=...) that is not one of conf/; or a study sets none."""
    if "study" in cfg:
        raise ConfigError(
            "study: its yaml sets nothing; let its first line be '# @package _global_'"
        )
    known = setting_names()
    for key in cfg:
        if str(key) not in known:
            raise ConfigError(f"{key}: no such setting{near(str(key), known)}")


def cut_schedule(
    schedule: Mapping[int, int], n_per_class: int | list[int] | None, repeats: int | None
) -> dict[int, int]:
    """The schedule n -> m, cut to the n that are wanted, with another m where one is given. ConfigError on an impossible one."""
    chosen = (
        list(schedule)
        if n_per_class is None
        else [n_per_class]
        if isinstance(n_per_class, int)
        else n_per_class
    )
    if not chosen:
        raise ConfigError("n_per_class=[]: expected at least one number")
    for n in chosen:
        if n < 1:
            raise ConfigError(f"n_per_class={n}: expected whole numbers from 1")
        if repeats is None and n not in schedule:
            raise ConfigError(
                f"n_per_class={n}: the schedule has n {sorted(schedule)}; choose from these, or give repeats=m"
            )
    if repeats is not None and repeats < 1:
        raise ConfigError(f"repeats={repeats}: expected at least 1")
    return {n: repeats or schedule[n] for n in chosen}
