"""How long the whole study would take on this machine, by short runs of each kind."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

import torch

from benchmarks.measure import job, machine, noise_material, seconds, train_and_score
from fewshot_audio import config
from fewshot_audio.components import build
from fewshot_audio.frontends.base import Frontend
from fewshot_audio.runner import environment
from fewshot_audio.training.loop import CALIBRATED_EVERY, calibrate
from fewshot_audio.training.prepare import prepare_run
from fewshot_audio.types import Job

EPOCHS = 199
PROTO_EPOCHS = 202  # the fewest after which a prototypical network can end: one best, 201 without
PROTO_SHORT = 2  # epochs of its short runs: each takes seconds
SIZES = {"mel": (1, 5), "waveform": (1, 2)}  # n of the short runs
SIZES_OF_STACKS = {"mel": (2, 10), "waveform": (1, 20)}  # where a GPU has enough to do
TEST = 1  # clips per class that these score
MEL_FRONTENDS = ("log_eps", "log_learn")  # which take equally long
LEAF_BY = "timbre"  # what LEAF adds to a run is measured with this model


@dataclass(frozen=True)
class Data:
    """What the time of a run depends on: classes, seconds of a clip, test clips, folds."""

    classes: int
    seconds: int
    test_clips: int
    folds: int


DATA = {"us8k": Data(10, 4, 873, 10), "tut_asc": Data(15, 10, 1620, 1)}


@dataclass(frozen=True)
class Cost:
    """Seconds of a run: epochs x (`epoch` + `clip` x training clips) + `test` x test clips."""

    epoch: float
    clip: float
    test: float

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(self.epoch + other.epoch, self.clip + other.clip, self.test + other.test)

    def __sub__(self, other: "Cost") -> "Cost":
        return Cost(self.epoch - other.epoch, self.clip - other.clip, self.test - other.test)


def study(
    models: Sequence[str], stacks: Sequence[int], epochs: int, threads: int, accelerator: str
) -> dict[str, Any]:
    """Return the hours of the study by dataset, model and frontend, from short runs on noise.

    Runs train in stacks of one size, the only one of `stacks`; a time is a run's share. What LEAF
    adds to a run is taken from one model, but for prototypical networks, which filter clips in
    another way.
    """
    environment.set_up(threads, keep_memory=False)
    (stack,) = stacks
    parts = []
    for name, data in DATA.items():
        cost = partial(_cost, data, stack, epochs, accelerator)
        leaf = None
        for model in models:
            alone = cost(model, MEL_FRONTENDS[0])
            if model.startswith("proto"):
                with_leaf = cost(model, "leaf")
            else:
                leaf = leaf or cost(LEAF_BY, "leaf") - (
                    alone if model == LEAF_BY else cost(LEAF_BY, MEL_FRONTENDS[0])
                )
                with_leaf = alone + leaf
            parts += [
                _part_of_study(name, data, model, MEL_FRONTENDS, alone),
                _part_of_study(name, data, model, ("leaf",), with_leaf),
            ]
    about = {
        "stack": stack,
        "epochs": epochs,
        "accelerator": accelerator,
        "hours": round(sum(part["hours"] for part in parts), 1),
    }
    return {"bench": "study", **about, "machine": machine(threads), "parts": parts}


def length(model: str) -> int:
    """Epochs of a run of the study."""
    return PROTO_EPOCHS if model.startswith("proto") else EPOCHS


def lines(result: dict[str, Any]) -> Iterator[str]:
    """A result for people."""
    for part in result["parts"]:
        runs = f"{part['runs']} runs x {len(part['frontends'])} frontends x {part['folds']} folds"
        epoch = f"({part['epoch']:.4f} s + {part['clip']:.4f} s x {part['clips']:.0f} clips)"
        training = f"{part['epochs']} epochs x {epoch}"
        one = f"{training} + {part['test']:.4f} s x {part['test_clips']} clips"
        names = f"{part['dataset']:8}{part['model']:7}{'/'.join(part['frontends']):18}"
        yield f"{names}{one}; {runs} = {part['hours']:.1f} h"
    yield f"together {result['hours']} h"


def _part_of_study(
    name: str, data: Data, model: str, frontends: Sequence[str], cost: Cost
) -> dict[str, Any]:
    """Return what a model's runs with some frontends cost; `clips` train in a run on average."""
    schedule = config.job(config.composed(["dataset=synthetic"])).repeats
    runs = sum(schedule.values())
    clips = sum(m * n for n, m in schedule.items()) / runs * data.classes
    one = length(model) * (cost.epoch + cost.clip * clips) + cost.test * data.test_clips
    about = {
        "dataset": name,
        "model": model,
        "frontends": list(frontends),
        "epochs": length(model),
        "clips": clips,
        "runs": runs,
    }
    hours = one * runs * len(frontends) * data.folds / 3600
    return {
        **about,
        "test_clips": data.test_clips,
        "folds": data.folds,
        **asdict(cost),
        "hours": hours,
    }


def _cost(data: Data, stack: int, epochs: int, accelerator: str, model: str, frontend: str) -> Cost:
    """What runs of a model cost, from short ones at each of two n."""
    short = min(epochs, PROTO_SHORT) if model.startswith("proto") else epochs
    wanted = job(model, f"method.max_epochs={short}", f"frontend={frontend}")
    reads = build(wanted.frontend, Frontend).reads
    small, large = (SIZES if stack == 1 else SIZES_OF_STACKS)[reads]
    (first, test), (second, _) = (
        _short(wanted, data, n, stack, accelerator) for n in (small, large)
    )
    slope = max(0.0, (second - first) / (large - small) / data.classes)
    return Cost(max(0.0, first - slope * small * data.classes), slope, test)


def _short(
    wanted: Job, data: Data, n_per_class: int, stack: int, accelerator: str
) -> tuple[float, float]:
    """Seconds of an epoch, and of scoring a clip: a run's share in a stack."""
    material = noise_material(data.classes, n_per_class, TEST, *_size(wanted, data.seconds))
    once_only = replace(wanted.method, arguments={**wanted.method.arguments, "max_epochs": 1})
    few = range(1, 1 + min(2, stack))
    train_and_score(
        replace(wanted, method=once_only), material, n_per_class, few, accelerator
    )  # what comes first is slower
    *_, fields = train_and_score(wanted, material, n_per_class, range(1, stack + 1), accelerator)
    took, epochs = fields["seconds"], fields["epochs"]
    run = prepare_run(wanted, material, n_per_class, 1)
    device = torch.device(fields["device"].split()[0])
    network, clips = run.network.to(device), run.method.data.to(device)
    once = seconds(
        lambda: calibrate(network, clips)
    )  # a short run does so at its start and its end
    epoch = max(0.0, took["train"] - 2 * once) / epochs + once / CALIBRATED_EVERY
    return epoch, (took["filter"] + took["score"]) / (TEST * data.classes)


def _size(wanted: Job, clip_seconds: int) -> tuple[int, int]:
    """Rows and columns of a clip in its bank."""
    frontend, samples = build(wanted.frontend, Frontend), clip_seconds * wanted.mel.sample_rate
    return (samples, 1) if frontend.reads == "waveform" else (1 + samples // wanted.mel.hop, 128)
