"""Whether the projection of the benchmark `study` is right: a small study, projected and done."""

from itertools import product
from typing import Any

from benchmarks.measure import job, machine, noise_material, seconds, train_and_score
from benchmarks.study import FRONTENDS, Data, short, size
from fewshot_audio.runner import environment
from fewshot_audio.types import Job

DATA = Data(classes=4, seconds=1, test_clips=16, folds=1)
MODELS, SCHEDULE, EPOCHS = ("timbre", "vgg"), {1: 3, 5: 2}, 30


def projection(rounds: int, threads: int, accelerator: str) -> dict[str, Any]:
    """Return projected and measured seconds of a small study, kind by kind, round by round."""
    environment.set_up(threads, keep_memory=False)
    rows: list[dict[str, Any]] = []
    for number, model, frontend in product(range(rounds), MODELS, FRONTENDS):
        wanted = job(model, f"frontend={frontend}", f"method.max_epochs={EPOCHS}")
        projected = sum(
            runs * short(wanted, DATA, n, 1, accelerator).of(EPOCHS, DATA.test_clips)
            for n, runs in SCHEDULE.items()
        )
        names = {"round": number, "model": model, "frontend": frontend}
        rows.append({**names, **_compared(projected, _done(wanted, accelerator))})
    both = (sum(row[name] for row in rows) for name in ("projected", "measured"))
    about = {"bench": "projection", "machine": machine(threads)}
    return {**about, "rows": rows, "together": _compared(*both)}


def _compared(projected: float, measured: float) -> dict[str, float]:
    return {"projected": projected, "measured": measured, "ratio": projected / measured}


def _done(wanted: Job, accelerator: str) -> float:
    """Return the seconds of the runs of a model and a frontend."""
    taken = 0.0
    for n, runs in SCHEDULE.items():
        test = DATA.test_clips // DATA.classes
        material = noise_material(DATA.classes, n, test, *size(wanted, DATA.seconds))
        for repeat in range(1, runs + 1):
            given = wanted, material, n, [repeat], accelerator
            taken += seconds(lambda given=given: train_and_score(*given))  # type: ignore[misc]
    return taken
