"""One quantity of ours against the same of a reference."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from fewshot_audio.types import DataError

Arrays = Mapping[str, np.ndarray]
NEAR_ZERO = 1e-4


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


def outputs(
    arrays: Arrays, name: str, ours: Tensor, tolerance: float, floor: float = 1.0
) -> Iterator[Check]:
    """A check of outputs by their largest deviation, as a share of the largest output, or of `floor` where that is more.

    None where the file does not hold them.
    """
    if name in arrays:
        theirs = torch.from_numpy(arrays[name])
        scale = max(floor, theirs.abs().max().item())
        yield check(
            name,
            ours,
            theirs,
            f"{tolerance:g} of {scale:.3g}",
            lambda absolute, _: absolute <= tolerance * scale,
        )


def relative(name: str, ours: Tensor, theirs: Tensor, tolerance: float) -> Check:
    """A check by the norm of the deviation as a share of the reference's."""
    return check(
        name, ours, theirs, f"{tolerance:.2g} relative", lambda _, share: share <= tolerance
    )


def near_zero(name: str, ours: Tensor, theirs: Tensor) -> Check:
    """A check of values near zero by their largest deviation."""
    return check(
        name, ours, theirs, f"{NEAR_ZERO:g} near zero", lambda absolute, _: absolute <= NEAR_ZERO
    )


def shown(name: str, ours: Tensor, theirs: Tensor) -> Check:
    """A quantity that is not judged."""
    return check(name, ours, theirs, "", lambda *_: True)


def check(
    name: str, ours: Tensor, theirs: Tensor, tolerance: str, judge: Callable[[float, float], bool]
) -> Check:
    """A check whose verdict depends on the largest deviation and on its norm's share. DataError where shapes differ."""
    if ours.shape != theirs.shape:
        raise DataError(
            f"{name}: shape {tuple(theirs.shape)} in the file, {tuple(ours.shape)} in ours"
        )
    ours, theirs = ours.double(), theirs.double()
    absolute = (ours - theirs).abs().max().item()
    share = (
        (ours - theirs).norm() / theirs.norm().clamp(min=torch.finfo(torch.float64).tiny)
    ).item()
    return Check(
        name,
        ours.norm().item(),
        theirs.norm().item(),
        absolute,
        share,
        tolerance,
        bool(judge(absolute, share)),
    )


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
