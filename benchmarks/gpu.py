"""What a GPU is to tell of the study: whether stacks are right, speed, launches, memory, hours."""

import time
from collections.abc import Sequence
from dataclasses import asdict
from itertools import product
from typing import Any

import torch

from benchmarks import stacks, study
from benchmarks.measure import job, machine, noise_material
from fewshot_audio.runner import environment
from fewshot_audio.training.run import train
from fewshot_audio.types import Job

NS = (1, 5, 20, 100)
LIMIT = 1.0  # seconds that a short run may train after its first epoch
LAUNCHES = (1, 4, 16)  # runs of the stacks whose launches are counted
CHECKED = ("timbre", "vgg")  # models of which a stack is compared with single runs
REPEATS, CLASSES = (1, 2, 3), 3  # of that comparison, after one epoch: rounding grows


def gpu(
    models: Sequence[str], largest: Sequence[int], minutes: float, threads: int, accelerator: str
) -> dict[str, Any]:
    """Return what can be measured in so many minutes; what is left over is named.

    Args:
        models: Of the study, prototypical networks last, as they take longest.
        largest: The most runs of a stack, one number; there are no more than the schedule has.
        minutes: After these nothing new is begun.
        threads: Of torch.
        accelerator: "gpu", or "cpu" to try the script.
    """
    environment.set_up(threads, keep_memory=False)
    end = time.monotonic() + 60 * minutes
    checks = [_difference(*kind, accelerator) for kind in product(CHECKED, study.FRONTENDS)]
    launches = stacks.stacks(list(LAUNCHES), 3, threads)["cases"]
    cells, left = [], []
    for name, model, frontend, n in product(study.DATA, models, study.FRONTENDS, NS):
        kind = {"dataset": name, "model": model, "frontend": frontend, "n": n}
        if time.monotonic() > end:
            left.append(kind)
            continue
        cells.append({**kind, **_cell(kind, largest[0], accelerator)})
    about = {"accelerator": accelerator, "machine": machine(threads)}
    parts = {"checks": checks, "launches": launches, "cells": cells, "left": left}
    return {"bench": "gpu", **about, **parts, "hours": hours(cells)}


def hours(cells: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Return the study's hours by dataset, model and frontend, of those that have every n."""
    kinds: dict[str, dict[int, float]] = {}
    for cell in cells:
        name = f"{cell['dataset']} {cell['model']} {cell['frontend']}"
        kinds.setdefault(name, {})[cell["n"]] = cell["seconds"]
    schedule, found = study.few_shot_schedule(), {}
    for name, runs in kinds.items():
        if len(runs) == len(NS):
            taken = study.between(runs, schedule)
            folds = study.DATA[name.split()[0]].folds
            found[name] = sum(schedule[n] * each for n, each in taken.items()) * folds / 3600
    return found


def _difference(model: str, frontend: str, accelerator: str) -> dict[str, Any]:
    """Train runs as a stack where it is asked for, and singly on a CPU; compare their weights."""
    wanted = job(model, f"frontend={frontend}", "method.max_epochs=1")
    material = noise_material(CLASSES, len(REPEATS), 1, *study.size(wanted, 1))
    together = train(wanted, material, 1, REPEATS, accelerator)
    alone = [train(wanted, material, 1, [repeat], "cpu")[0] for repeat in REPEATS]
    largest = max(
        (one.cpu() - other.cpu()).abs().max().item()
        for each, single in zip(together, alone, strict=True)
        for one, other in zip(*(_weights(trained) for trained in (each, single)), strict=True)
    )
    return {"model": model, "frontend": frontend, "difference": largest}


def _weights(trained: Any) -> list[torch.Tensor]:
    return [each.detach() for each in trained.run.network.parameters()]


def _cell(kind: dict[str, Any], largest: int, accelerator: str) -> dict[str, Any]:
    """Return the seconds of a run in a stack, and the memory at its peak."""
    wanted: Job = job(kind["model"], f"frontend={kind['frontend']}")
    data, stack = study.DATA[kind["dataset"]], min(largest, study.few_shot_schedule()[kind["n"]])
    on_gpu = torch.cuda.is_available() and accelerator != "cpu"
    if on_gpu:
        torch.cuda.reset_peak_memory_stats()
    times = study.short(wanted, data, kind["n"], stack, accelerator, LIMIT)
    mib = torch.cuda.max_memory_allocated() / 2**20 if on_gpu else float("nan")
    taken = times.of(study.length(kind["model"]), data.test_clips)
    return {"stack": stack, "seconds": taken, **asdict(times), "mib": mib}
