"""Composed settings to frozen types: the door through which configuration comes in."""

import math
import os
import re
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, Literal

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf
from pydantic import PositiveInt

from fewshot_audio import compose
from fewshot_audio.components import NAME, TARGET, call, of_group
from fewshot_audio.parts import check_finite, component, named_by_key, unnamed
from fewshot_audio.types import (
    Component,
    ConfigError,
    Count,
    Job,
    Machine,
    Mel,
    OptimizerSettings,
    ReportSettings,
    Sampling,
    Statistics,
)

SCRIPTS = Path(__file__).parents[2] / "scripts"  # of a clone
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


def job(cfg: DictConfig) -> Job:
    """Return the job of composed settings.

    Raises:
        ConfigError: A setting is of the wrong type, or impossible.
    """
    plain: Any = OmegaConf.to_container(cfg, resolve=True, throw_on_missing=True)
    check_finite(plain)
    parts: dict[str, Any] = {
        part: component(plain[part], part)
        for part in ("dataset", "model", "frontend", "method", "features")
    }
    parts["optimizer"] = optimizer_settings(plain["optimizer"])
    parts["metrics"] = named_by_key(plain["metrics"], "metrics")
    augmentation = plain.get("augmentation", {})  # an empty file for none
    parts["augmentations"] = named_by_key(augmentation, "augmentation")
    mel = call(Mel, {field.name: plain[field.name] for field in fields(Mel)}, "", {})
    parts["sampling"] = call(Sampling, plain["sampling"], "sampling", {})
    rest = {key: plain[key] for key in ("fold", "seed", "splits", "patch_frames")}
    return call(Job, rest, "", {**parts, "mel": mel, "repeats": schedule(plain)})


def optimizer_settings(settings: Any) -> OptimizerSettings:
    """Split the optimizer's group into torch's optimizer and what goes with it."""
    rest = dict(of_group(settings, "optimizer"))
    frontend, scheduler = rest.pop("frontend", None), rest.pop("scheduler", None)
    own = {"frontend": {} if frontend is None else frontend}
    own["max_grad_norm"] = rest.pop("max_grad_norm", None)
    parts = {"optimizer": component(rest, "optimizer"), "scheduler": None}
    if scheduler is not None:
        parts["scheduler"] = unnamed(scheduler, "optimizer.scheduler")
    return call(OptimizerSettings, own, "optimizer", parts)


def machine(cfg: DictConfig) -> Machine:
    """Return where and how a job of composed settings runs."""
    settings: dict[str, Any] = {
        field.name: cfg[field.name] for field in fields(Machine) if field.name in cfg
    }
    chosen = cfg.get("logger") or OmegaConf.create()
    if not isinstance(chosen, DictConfig):
        raise ConfigError(
            f"logger: found {chosen!r}; expected a choice of its group, as logger=csv"
        )
    logger: Any = OmegaConf.to_container(chosen, resolve=True)
    settings["logger"] = unnamed(logger, "logger") if logger else None  # an empty file for none
    words, started_in = sys.argv[1:], Path()
    if HydraConfig.initialized():  # a launcher may start jobs in other folders, by other words
        started_in = Path(HydraConfig.get().runtime.cwd)
        searched = compose.searchpath(compose.overrides_of_command())
        words = [*HydraConfig.get().overrides.task, *searched]
    settings["command"] = command_line("run", [*filter(None, map(public, words))])
    workers = settings.pop("workers")
    settings["workers"] = 1 if workers is None else workers
    settings["builders"] = cores() if workers is None else workers
    made: Machine = call(Machine, settings, "", {})
    return replace(made, results=started_in / made.results, cache=started_in / made.cache)


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
    check_finite(plain)
    settings = {name: plain[name] for name in ("results", "also", "partial", "published", "show")}
    shown = of_group(plain["report"], "report")
    settings |= {name: shown[name] for name in REPORT_SETTINGS if name in shown}
    settings["usual"] = {name: plain[name] for name in USUAL}
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


def schedule(plain: Mapping[str, Any]) -> dict[int | None, int]:
    """Return the repeats m for each n per class of all settings, None standing for all clips."""
    protocol = call(protocol_of, plain["protocol"], "protocol", {})
    chosen = {name: plain[name] for name in ("n_per_class", "repeats")}
    return call(cut_schedule, chosen, "", {"schedule": protocol})


def protocol_of(repeats: Mapping[PositiveInt | Literal["all"], Count]) -> dict[int | None, int]:
    """Return the repeats m for each n per class of a protocol, None standing for all clips."""
    return {n if isinstance(n, int) else None: m for n, m in repeats.items()}


def cut_schedule(
    schedule: Mapping[int | None, int],
    n_per_class: PositiveInt | list[PositiveInt] | None,
    repeats: Count | None,
) -> dict[int | None, int]:
    """Return the repeats of the chosen n per class, another m for all of them where one is given.

    Raises:
        ConfigError: No n is chosen, or one that the protocol has not.
    """
    chosen: list[int | None] = list(schedule)
    if n_per_class is not None:
        chosen = [n_per_class] if isinstance(n_per_class, int) else list(n_per_class)
    if not chosen:
        name = "protocol.repeats={}" if n_per_class is None else "n_per_class=[]"
        raise ConfigError(f"{name}: expected at least one number")
    known = ", ".join("all" if n is None else str(n) for n in schedule)
    for n in chosen:
        if n not in schedule and (repeats is None or None in schedule):
            raise ConfigError(
                f"n_per_class={n}: the protocol has n = {known}; choose from these, or another "
                "protocol, or give repeats=m"
            )
    ordered = sorted(chosen, key=lambda n: n or math.inf)
    return {n: repeats or schedule[n] for n in ordered}
