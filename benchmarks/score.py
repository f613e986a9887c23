"""How long scoring takes, and what bfloat16 changes."""

from collections.abc import Iterator, Sequence
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch

from benchmarks.measure import job, machine, median, noise_material, train_and_score
from fewshot_audio import config
from fewshot_audio import processes as process
from fewshot_audio.models.base import patchwise
from fewshot_audio.runner.attempt import opened
from fewshot_audio.training.loop import fit
from fewshot_audio.training.network import Network
from fewshot_audio.training.run import draw

CLASSES, TRAIN, TEST = 10, 5, 1  # clips per class, of noise
SOUNDS = 40  # made-up, per class and fold
HOP = 1
FRAMES = (173, 431)  # of clips of 4 and 10 s
CLIPS = 4  # scored together


def score(models: Sequence[str], epochs: int, rounds: int, threads: int) -> dict[str, Any]:
    """Milliseconds to score a clip by all its patches at hop 1, shared and patch by patch, their largest difference; bfloat16.

    Times are taken of networks trained on noise for some epochs, the effect of bfloat16 on answers of ones that learned sounds.
    """
    process.set_up(threads, keep_memory=False)
    return {
        "bench": "score",
        "epochs": epochs,
        "rounds": rounds,
        "machine": machine(threads),
        "models": {model: _model(model, epochs, rounds) for model in models},
    }


def lines(result: dict[str, Any]) -> Iterator[str]:
    """A result for people."""
    for model, found in result["models"].items():
        for case in found["clips"]:
            times = f"{case['ms']:8.2f} ms, patch by patch {case['patchwise_ms']:8.1f}: {case['ratio']:6.1f} times as long"
            yield f"{model:8}{case['frames']} frames {times}, differ by {case['difference']:.0e} of the largest"
        brief = found["bf16"]
        points = (
            f"accuracy {100 * brief['float32_accuracy']:.1f} and {100 * brief['accuracy']:.1f} %"
        )
        answers = f"{points}, {brief['moved']} of {brief['clips']} answers moved at least"
        yield f"{model:8}bfloat16 takes {brief['time']:.2f} of the time; {answers}"


def _model(model: str, epochs: int, rounds: int) -> dict[str, Any]:
    material = noise_material(CLASSES, TRAIN, TEST, FRAMES[0], 128)
    wanted = job(model, f"n_per_class={TRAIN}", "repeats=1", f"method.max_epochs={epochs}")
    run = draw(wanted, material, TRAIN, 1)
    fit([run.network], [run.method], wanted.optimizer, "cpu")
    network = run.network.eval()
    rows = torch.from_numpy(np.stack([material.bank[clip.path] for clip in run.task.test[:CLIPS]]))
    with torch.inference_mode():
        cases, brief = (
            [_case(network, frames, rounds) for frames in FRAMES],
            _bfloat16(network, rows, rounds),
        )
    return {"clips": cases, "bf16": {"time": brief, **_changed(model, epochs)}}


def _case(network: Network, frames: int, rounds: int) -> dict[str, float]:
    maps = network.frontend(
        torch.rand(CLIPS, frames, 128, generator=torch.Generator().manual_seed(0))
    )
    ours, plain = (
        network.classifier.forward_dense(maps, HOP),
        patchwise(network.classifier, maps, HOP),
    )
    shared = median(lambda: network.classifier.forward_dense(maps, HOP), rounds)
    apart = median(lambda: patchwise(network.classifier, maps, HOP), max(1, rounds // 3))
    difference = ((ours - plain).abs().max() / plain.abs().max()).item()
    times = {
        "ms": 1000 * shared / CLIPS,
        "patchwise_ms": 1000 * apart / CLIPS,
        "ratio": round(apart / shared, 1),
    }
    return {"frames": frames, **times, "difference": difference}


def _bfloat16(network: Network, rows: torch.Tensor, rounds: int) -> float:
    """The time of scoring in bfloat16 over that in float32."""

    def answers(enabled: bool) -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            network.forward_dense(rows, HOP)

    times = [median(lambda enabled=enabled: answers(enabled), rounds) for enabled in (False, True)]
    return round(times[1] / times[0], 2)


def _changed(model: str, epochs: int) -> dict[str, float]:
    """What bfloat16 changes in the answers of a network that has learned made-up sounds: training is the same twice."""
    with TemporaryDirectory() as folder:
        settings = [
            f"n_per_class={TRAIN}",
            "repeats=1",
            f"method.max_epochs={epochs}",
            "method.reestimate_batch_norm=true",
        ]
        settings += [f"dataset.clips_per_class={SOUNDS}", f"cache={folder}"]
        found = []
        for enabled in (False, True):
            one = job(model, *settings, f"method.score_in_bfloat16={enabled}")
            here = opened(one, config.machine(config.composed(["dataset=synthetic", *settings])))
            found += train_and_score(one, here.material, TRAIN, [1], "cpu")
    moved = np.abs(np.subtract(*(each["confusion_matrix"] for each in found))).sum() / 2
    accuracies = {
        name: each["accuracy"]
        for name, each in zip(("float32_accuracy", "accuracy"), found, strict=True)
    }
    return {"clips": found[0]["clips"], "moved": int(moved), **accuracies}
