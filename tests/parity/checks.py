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
    """One quantity: its norms, the largest deviations, and whether these are within tolerance."""

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
    """Yield a check of outputs by their largest deviation, if the file holds them.

    The deviation is a share of the largest output, or of `floor` where that is more.
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
    """Return a check by the norm of the deviation as a share of the reference's."""
    return check(
        name, ours, theirs, f"{tolerance:.2g} relative", lambda _, share: share <= tolerance
    )


def near_zero(name: str, ours: Tensor, theirs: Tensor) -> Check:
    """Return a check of values near zero by their largest deviation."""
    return check(
        name, ours, theirs, f"{NEAR_ZERO:g} near zero", lambda absolute, _: absolute <= NEAR_ZERO
    )


def shown(name: str, ours: Tensor, theirs: Tensor) -> Check:
    """Return a quantity that is not judged."""
    return check(name, ours, theirs, "", lambda *_: True)


def check(
    name: str, ours: Tensor, theirs: Tensor, tolerance: str, judge: Callable[[float, float], bool]
) -> Check:
    """Return a check whose verdict depends on the largest deviation and on its norm's share.

    Raises:
        DataError: Shapes differ.
    """
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
    """Return checks as lines: name, norms, deviations, tolerance, verdict."""
    width = max(len(check.name) for check in checks)
    columns = f"{'ours':>11}  {'reference':>11}  {'absolute':>9}  {'relative':>9}  tolerance"
    rows = [f"{'':{width}}  {columns}"]
    for c in checks:
        verdict = "MISS" if not c.ok else "ok" if c.tolerance else ""
        numbers = f"{c.ours:11.5g}  {c.reference:11.5g}  {c.absolute:9.1e}  {c.relative:9.1e}"
        rows.append(f"{c.name:{width}}  {numbers}  {c.tolerance:16}  {verdict}".rstrip())
    return "\n".join(rows)
