"""The study's networks against files that its TensorFlow 1 graphs gave."""

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from fewshot_audio.frontends.log import LogFixed, LogLearn
from fewshot_audio.models.vgg import VGG
from fewshot_audio.training.methods.base import Generators, Method, TrainingSet
from fewshot_audio.training.methods.prototypical import Prototypical
from fewshot_audio.training.methods.supervised import Supervised
from fewshot_audio.training.network import Network
from fewshot_audio.types import DataError
from parity.checks import Arrays, Check, near_zero, outputs, relative, shown
from parity.original import classifier_of, pairs_of, twins

CLIP_NORM, DECAY = 5.0, 0.001  # of the reference training
JUDGED_COSTS = 3  # of all steps, and the first gradient norm: rounding grows with every step
SERIES = ("cost", "grad_norm")  # one value per update
SMALLEST_UPDATE = 1e-9  # some true gradients are zero
NEAR_ZERO_REACH = 0.01  # biases and shifts start at zero and a few small updates leave them near it


def supervised(arrays: Arrays) -> tuple[str, list[Check]]:
    """Return what a supervised graph's file is, in words, and its checks.

    Ours is in float64, so that only the reference's rounding shows.
    """
    arrays = _double(arrays)
    network = network_of(arrays)
    method = Supervised(
        **_settings(), batch_size=256, weight_decay=DECAY, data=None, generators=None
    )
    patches, labels = torch.from_numpy(arrays["mel"]), torch.from_numpy(arrays["labels"])
    checks = []
    with torch.no_grad():
        checks += outputs(arrays, "logits_eval_before", network.eval()(patches), 1e-5)
        checks += outputs(arrays, "logits_train_before", deepcopy(network).train()(patches), 1e-4)
    checks += _training(arrays, network, method, patches, labels)
    with torch.no_grad():
        checks += outputs(arrays, "logits_eval_after", network.eval()(patches), 1e-2)
    return _title(arrays, network, network(patches[:1]).shape[1]), checks


def prototypical(arrays: Arrays) -> tuple[str, list[Check]]:
    """Return what a prototypical graph's file is, in words, and its checks, in float64 as well."""
    arrays = _double(arrays)
    network = network_of(arrays)
    support, queries = (
        torch.from_numpy(arrays["mel_support"]),
        torch.from_numpy(arrays["mel_query"]),
    )
    classes, clips, frames = support.shape[:3]
    data = TrainingSet(
        (support.flatten(0, 1),),
        torch.full((classes * clips,), frames),
        torch.arange(classes).repeat_interleave(clips),
    )
    own = {
        "support": clips,
        "queries": 1,
        "train_hop": 1,
        "patience": 0,
        "own_frontend": network.support_frontend is not None,
    }
    method = Prototypical(**_settings(), **own, data=data, generators=Generators.named("parity"))
    labels = torch.cat([data.labels, torch.from_numpy(arrays["query_labels"])])

    def log_probabilities() -> Tensor:
        with torch.no_grad():
            state = method.scoring_state(network.eval(), data)
            return method.scorer(state)(network(queries))

    checks = [*outputs(arrays, "logp_eval_before", log_probabilities(), 1e-5)]
    checks += _training(arrays, network, method, torch.cat([data.inputs[0], queries]), labels)
    checks += outputs(arrays, "logp_eval_after", log_probabilities(), 1e-2)
    return f"prototypical {_title(arrays, network, classes)}", checks


def _double(arrays: Arrays) -> Arrays:
    """Return a file's numbers in float64 and int64, costs and gradient norms as lists.

    Raises:
        DataError: There are values after training, but nothing says how many updates.
    """
    wide = {
        name: value.astype(np.float64 if value.dtype.kind == "f" else np.int64)
        for name, value in arrays.items()
    }
    wide |= {name: np.atleast_1d(wide[name]) for name in SERIES if name in wide}
    if _steps(wide) == 0 and any("after" in name for name in wide):
        raise DataError(
            "values after training, but neither cost nor grad_norm to say how many updates"
        )
    return wide


