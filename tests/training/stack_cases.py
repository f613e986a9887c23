"""Small runs of every model and frontend, for tests of stacks."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import torch

from fewshot_audio import compose, config
from fewshot_audio.components import build
from fewshot_audio.frontends.base import Frontend
from fewshot_audio.training.methods.base import Generators
from fewshot_audio.training.prepare import prepared

CLASSES, HOP = 3, 192
FRAMES_OF = (100, 173, 215)  # of a run's clips: one is shorter than a patch
ALONE = ("cnn14", "conv_net")  # they draw the random numbers of their dropout while they train
MODELS = sorted(
    file.stem for file in (compose.CONF / "model").glob("*.yaml") if file.stem not in ALONE
)
FRONTENDS = compose.complete("frontend")
PAIRS = [
    *((model, "log_learn") for model in MODELS if model != "proto_original"),
    ("timbre", "leaf"),
]
REST = [
    pytest.param(*pair, marks=pytest.mark.slow)
    for pair in product(MODELS, FRONTENDS)
    if pair not in PAIRS
]
SMALL = {
    "proto": ["model.width=4"],
    "proto_original": ["model.width=4"],
    "vgg": ["model.width=4"],
    "timm": ["model.architecture=test_efficientnet"],
    "cnn14": ["model.width=2"],
    "conv_net": ["model.filters=[4,4]"],
    **{
        name: ["frontend/engine=exact"]
        for name in ("leaf", "leaf_widths", "leaf_random", "efficient_leaf")
    },
}


def job(model, frontend, *settings):
    """A job of a network as small as its kind allows, at a rate that makes waveforms short."""
    where = [
        "dataset=synthetic",
        "sample_rate=8000",
        f"hop={HOP}",
        f"model={model}",
        f"frontend={frontend}",
    ]
    return config.job(
        compose.composed([*where, *SMALL.get(model, []), *SMALL.get(frontend, []), *settings])
    )


def runs(job, count, dtype=torch.float64, clips=2):
    """Untrained networks and methods of runs with clips of their own, new in every call."""
    networks, methods = [], []
    for run in range(count):
        random = np.random.default_rng(run)
        waveform = build(job.frontend, Frontend).reads == "waveform"
        rows, labels = [], []
        for label in range(CLASSES):
            for frames in random.choice(FRAMES_OF, clips):
                noise = random.random(
                    ((frames // 4 - 1) * HOP + 1, 1) if waveform else (frames, 128)
                )
                rows.append(torch.from_numpy((0.1 if waveform else 1 + label) * noise).float())
                labels.append(label)
        network, method = prepared(job, CLASSES, rows, labels, Generators.named("stack", run))
        networks.append(network.to(dtype))
        methods.append(replace(method, data=as_type(method.data, dtype)))
    return networks, methods


def as_type(data, dtype):
    """Maps or spectra in another precision."""
    types = {torch.float32: dtype, torch.complex64: dtype.to_complex()}
    return data._replace(
        inputs=tuple(each.to(types.get(each.dtype, each.dtype)) for each in data.inputs)
    )


def assert_same(one, other, tolerance):
    for name, tensor in one.state_dict().items():
        torch.testing.assert_close(
            other.state_dict()[name],
            tensor,
            atol=tolerance,
            rtol=tolerance,
            msg=lambda m, n=name: f"{n}: {m}",
        )
