"""Our networks against files of reference values made by the original implementations."""

import zipfile
from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from fewshot_audio.frontends.log_fixed import LogFixed
from fewshot_audio.frontends.log_learn import LogLearn
from fewshot_audio.models.original import classifier_of, pairs_of, twins
from fewshot_audio.models.vgg import VGG
from fewshot_audio.train.method import Method, Randomness, TrainingSet
from fewshot_audio.train.network import Network
from fewshot_audio.train.prototypical import Prototypical
from fewshot_audio.train.supervised import Supervised
from fewshot_audio.types import DataError

Arrays = Mapping[str, np.ndarray]
CLIP_NORM, DECAY = 5.0, 0.001  # of the reference training
JUDGED_COSTS = 3  # of all steps, and the first gradient norm: rounding grows with every step
ROUNDINGS, ROUNDING_FACTOR = 3, 4  # a max-pool's gradient jumps where two values nearly tie: what float32 leaves open is allowed
NEAR_ZERO = 0.01  # biases and shifts start at zero and five small updates leave them near it
NEAR_ZERO_TOLERANCE = 1e-4


@dataclass(frozen=True)
class Check:
    """One quantity: its norm in ours and in the reference, the largest deviations, and whether they are within tolerance."""

    name: str
    ours: float
    reference: float
    absolute: float
    relative: float  # of the deviation's norm to the reference's
    tolerance: str  # empty: shown, not judged
    ok: bool


def compare(path: Path) -> tuple[str, list[Check]]:
    """A reference file to what it is, in words, and a check of everything that it holds.

    Ours is computed in float64, so that only the reference's own float32 rounding shows. DataError where the file cannot be
    read or is of no known format.
    """
    arrays = {name: value.astype(np.float64) if value.dtype.kind == "f" else value for name, value in read(path).items()}
    for names, compared in FORMATS.items():
        if set(names) <= arrays.keys():
            try:
                return compared(arrays)
            except (KeyError, ValueError) as error:
                raise DataError(f"{path}: not as a file with {', '.join(names)} should be: {error}") from error
    known = " or ".join(", ".join(names) for names in FORMATS)
    raise DataError(f"{path}: no known format; expected {known}; found {', '.join(arrays)}")


def read(path: Path) -> dict[str, np.ndarray]:
    """The arrays of an .npz file. DataError where it is none."""
    try:
        with np.load(path) as file:
            return dict(file)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, AttributeError, TypeError) as error:
        raise DataError(f"{path}: no .npz file of arrays ({error})") from error


def _supervised(arrays: Arrays) -> tuple[str, list[Check]]:
    network = _network(arrays)
    method = Supervised(**_settings(arrays), batch_size=256, decay=DECAY, data=None, randomness=None)
    patches, labels = torch.from_numpy(arrays["mel"]), torch.from_numpy(arrays["labels"])
    checks = []
    with torch.no_grad():
        checks += _outputs(arrays, "logits_eval_before", network.eval()(patches), 1e-5)
        checks += _outputs(arrays, "logits_train_before", deepcopy(network).train()(patches), 1e-4)
    checks += _training(arrays, network, method, patches, labels)
    with torch.no_grad():
        checks += _outputs(arrays, "logits_eval_after", network.eval()(patches), 1e-2)
    return _title(arrays, network, network(patches[:1]).shape[1]), checks


def _prototypical(arrays: Arrays) -> tuple[str, list[Check]]:
    network = _network(arrays)
    support, queries = torch.from_numpy(arrays["mel_support"]), torch.from_numpy(arrays["mel_query"])
    classes, clips, frames = support.shape[:3]
    data = TrainingSet(
        support.flatten(0, 1), torch.full((classes * clips,), frames), torch.arange(classes).repeat_interleave(clips)
    )
    own = {"support": clips, "queries": 1, "train_hop": 1, "patience": 0, "own_frontend": network.support_frontend is not None}
    method = Prototypical(**_settings(arrays), **own, data=data, randomness=Randomness.named("parity"))
    labels = torch.cat([data.labels, torch.from_numpy(arrays["query_labels"])])

    def log_probabilities() -> Tensor:
        with torch.no_grad():
            return method.scorer(network.eval())(network(queries))

    checks = [*_outputs(arrays, "logp_eval_before", log_probabilities(), 1e-5)]
    checks += _training(arrays, network, method, torch.cat([data.maps, queries]), labels)
    checks += _outputs(arrays, "logp_eval_after", log_probabilities(), 1e-2)
    return f"prototypical {_title(arrays, network, classes)}", checks


def _settings(arrays: Arrays) -> dict:
    rate = float(arrays["learning_rate"])
    return {"epochs": 1, "learning_rate": rate, "clip_norm": CLIP_NORM, "test_hop": 1, "reestimate_bn": False}


def _network(arrays: Arrays) -> Network:
    """The network that a file's variables belong to, with its initial values."""
    variables = _variables(arrays, "init/")
    pairs = pairs_of(variables)
    frontends = [LogLearn(0, 0, "e") for _ in pairs] or [LogFixed(1, float(np.finfo(np.float64).eps), 10)]
    network = Network(frontends[-1], classifier_of(variables))
    network.support_frontend = frontends[0] if len(pairs) > 1 else None
    network.double()
    with torch.no_grad():
        for _, ours, theirs in twins(network, variables):
            ours.copy_(theirs)
    return network


def _variables(arrays: Arrays, prefix: str) -> dict[str, np.ndarray]:
    return {name.removeprefix(prefix): value for name, value in arrays.items() if name.startswith(prefix)}


