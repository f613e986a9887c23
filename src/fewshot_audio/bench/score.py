"""How long scoring takes, and what bfloat16 changes."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch

from fewshot_audio import process
from fewshot_audio.bench.measure import job, machine, median, noise_material
from fewshot_audio.models.classifier import patchwise
from fewshot_audio.train.fit import fit
from fewshot_audio.train.network import Network
from fewshot_audio.train.run import draw

CLASSES, TRAIN, TEST = 10, 5, 40  # clips per class
HOP = 1
FRAMES = (173, 431)  # of clips of 4 and 10 s
CLIPS = 4  # scored together


def score(models: Sequence[str], epochs: int, rounds: int, threads: int) -> dict[str, Any]:
    """Milliseconds to score a clip by all its patches at hop 1, shared and patch by patch, their largest difference; bfloat16.

    The networks are trained on noise for some epochs, so that their answers mean something.
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
        changed = f"{found['bf16']['changed']:.1%} of {found['bf16']['clips']} answers changed"
        points = 100 * (found["bf16"]["accuracy"] - found["bf16"]["float32_accuracy"])
        yield f"{model:8}bfloat16 takes {found['bf16']['time']:.2f} of the time; {changed}, accuracy {points:+.1f} points"


def _model(model: str, epochs: int, rounds: int) -> dict[str, Any]:
    material = noise_material(CLASSES, TRAIN, TEST, FRAMES[0], 128)
    run = draw(job(model, f"n_per_class={TRAIN}", "repeats=1", f"fit.epochs={epochs}"), material, TRAIN, 1)
    fit([run.network], [run.method], "cpu")
    network = run.network.eval()
    rows = torch.from_numpy(np.stack([material.bank[clip.path] for clip in run.task.test]))
    labels = torch.tensor([clip.label for clip in run.task.test])
    with torch.inference_mode():
        return {
            "clips": [_case(network, frames, rounds) for frames in FRAMES],
            "bf16": _bfloat16(network, rows, labels, rounds),
        }


def _case(network: Network, frames: int, rounds: int) -> dict[str, float]:
    maps = network.frontend(torch.rand(CLIPS, frames, 128, generator=torch.Generator().manual_seed(0)))
    ours, plain = network.classifier.sweep(maps, HOP), patchwise(network.classifier, maps, HOP)
    shared = median(lambda: network.classifier.sweep(maps, HOP), rounds)
    apart = median(lambda: patchwise(network.classifier, maps, HOP), max(1, rounds // 3))
    difference = ((ours - plain).abs().max() / plain.abs().max()).item()
    times = {"ms": 1000 * shared / CLIPS, "patchwise_ms": 1000 * apart / CLIPS, "ratio": round(apart / shared, 1)}
    return {"frames": frames, **times, "difference": difference}


def _bfloat16(network: Network, rows: torch.Tensor, labels: torch.Tensor, rounds: int) -> dict[str, float]:
    def answers(enabled: bool, some: torch.Tensor) -> torch.Tensor:
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            found = [network.sweep(each, HOP).float().softmax(-1).mean(1) for each in some.split(CLIPS)]
        return torch.cat(found).argmax(1)

    plain, brief = answers(False, rows), answers(True, rows)
    times = [median(lambda enabled=enabled: answers(enabled, rows[:CLIPS]), rounds) for enabled in (False, True)]
    accuracies = [(each == labels).double().mean().item() for each in (plain, brief)]
    return {
        "time": round(times[1] / times[0], 2),
        "clips": len(rows),
        "changed": (plain != brief).double().mean().item(),
        "float32_accuracy": accuracies[0],
        "accuracy": accuracies[1],
    }
