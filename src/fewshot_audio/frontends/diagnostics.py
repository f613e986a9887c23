"""How far training has moved a frontend."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

if TYPE_CHECKING:
    from jaxtyping import Complex, Float

    Parameters = dict[str, Float[Tensor, " bands"]]
    Responses = Complex[Tensor, "filters taps"] | Float[Tensor, "filters taps"]

OVERSAMPLING = 4  # bins of compared frequency responses per tap


def drift(
    before: Parameters, after: Parameters, responses: tuple[Responses, Responses]
) -> dict[str, Any]:
    """Return how far training has moved a filterbank.

    Args:
        before: What is learned per filter, at the start of training, by name. It holds "centre"
            and "bandwidth" in Hz (full width at half of the largest amplitude).
        after: The same, after training.
        responses: Impulse responses before and after.

    Returns:
        "summary", the size of the changes, and "filters", the values of both.
    """
    moved = (after["centre"] - before["centre"]).abs()
    in_widths = moved / before["bandwidth"]
    sizes = {
        "median drift, Hz": moved.median(),
        "largest drift, Hz": moved.max(),
        "median drift, initial bandwidths": in_widths.median(),
        "largest drift, initial bandwidths": in_widths.max(),
        "Jensen-Shannon distance of responses": jensen_shannon(*responses),
    }
    summary = {name: _five_digits(size.item()) for name, size in sizes.items()}
    changes = before_and_after(before, after)
    for name, value in changes["summary"].items():
        if not name.endswith("centre"):
            summary[name] = value
    return {"summary": summary, "filters": changes["filters"]}


def before_and_after(before: Parameters, after: Parameters) -> dict[str, Any]:
    """Return what is learned per band before and after training, and the size of the changes."""
    summary, bands = {}, {}
    for name in before:
        moved = (after[name].double() - before[name].double()).abs()
        summary[f"median change, {name}"] = _five_digits(moved.median().item())
        summary[f"largest change, {name}"] = _five_digits(moved.max().item())
        bands[name] = {"before": rounded(before[name]), "after": rounded(after[name])}
    return {"summary": summary, "filters": bands}


def medians(parameters: Parameters) -> dict[str, float]:
    """Return the median over bands of each parameter."""
    return {f"median {name}": value.median().item() for name, value in parameters.items()}


def jensen_shannon(before: Responses, after: Responses) -> Tensor:
    """Return the mean over filters of the Jensen-Shannon distance (base 2, 0 to 1).

    It is taken between the amplitude responses, each normalised to a sum of 1.
    """
    p, q = (
        torch.fft.fft(each, OVERSAMPLING * each.shape[1]).abs().double() for each in (before, after)
    )
    p, q = (each / each.sum(1, keepdim=True) for each in (p, q))
    middle = ((p + q) / 2).clamp(min=torch.finfo(p.dtype).tiny)
    of_bins = torch.special.xlogy(p, p / middle) + torch.special.xlogy(q, q / middle)
    divergence = of_bins.sum(1) / 2
    return (divergence.clamp(min=0) / math.log(2)).sqrt().mean()


def rounded(values: Tensor) -> list[float]:
    """Return numbers with five digits, for a record."""
    return [_five_digits(value) for value in values.tolist()]


def _five_digits(value: float) -> float:
    return float(f"{value:.5g}")