def _steps(arrays: Arrays) -> int:
    return max((len(arrays[name]) for name in SERIES if name in arrays), default=0)


def _settings() -> dict:
    return {"max_epochs": 1, "test_hop": 1}


def network_of(arrays: Arrays) -> Network:
    """Return the network that a file's variables belong to, with its initial values."""
    variables = _variables(arrays, "init/")
    pairs = pairs_of(variables)
    frontends = [LogLearn(a=0, b=0) for _ in pairs] or [
        LogFixed(1, float(np.finfo(np.float64).eps), 10)
    ]
    network = Network(frontends[-1], classifier_of(variables))
    network.support_frontend = frontends[0] if len(pairs) > 1 else None
    network.double()
    with torch.no_grad():
        for _, ours, theirs in twins(network, variables):
            ours.copy_(theirs)
    return network


def _variables(arrays: Arrays, prefix: str) -> dict[str, np.ndarray]:
    return {
        name.removeprefix(prefix): value
        for name, value in arrays.items()
        if name.startswith(prefix)
    }


def _title(arrays: Arrays, network: Network, classes: int) -> str:
    pairs = len(pairs_of(_variables(arrays, "init/")))
    frontend = f"log-learn with {pairs} (a, b)" if pairs else "log-EPS"
    name = type(network.classifier).__name__
    return f"{name}, {classes} classes, {frontend}, {_steps(arrays)} updates"


def _training(
    arrays: Arrays, network: Network, method: Method, patches: Tensor, labels: Tensor
) -> Iterator[Check]:
    """Make the file's updates on one batch.

    Compare costs, gradient norms before clipping, and variables after.
    """
    ours = _updates(
        network, patches, method, labels, arrays["learning_rate"].item(), _steps(arrays)
    )
    for name, series, judged in zip(SERIES, ours, (JUDGED_COSTS, 1), strict=True):
        for step, (one, reference) in enumerate(zip(series, arrays.get(name, ()), strict=False), 1):
            values = (f"{name}, step {step}", torch.tensor(one), torch.tensor(reference))
            yield relative(*values, 1e-4) if step <= judged else shown(*values)
    tolerance = 1e-2 if isinstance(network.classifier, VGG) else 1e-3  # VGG amplifies rounding
    after = _variables(arrays, "after/")
    before = {name: theirs for name, _, theirs in twins(network, _variables(arrays, "init/"))}
    for name, ours, theirs in twins(network, after) if after else ():
        values = (f"after/{name}", ours.detach(), theirs)
        if theirs.abs().max() <= NEAR_ZERO_REACH:
            check = near_zero(*values)
        else:
            check = relative(*values, tolerance)
        yield replace(check, ok=check.ok and _moved_alike(ours.detach(), theirs, before[name]))


def _moved_alike(ours: Tensor, theirs: Tensor, before: Tensor) -> bool:
    """Return whether training moved a variable the same way.

    That is within half of the update and float32's rounding of the value. Five small updates
    change most variables by less than the tolerance on their values, so that the tolerance alone
    would see no wrong sign.
    """
    rounding = 4 * torch.finfo(torch.float32).eps * theirs.norm() + SMALLEST_UPDATE
    return bool((ours - theirs).norm() <= (theirs - before).norm() / 2 + rounding)


def _updates(
    network: Network, patches: Tensor, method: Method, labels: Tensor, rate: float, steps: int
) -> tuple[list[float], list[float]]:
    """Make updates on one batch: the cost of each and the norm of its gradient before clipping."""
    network.train()
    optimiser = torch.optim.SGD(network.parameters(), rate)
    costs, norms = [], []
    for _ in range(steps):
        optimiser.zero_grad()
        cost = method.loss(network, patches, labels, ())
        cost.backward()
        norms.append(torch.nn.utils.clip_grad_norm_(network.parameters(), CLIP_NORM).item())
        costs.append(cost.item())
        optimiser.step()
    return costs, norms
