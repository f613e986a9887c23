"""From trained runs to the fields of their records, and to what checkpoints hold of them."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import nn

from fewshot_audio.datasets.splits import class_counts, split_digest
from fewshot_audio.training.batchnorm import batch_norms, reestimate
from fewshot_audio.training.checkpoint import Tested
from fewshot_audio.training.clip_model import ClipModel, PatchModel
from fewshot_audio.training.crop_model import CropModel
from fewshot_audio.training.evaluate import dense_inputs, embed_clips, score_clips
from fewshot_audio.training.loop import training_set
from fewshot_audio.training.methods.base import Method, TrainingSet
from fewshot_audio.training.metrics import ClipScores, json_ready, lower_is_better
from fewshot_audio.training.network import Network
from fewshot_audio.training.prepare import (
    JobData,
    Prepared,
    PreparedOnCrops,
    targets_of,
    waveforms_of,
)
from fewshot_audio.training.recipe import recipe_of
from fewshot_audio.training.run import Trained
from fewshot_audio.training.waveform_network import embed_windows, score_windows
from fewshot_audio.types import Job

CHECKED = 8  # test clips that a frontend sees for its report


def score(trained: Trained, data: JobData) -> tuple[dict[str, Any], Tested]:
    """Score a trained run.

    Returns:
        The fields of its record that describe the result, and the test clips.
    """
    run, dataset, statistics = trained.run, data.dataset, {}
    if isinstance(run, PreparedOnCrops):
        network = run.network.network
        result, tested = _results_by_windows(run, data)
    else:
        network = run.network
        training_clips = run.method.data.to(network.device)
        result, tested = _results(run, data, training_clips)
        with run.watch.part("measure"):
            statistics = patch_statistics(network, run.method, training_clips)
    device, cuda = network.device, network.device.type == "cuda"
    fields = {
        **result,
        "lower_is_better": [
            name
            for metric in lower_is_better(run.job.metrics, len(dataset.classes))
            for name in tested.scores.names_of(metric)
        ],
        "class_names": dataset.classes,
        **asdict(trained.history),
        "learned": json_ready(network.learned_scalars()),
        "patch_statistics": statistics,
        **_diagnostics(network),
        "frontend_input": network.frontend.reads,
        "parameters": trainable(network),
        "frontend_parameters": sum(map(trainable, network.frontends())),
        "few_shot_split": split_digest(run.split),
        **class_counts(run.split, len(dataset.classes)),
        "notes": (*dataset.notes, *data.splits.notes),
        "seconds": run.watch.seconds,
        "device": f"{device} {torch.cuda.get_device_name()}" if cuda else str(device),
    }
    return fields, tested


def trainable(module: nn.Module) -> int:
    """Return the number of parameters that training changes."""
    return sum(each.numel() for each in module.parameters() if each.requires_grad)


def trained_model(trained: Trained, data: JobData) -> ClipModel:
    """Return the network of a scored run as checkpoints hold it."""
    run, classes = trained.run, data.dataset.classes
    recipe = recipe_of(run.job)
    if isinstance(run, PreparedOnCrops):
        return CropModel(recipe, classes, run.network)
    network, method = run.network, run.method
    state = method.scoring_state(network, method.data.to(network.device))
    return PatchModel(recipe, classes, network, method, state)


def _results(
    run: Prepared, data: JobData, training_clips: TrainingSet
) -> tuple[dict[str, Any], Tested]:
    """Return the fields that hold metrics and counts of test clips, and these clips."""
    network, method, watch = run.network, run.method, run.watch
    clips = data.batches(run.split.test, network)
    targets, stored = targets_of(run.split.test, data.dataset), {}
    with watch.part("filter"):
        inputs = dense_inputs(network, clips)
        check_frontend(network, data.features.of([clip.id for clip in run.split.test]))
    if method.reestimate_batch_norm:
        with watch.part("score stored"):
            scores = ClipScores(score_clips(network, method, training_clips, inputs), targets)
            stored = {"metrics_stored_batch_norm": scores.metrics(run.job.metrics)}
        with watch.part("reestimate"):
            reestimate(network, method, training_clips)
            if batch_norms(network.frontend):
                inputs = dense_inputs(network, clips)  # its own statistics are new too
    with watch.part("score"):
        scores = ClipScores(score_clips(network, method, training_clips, inputs), targets)
    embeddings = partial(embed_clips, network, method, inputs)
    return _fields_of(scores, run.job) | stored, Tested(run.split.test, scores, embeddings)


def _results_by_windows(run: PreparedOnCrops, data: JobData) -> tuple[dict[str, Any], Tested]:
    """Return the fields that hold metrics and counts of test clips, and their scores by windows."""
    clips = run.split.test
    with run.watch.part("score"):
        run.network.check(waveforms_of(run.network, clips, data))
        rows = data.features.of([clip.id for clip in clips])
        found, targets = score_windows(run.network, rows), targets_of(clips, data.dataset)
        scores = run.network.method.clip_scores(found, targets)
    embeddings = partial(embed_windows, run.network, rows)
    return _fields_of(scores, run.job), Tested(clips, scores, embeddings)


def _fields_of(scores: ClipScores, job: Job) -> dict[str, Any]:
    return {
        "metrics": scores.metrics(job.metrics),
        "test_clips": len(scores.targets),
        "unscored_clips": scores.unscored_clips,
        "confusion_matrix": scores.confusion_matrix(),
    }


@torch.no_grad()
def check_frontend(network: Network, rows: Sequence[np.ndarray]) -> None:
    """Let a frontend that needs whole clips see a few test clips, for its diagnostics."""
    if network.frontend.pointwise:
        return
    chosen = np.linspace(0, len(rows) - 1, min(CHECKED, len(rows))).round().astype(int)
    clips = [torch.from_numpy(rows[number].copy()) for number in chosen]
    data = training_set(network.frontend, clips, [0] * len(clips))
    network.frontend.check(*data.to(network.device).inputs)


def _diagnostics(network: Network) -> dict[str, Any]:
    """Return what the frontends report, if they do."""
    names = ("frontend_diagnostics", "support_frontend_diagnostics")
    reports = [json_ready(frontend.report()) for frontend in network.frontends()]
    return {name: report for name, report in zip(names, reports, strict=False) if report}


def patch_statistics(
    network: Network, method: Method, data: TrainingSet
) -> dict[str, float | None]:
    """Return what a pointwise frontend says of the patches of one more epoch, as means over them.

    The patches of a support are among them.
    """
    sums: Counter[str] = Counter()
    if not network.frontend.pointwise:
        return {}
    count = 0
    for batch in method.batches(network.classifier.dropout_sizes):
        patches = data.patches(batch.to(network.device)).cut()
        statistics = network.frontend.patch_statistics(patches)
        sums.update({name: value * len(batch.clips) for name, value in statistics.items()})
        count += len(batch.clips)
    return {name: json_ready(total / count) for name, total in sums.items()}