def _title(arrays: Arrays, network: Network, classes: int) -> str:
    pairs = len(pairs_of(_variables(arrays, "init/")))
    frontend = f"log-learn with {pairs} (a, b)" if pairs else "log-EPS"
    return f"{type(network.classifier).__name__}, {classes} classes, {frontend}, {len(arrays.get('cost', ()))} updates"


def _training(arrays: Arrays, network: Network, method: Method, patches: Tensor, labels: Tensor) -> Iterator[Check]:
    """Make the file's updates on one batch; compare costs, gradient norms before clipping, and variables after."""
    roundings = [_updates(*_perturbed(network, patches, seed), method, labels, JUDGED_COSTS) for seed in range(ROUNDINGS)]
    ours = _updates(network, patches, method, labels, len(arrays.get("cost", ())))
    for name, found, rounded, judged in zip(
        ("cost", "grad_norm"), ours, zip(*roundings, strict=True), (JUDGED_COSTS, 1), strict=True
    ):
        for step, (one, reference) in enumerate(zip(found, arrays.get(name, ()), strict=True), 1):
            spread = max(abs(each[step - 1] / one - 1) for each in rounded) if step <= judged else None
            tolerance = None if spread is None else 1e-4 + ROUNDING_FACTOR * spread
            yield relative(f"{name}, step {step}", torch.tensor(one), torch.tensor(reference), tolerance)
    tolerance = 1e-2 if isinstance(network.classifier, VGG) else 1e-3  # VGG amplifies rounding
    after = _variables(arrays, "after/")
    for name, ours, theirs in twins(network, after) if after else ():
        yield relative(f"after/{name}", ours.detach(), theirs, tolerance, theirs.abs().max() <= NEAR_ZERO)


def _updates(network: Network, patches: Tensor, method: Method, labels: Tensor, steps: int) -> tuple[list[float], list[float]]:
    """Make updates on one batch: the cost of each and the norm of its gradient before clipping."""
    network.train()
    optimiser = torch.optim.SGD(network.parameters(), method.learning_rate)
    costs, norms = [], []
    for _ in range(steps):
        optimiser.zero_grad()
        cost = method.loss(network, patches, labels, ())
        cost.backward()
        norms.append(torch.nn.utils.clip_grad_norm_(network.parameters(), method.clip_norm).item())
        costs.append(cost.item())
        optimiser.step()
    return costs, norms


def _perturbed(network: Network, patches: Tensor, seed: int) -> tuple[Network, Tensor]:
    """A float32 copy, and its patches changed by as much as float32 rounds: to see what rounding alone does."""
    noise = torch.randn(patches.shape, generator=torch.Generator().manual_seed(seed), dtype=patches.dtype)
    return deepcopy(network).float(), (patches * (1 + torch.finfo(torch.float32).eps * noise)).float()


def _outputs(arrays: Arrays, name: str, ours: Tensor, tolerance: float) -> Iterator[Check]:
    """A check of outputs by their largest deviation, as a share of the largest output where that is above 1."""
    if name in arrays:
        theirs = torch.from_numpy(arrays[name])
        scale = max(1.0, theirs.abs().max().item())
        yield _check(name, ours, theirs, f"{tolerance:g} of {scale:.3g}", lambda absolute, _: absolute <= tolerance * scale)


def relative(name: str, ours: Tensor, theirs: Tensor, tolerance: float | None, near_zero: bool = False) -> Check:
    """A check by the norm of the deviation, or, for values near zero, by the largest one; tolerance None: only shown."""
    if tolerance is None:
        return _check(name, ours, theirs, "", lambda *_: True)
    if near_zero:
        return _check(
            name, ours, theirs, f"{NEAR_ZERO_TOLERANCE:g} near zero", lambda absolute, _: absolute <= NEAR_ZERO_TOLERANCE
        )
    return _check(name, ours, theirs, f"{tolerance:.2g} relative", lambda _, share: share <= tolerance)


def _check(name: str, ours: Tensor, theirs: Tensor, tolerance: str, judge) -> Check:
    if ours.shape != theirs.shape:
        raise DataError(f"{name}: shape {tuple(theirs.shape)} in the file, {tuple(ours.shape)} in ours")
    ours, theirs = ours.double(), theirs.double()
    absolute = (ours - theirs).abs().max().item()
    share = ((ours - theirs).norm() / theirs.norm().clamp(min=torch.finfo(torch.float64).tiny)).item()
    return Check(name, ours.norm().item(), theirs.norm().item(), absolute, share, tolerance, bool(judge(absolute, share)))


FORMATS = {("mel", "labels"): _supervised, ("mel_support", "mel_query", "query_labels"): _prototypical}


def text(checks: list[Check]) -> str:
    """Checks as lines: name, ours, reference, largest absolute and relative deviation, tolerance, verdict."""
    width = max(len(check.name) for check in checks)
    head = f"{'':{width}}  {'ours':>11}  {'reference':>11}  {'absolute':>9}  {'relative':>9}  {'tolerance':16}"
    rows = [
        f"{c.name:{width}}  {c.ours:11.5g}  {c.reference:11.5g}  {c.absolute:9.1e}  {c.relative:9.1e}  {c.tolerance:16}  "
        f"{'ok' if c.ok and c.tolerance else '' if c.ok else 'MISS'}".rstrip()
        for c in checks
    ]
    return "\n".join([head.rstrip(), *rows])
