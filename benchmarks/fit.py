"""How long a run takes, part by part, by model, n and stack."""

import statistics
import tempfile
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any

import torch

from benchmarks.measure import job, machine, noise_material, seconds, train_and_score
from benchmarks.study import length
from fewshot_audio.record_fields import FINISHED
from fewshot_audio.runner import environment
from fewshot_audio.runner.identity import run_specs
from fewshot_audio.runner.store import Store
from fewshot_audio.training.loop import calibrate, initialise
from fewshot_audio.training.network import Network
from fewshot_audio.training.optimizers import make_optimizer
from fewshot_audio.training.prepare import JobData, prepare_run
from fewshot_audio.training.run import train
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
    """Measure one run by part for each model, n and stack, and a plain loop of the same updates.

    Runs per hour are of runs as long as the study's, extrapolated from short ones. The overhead is
    what preparing, Lightning and the store add to the plain loop, round by round; its median is
    the result.

    Args:
        models: Names of the models.
        sizes: Clips per class.
        stacks: Runs trained together.
        epochs: Epochs of a run.
        rounds: Times of which the median is taken.
        threads: Threads of torch.
        accelerator: "cpu" or "gpu".
    """
    environment.set_up(threads, keep_memory=False)
    data = noise_material(CLASSES, max(sizes), TEST, FRAMES, 128)
    results = []
    for model, n, stack in product(models, sizes, stacks):
        settings = f"n_per_class={n}", f"repeats={stack}"
        first = job(model, *settings, "method.max_epochs=1")  # slower than the others
        train(first, data, n, range(1, min(2, stack) + 1), accelerator)
        short = job(model, *settings, f"method.max_epochs={epochs}")
        times = [_round(short, data, n, stack, accelerator) for _ in range(rounds)]
        parts = _summary(times, length(model) / epochs)
        results.append({"model": model, "n_per_class": n, "stack_size": stack, **parts})
    about = {"epochs": epochs, "rounds": rounds, "accelerator": accelerator}
    about |= {"test_clips": CLASSES * TEST}
    return {"bench": "fit", **about, "machine": machine(threads), "runs": results}


def _round(
    settings: Job, data: JobData, n_per_class: int, stack: int, accelerator: str
) -> dict[str, float]:
    """Return seconds of one run by part, and, where it is alone, of the plain loop."""
    fields = train_and_score(settings, data, n_per_class, range(1, stack + 1), accelerator)[0]
    spec, *_ = run_specs(settings, data.dataset.fold(1), data.features.key, None)
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder))
        store.prepare()
        record = {"key": spec.key, "status": FINISHED, "identity": spec.identity, **fields}
        times = {"store": seconds(lambda: store.append(store.file_of(spec), [record]))}
    device = torch.device(fields["device"].split()[0])
    if stack == 1:
        times["plain loop"] = seconds(lambda: _plain_loop(settings, data, n_per_class, device))
    return {**fields["seconds"], **times}


def _plain_loop(settings: Job, data: JobData, n_per_class: int, device: torch.device) -> Network:
    """Make the same updates as a run, in as few lines of torch as they take."""
    run = prepare_run(settings, data, n_per_class, 1)
    network, method, clips = run.network, run.method, run.method.data.to(device)
    max_epochs, max_norm = method.max_epochs, settings.optimizer.max_grad_norm
    assert max_epochs is not None
    assert max_norm is not None
    initialise(network, method)
    network.to(device)
    calibrate(network, clips)
    optimizer = make_optimizer(network.train(), settings.optimizer)
    for _ in range(max_epochs):
        for batch in method.batches(network.classifier.dropout_sizes):
            batch = batch.to(device)
            optimizer.zero_grad()
            labels = clips.labels[batch.clips]
            method.loss(network, clips.patches(batch), labels, batch.noise).backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), max_norm)
            optimizer.step()
        if method.stop_reason(network, clips):
            break
    if device.type == "cuda":
        torch.cuda.synchronize()
    return network


def _summary(rounds: list[dict[str, float]], times_as_long: float) -> dict[str, Any]:
    """Return medians by part, runs per hour, and the overhead where there is a plain loop."""
    parts = {part: round(statistics.median(each[part] for each in rounds), 4) for part in rounds[0]}
    whole = {**parts, "train": times_as_long * parts["train"], "plain loop": 0}
    summary = {"seconds": parts, "runs_per_hour": round(3600 / sum(whole.values()), 1)}
    if "plain loop" in parts:
        ratios = [
            (each["prepare"] + each["train"] + each["store"]) / each["plain loop"]
            for each in rounds
        ]
        summary["overhead"] = round(statistics.median(ratios) - 1, 4)
    return summary
