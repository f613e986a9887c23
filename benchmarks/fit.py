"""How long a run takes, part by part, by model, n and stack."""

import statistics
import tempfile
from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import torch

from benchmarks.measure import job, machine, noise_material, seconds, train_and_score
from benchmarks.study import length
from fewshot_audio import processes as process
from fewshot_audio.runner.identity import run_specs
from fewshot_audio.runner.store import FINISHED, Store
from fewshot_audio.training.loop import calibrate, initialise
from fewshot_audio.training.network import Network
from fewshot_audio.training.optimizers import make_optimizer
from fewshot_audio.training.run import JobData, draw, train
from fewshot_audio.types import Job

CLASSES, FRAMES, TEST = 10, 173, 45  # clips of 4 s; clips per class to test


def fit(
    models: Sequence[str],
    sizes: Sequence[int],
    stacks: Sequence[int],
    epochs: int,
    rounds: int,
    threads: int,
    accelerator: str,
) -> dict[str, Any]:
    """Seconds of one run by part for each model, n and stack, and of a plain torch loop that makes the same updates.

    Runs per hour are of runs as long as the study's, as these of some `epochs` let expect. The overhead is what draw, Lightning
    and store add to the plain loop, round by round; its median is the result.
    """
    process.set_up(threads, keep_memory=False)
    material = noise_material(CLASSES, max(sizes), TEST, FRAMES, 128)
    found = []
    for model, n, stack in product(models, sizes, stacks):
        settings = f"n_per_class={n}", f"repeats={stack}"
        train(
            job(model, *settings, "method.max_epochs=1"),
            material,
            n,
            range(1, min(2, stack) + 1),
            accelerator,
        )  # the first is slower
        wanted = job(model, *settings, f"method.max_epochs={epochs}")
        parts = _summary(
            [_round(wanted, material, n, stack, accelerator) for _ in range(rounds)],
            length(model) / epochs,
        )
        found.append({"model": model, "n_per_class": n, "stack": stack, **parts})
    about = {
        "epochs": epochs,
        "rounds": rounds,
        "test_clips": CLASSES * TEST,
        "accelerator": accelerator,
    }
    return {"bench": "fit", **about, "machine": machine(threads), "runs": found}


def lines(result: dict[str, Any]) -> Iterator[str]:
    """A result for people."""
    for run in result["runs"]:
        parts = "  ".join(f"{name} {value:.3f} s" for name, value in run["seconds"].items())
        overhead = f"  overhead {run['overhead']:.1%}" if "overhead" in run else ""
        per_hour = f"{run['runs_per_hour']:.1f} runs per hour of {length(run['model'])} epochs"
        yield f"{run['model']:9}n {run['n_per_class']:<4}stack {run['stack']:<3}{parts}{overhead}  {per_hour}"


def _round(
    wanted: Job, material: JobData, n_per_class: int, stack: int, accelerator: str
) -> dict[str, float]:
    """Seconds of one run by part, and, where it is alone, of the plain loop."""
    fields = train_and_score(wanted, material, n_per_class, range(1, stack + 1), accelerator)[0]
    spec, *_ = run_specs(wanted, material.bank.key, None)
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder))
        store.prepare()
        line = {"key": spec.key, "status": FINISHED, "identity": spec.identity, **fields}
        stored = seconds(lambda: store.append(store.file_of(spec), [line]))
    device = torch.device(fields["device"].split()[0])
    plain = (
        {"plain loop": seconds(lambda: _plain_loop(wanted, material, n_per_class, device))}
        if stack == 1
        else {}
    )
    return {**fields["seconds"], "store": stored, **plain}


def _plain_loop(wanted: Job, material: JobData, n_per_class: int, device: torch.device) -> Network:
    """The same updates as a run's, in as few lines of torch as they take."""
    run = draw(wanted, material, n_per_class, 1)
    network, method, data = run.network, run.method, run.method.data.to(device)
    initialise(network, method)
    network.to(device)
    calibrate(network, data)
    optimiser = make_optimizer(network.train(), wanted.optimizer)
    for _ in range(method.max_epochs):
        for batch in method.batches(network.classifier.dropout_sizes):
            here = batch.to(device)
            optimiser.zero_grad()
            method.loss(network, data.patches(here), data.labels[here.clips], here.noise).backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), wanted.optimizer.max_grad_norm)
            optimiser.step()
        if method.stop_reason(network, data):
            break
    if device.type == "cuda":
        torch.cuda.synchronize()
    return network


def _summary(rounds: list[dict[str, float]], times_as_long: float) -> dict[str, Any]:
    parts = {part: round(statistics.median(each[part] for each in rounds), 4) for part in rounds[0]}
    whole = {**parts, "train": times_as_long * parts["train"], "plain loop": 0}
    found = {"seconds": parts, "runs_per_hour": round(3600 / sum(whole.values()), 1)}
    if "plain loop" in parts:
        ratios = [
            (each["draw"] + each["train"] + each["store"]) / each["plain loop"] for each in rounds
        ]
        found["overhead"] = round(statistics.median(ratios) - 1, 4)
    return found
