"""How long the whole study would take on this machine, from short runs of each kind, with the arithmetic."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from fewshot_audio import config, process
from fewshot_audio.bench.measure import job, machine, noise_material
from fewshot_audio.components import build
from fewshot_audio.train.run import train_and_score
from fewshot_audio.types import Job

EPOCHS = 199
PROTO_EPOCHS = 202  # the fewest after which a prototypical network can end: one best, 201 without
SIZES = {"mel": (1, 5), "waveform": (1, 3)}  # n of the short runs
TEST = 1  # clips per class that these score
ARMS = {"log_learn": 2, "leaf": 1}  # frontends that cost the same: log-EPS as log-learn


@dataclass(frozen=True)
class Data:
    """What the time of a run depends on: classes, seconds of a clip, clips to test on average, folds."""

    classes: int
    seconds: int
    test_clips: int
    folds: int


DATA = {"us8k": Data(10, 4, 873, 10), "tut_asc": Data(15, 10, 1620, 1)}


def study(models: Sequence[str], epochs: int, threads: int, accelerator: str) -> dict[str, Any]:
    """Hours of the study by dataset, model and frontend: seconds of a run are epochs x (a + b x clips) + c x test clips.

    a and b come from short runs at two n, c from their scoring; all on noise of the datasets' lengths.
    """
    process.set_up(threads, keep_memory=False)
    found = []
    for name, data in DATA.items():
        for model in models:
            found += [_arm(name, data, model, frontend, epochs, accelerator) for frontend in ARMS]
    about = {"epochs": epochs, "accelerator": accelerator, "hours": round(sum(arm["hours"] for arm in found), 1)}
    return {"bench": "study", **about, "machine": machine(threads), "arms": found}


def lines(result: dict[str, Any]) -> Iterator[str]:
    """A result for people."""
    for arm in result["arms"]:
        runs = f"{arm['runs']} runs x {arm['frontends']} frontends x {arm['folds']} folds"
        training = f"{arm['epochs']} epochs x ({arm['a_s']:.4f} s + {arm['b_s']:.4f} s x clips)"
        one = f"{training} + {arm['test_clips']} x {arm['c_s']:.4f} s"
        yield f"{arm['dataset']:8}{arm['model']:9}{arm['frontend']:10}{one}; {runs} = {arm['hours']:.1f} h"
    yield f"together {result['hours']} h"


def _arm(name: str, data: Data, model: str, frontend: str, epochs: int, accelerator: str) -> dict[str, Any]:
    wanted = job(model, f"frontend={frontend}", f"fit.epochs={epochs}")
    times = {n: _short(wanted, data, n, accelerator) for n in SIZES[build(wanted.frontend).reads]}
    (small, (first, scoring)), (large, (second, _)) = times.items()
    slope = max(0.0, (second - first) / (large - small) / data.classes)
    fixed = max(0.0, first - slope * small * data.classes)
    schedule = config.job(config.composed(["dataset=synthetic"])).repeats
    length = PROTO_EPOCHS if model.startswith("proto") else EPOCHS
    clips = sum(m * n * data.classes for n, m in schedule.items())
    runs = sum(schedule.values())
    seconds = length * (fixed * runs + slope * clips) + runs * data.test_clips * scoring
    about = {"dataset": name, "model": model, "frontend": frontend, "epochs": length, "test_clips": data.test_clips, "runs": runs}
    hours = {"frontends": ARMS[frontend], "folds": data.folds, "hours": seconds * ARMS[frontend] * data.folds / 3600}
    return {**about, "a_s": fixed, "b_s": slope, "c_s": scoring, **hours}


def _short(wanted: Job, data: Data, n_per_class: int, accelerator: str) -> tuple[float, float]:
    """Seconds of an epoch, and of scoring a clip."""
    size = _size(wanted, data.seconds)
    material = noise_material(data.classes, n_per_class, TEST, *size)
    (fields,) = train_and_score(wanted, material, n_per_class, [1], accelerator)
    seconds = fields["seconds"]
    return seconds["train"] / fields["epochs"], (seconds["filter"] + seconds["score"]) / (TEST * data.classes)


def _size(wanted: Job, seconds: int) -> tuple[int, int]:
    """Rows and columns of a clip in its bank."""
    frontend, samples = build(wanted.frontend), seconds * wanted.mel.sample_rate
    return (samples, 1) if frontend.reads == "waveform" else (1 + samples // wanted.mel.hop, 128)
