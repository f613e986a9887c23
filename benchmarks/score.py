"""How long scoring takes, and what bfloat16 changes."""

from collections.abc import Sequence
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch

from benchmarks.measure import job, machine, median, noise_material, train_and_score
from fewshot_audio import compose, config
from fewshot_audio.models.base import patchwise
from fewshot_audio.runner import environment
from fewshot_audio.runner.attempt import open_job
from fewshot_audio.training.loop import fit
from fewshot_audio.training.network import Network
from fewshot_audio.training.prepare import prepare_run

CLASSES, TRAIN, TEST = 10, 5, 1  # clips per class, of noise
SOUNDS = 40  # synthetic, per class and fold
HOP = 1
FRAMES = (173, 431)  # of clips of 4 and 10 s
CLIPS = 4  # scored together


def score(models: Sequence[str], epochs: int, rounds: int, threads: int) -> dict[str, Any]:
    """Measure the scoring of clips by all their patches: densely, patch by patch, in bfloat16.

    Times are those of networks trained on noise; what bfloat16 changes in answers is that of
    networks that learned synthetic sounds.

    Args:
        models: Names of the models.
        epochs: Epochs of training before.
        rounds: Times of which the median is taken.
        threads: Threads of torch.
    """
    environment.set_up(threads, keep_memory=False)
    return {
        "bench": "score",
        "epochs": epochs,
        "rounds": rounds,
        "machine": machine(threads),
        "models": {model: _model(model, epochs, rounds) for model in models},
    }


def _model(model: str, epochs: int, rounds: int) -> dict[str, Any]:
    data = noise_material(CLASSES, TRAIN, TEST, FRAMES[0], 128)
    settings = job(model, f"n_per_class={TRAIN}", "repeats=1", f"method.max_epochs={epochs}")
    run = prepare_run(settings, data, TRAIN, 1)
    fit([run.network], [run.method], settings.optimizer, "cpu")
    network = run.network.eval()
    rows = [data.features[clip.path] for clip in run.split.test[:CLIPS]]
    with torch.inference_mode():
        cases = [_case(network, frames, rounds) for frames in FRAMES]
        brief = _bfloat16(network, torch.from_numpy(np.stack(rows)), rounds)
    return {"clips": cases, "bf16": {"time": brief, **_changed(model, epochs)}}


def _case(network: Network, frames: int, rounds: int) -> dict[str, float]:
    noise = torch.rand(CLIPS, frames, 128, generator=torch.Generator().manual_seed(0))
    classifier, spectrograms = network.classifier, network.frontend.compute(noise)

    def dense() -> torch.Tensor:
        return classifier.forward_dense(spectrograms, HOP)

    def plain() -> torch.Tensor:
        return patchwise(classifier, spectrograms, classifier.n_frames, HOP)

    difference = ((dense() - plain()).abs().max() / plain().abs().max()).item()
    seconds, patchwise_s = median(dense, rounds), median(plain, max(1, rounds // 3))
    return {
        "frames": frames,
        "ms": 1000 * seconds / CLIPS,
        "patchwise_ms": 1000 * patchwise_s / CLIPS,
        "ratio": round(patchwise_s / seconds, 1),
        "difference": difference,
    }


def _bfloat16(network: Network, rows: torch.Tensor, rounds: int) -> float:
    """Return the time of scoring in bfloat16 over that in float32."""

    def in_bfloat16() -> None:
        with torch.autocast("cpu", torch.bfloat16):
            network.forward_dense(rows, HOP)

    in_float32 = median(lambda: network.forward_dense(rows, HOP), rounds)
    return round(median(in_bfloat16, rounds) / in_float32, 2)


def _changed(model: str, epochs: int) -> dict[str, float]:
    """Return what bfloat16 changes in answers of a network that learned synthetic sounds."""
    with TemporaryDirectory() as folder:
        settings = [
            f"n_per_class={TRAIN}",
            "repeats=1",
            f"method.max_epochs={epochs}",
            "method.reestimate_batch_norm=true",
        ]
        settings += [f"dataset.clips_per_class={SOUNDS}", f"cache={folder}"]
        results = []
        for enabled in (False, True):
            one = job(model, *settings, f"method.score_in_bfloat16={enabled}")
            opened = open_job(
                one, config.machine(compose.composed(["dataset=synthetic", *settings]))
            )
            results += train_and_score(one, opened.data, TRAIN, [1], "cpu")
    moved = np.abs(np.subtract(*(each["confusion_matrix"] for each in results))).sum() / 2
    float32, bfloat16 = (each["metrics"]["accuracy"] for each in results)
    clips = results[0]["test_clips"]
    return {"clips": clips, "moved": int(moved), "float32_accuracy": float32, "accuracy": bfloat16}
