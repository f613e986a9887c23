"""How long a study would take on this machine, by short runs of each of its kinds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np
import torch
from scipy import stats

from benchmarks.measure import job, machine, noise_material, seconds, train_and_score
from fewshot_audio import compose, config
from fewshot_audio.components import build
from fewshot_audio.frontends.base import Frontend
from fewshot_audio.runner import environment
from fewshot_audio.training.loop import CALIBRATED_EVERY, calibrate
from fewshot_audio.training.prepare import JobData, Prepared, prepare_run
from fewshot_audio.types import Job

EPOCHS, PROTO_EPOCHS = 199, 202  # of a prototypical network the fewest: one best, 201 without
FRONTENDS = ("log_eps", "log_learn", "leaf")
SHORT = 10.0  # seconds that a short run may train after its first epoch
TESTS = 1, 3  # clips per class that short runs score, the first and the last
CONFIDENCE = 0.95

Schedule = Mapping[int, int]


@dataclass(frozen=True)
class Data:
    """What the time of a run depends on: classes, seconds of a clip, test clips, folds."""

    classes: int
    seconds: int
    test_clips: int
    folds: int


DATA = {"us8k": Data(10, 4, 873, 10), "tut_asc": Data(15, 10, 1620, 1)}


@dataclass(frozen=True)
class Times:
    """Seconds of a run at one n: to begin to train and score, for each epoch, each test clip."""

    begin: float
    epoch: float
    test: float

    def of(self, epochs: int, test_clips: int) -> float:
        """Return the seconds of a whole run."""
        return self.begin + epochs * self.epoch + test_clips * self.test


def study(
    models: Sequence[str],
    ns: Sequence[int],
    stacks: Sequence[int],
    rounds: int,
    threads: int,
    accelerator: str,
) -> dict[str, Any]:
    """Return the hours of the study by dataset, model and frontend, from short runs on noise.

    Every model and frontend trains at each n of `ns`; other n lie on the line between their
    neighbours, or on that of the last two. Runs train in stacks of one size, the only one of
    `stacks`; a time is a run's share. All is measured in each round; the interval of the hours is
    over rounds (Student's t).
    """
    environment.set_up(threads, keep_memory=False)
    (stack,) = stacks
    schedule = few_shot_schedule()
    kinds = list(product(DATA, models, FRONTENDS))
    taken: dict[tuple[str, ...], list[dict[int, float]]] = {kind: [] for kind in kinds}
    for _, (name, model, frontend) in product(range(rounds), kinds):
        wanted, data = job(model, f"frontend={frontend}"), DATA[name]
        times = {n: short(wanted, data, n, stack, accelerator) for n in ns}
        runs = {n: each.of(length(model), data.test_clips) for n, each in times.items()}
        taken[name, model, frontend].append(between(runs, schedule))
        print(name, model, frontend, {n: round(each, 1) for n, each in runs.items()}, flush=True)
    parts = [_part(kind, schedule, each) for kind, each in taken.items()]
    hours = np.sum([part["hours"] for part in parts], axis=0)
    about = {"stack": stack, "ns": list(ns), "accelerator": accelerator, **interval(hours)}
    return {"bench": "study", **about, "machine": machine(threads), "parts": parts}


def few_shot_schedule() -> Schedule:
    """Return the runs of the study's schedule by n."""
    repeats = config.job(compose.composed(["dataset=synthetic"])).repeats
    return {n: each for n, each in repeats.items() if n is not None}


def length(model: str) -> int:
    """Epochs of a run of the study."""
    return PROTO_EPOCHS if model.startswith("proto") else EPOCHS


def between(runs: Mapping[int, float], ns: Sequence[int] | Schedule) -> dict[int, float]:
    """Return the seconds of a run at each n, on the lines through those that were measured."""
    known, taken = zip(*sorted(runs.items()), strict=True)
    result = {n: float(np.interp(n, known, taken)) for n in ns}
    if len(known) > 1:
        slope = (taken[-1] - taken[-2]) / (known[-1] - known[-2])
        result |= {n: taken[-1] + slope * (n - known[-1]) for n in ns if n > known[-1]}
    return result


def interval(hours: np.ndarray) -> dict[str, float]:
    """Return the mean over rounds, and its interval where there are several."""
    mean = float(hours.mean())
    if len(hours) == 1:
        return {"hours": mean}
    low, high = stats.t.interval(CONFIDENCE, len(hours) - 1, mean, stats.sem(hours))
    return {"hours": mean, "low": float(low), "high": float(high)}


def _part(
    kind: tuple[str, ...], schedule: Schedule, rounds: Sequence[Mapping[int, float]]
) -> dict[str, Any]:
    """Return what the runs of a dataset, model and frontend cost; hours of each round."""
    name, model, frontend = kind
    folds = DATA[name].folds
    hours = [sum(schedule[n] * each for n, each in one.items()) * folds / 3600 for one in rounds]
    return {
        "dataset": name,
        "model": model,
        "frontend": frontend,
        "folds": folds,
        "seconds": {n: float(np.mean([one[n] for one in rounds])) for n in schedule},
        "hours": hours,
    }


def short(
    wanted: Job, data: Data, n_per_class: int, stack: int, accelerator: str, limit: float = SHORT
) -> Times:
    """Return the times of runs, a run's share in a stack, from one of an epoch and one of some.

    The latter trains for about `limit` seconds after its first epoch, and scores more clips. Their
    differences have nothing of what begins a run or its scoring. LEAF chooses bands anew every few
    epochs: as often in the difference, or their share is added where an epoch takes too long.
    """

    def trained(epochs: int, tests: int) -> dict[str, Any]:
        arguments = {**wanted.method.arguments, "max_epochs": epochs}
        if "patience" in arguments:  # more, and no epoch's training clips would be scored
            arguments["patience"] = max(0, epochs - 2)
        job = replace(wanted, method=replace(wanted.method, arguments=arguments))
        material, repeats = _material(job, data, n_per_class, tests), range(1, stack + 1)
        return train_and_score(job, material, n_per_class, repeats, accelerator)[-1]

    few, more = TESTS
    trained(1, few)  # what comes first is slower
    first = trained(1, few)["seconds"]
    epochs = max(1, int(limit / max(first["train"], 1e-9)))
    epochs -= epochs % CALIBRATED_EVERY if epochs > CALIBRATED_EVERY else 0
    fields = trained(1 + epochs, more)
    last, device = fields["seconds"], fields["device"].split()[0]
    epoch = max(0.0, last["train"] - first["train"]) / epochs
    begin = max(0.0, first["train"] - epoch)
    if epochs < CALIBRATED_EVERY:
        material = _material(wanted, data, n_per_class, few)
        epoch += _bands(prepare_run(wanted, material, n_per_class, 1), device) / CALIBRATED_EVERY
    tests = [(each["filter"] + each["score"]) / data.classes for each in (first, last)]
    test = max(0.0, tests[1] - tests[0]) / (more - few)
    begin += max(0.0, tests[0] - test * few) * data.classes
    return Times(begin, epoch, test)


def _material(wanted: Job, data: Data, n_per_class: int, tests: int) -> JobData:
    return noise_material(data.classes, n_per_class, tests, *size(wanted, data.seconds))


def _bands(run: Prepared, device: str) -> float:
    """Return the seconds of a choice of bands that is not the first."""
    network, clips = run.network.to(device), run.method.data.to(torch.device(device))
    calibrate(network, clips)
    return seconds(lambda: calibrate(network, clips))


def size(wanted: Job, clip_seconds: int) -> tuple[int, int]:
    """Return rows and columns of a clip's features."""
    frontend, samples = build(wanted.frontend, Frontend), clip_seconds * wanted.mel.sample_rate
    return (samples, 1) if frontend.reads == "waveform" else (1 + samples // wanted.mel.hop, 128)
