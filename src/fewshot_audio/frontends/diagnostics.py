"""How far training has moved a frontend."""

import math
from typing import Any

import torch
from torch import Tensor

Parameters = dict[str, Tensor]  # what is learned per filter or band (bands,), by name

OVERSAMPLING = 4  # bins of compared frequency responses per tap


def drift(
    before: Parameters, after: Parameters, responses: tuple[Tensor, Tensor]
) -> dict[str, Any]:
    """Return how far training has moved a filterbank: sizes of changes, and values of filters.

    "centre" and "bandwidth" (full width at half of the largest amplitude) are in Hz, impulse
    responses (filters, taps) are those before and after.
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
    report = before_and_after(before, after)
    changes = {
        name: size for name, size in report["summary"].items() if not name.endswith("centre")
    }
    report["summary"] = {name: five_digits(size.item()) for name, size in sizes.items()} | changes
    return report


def before_and_after(before: Parameters, after: Parameters) -> dict[str, Any]:
    """Return what is learned per band before and after training, and the size of the changes."""
    summary, bands = {}, {}
    for name in before:
        moved = (after[name].double() - before[name].double()).abs()
        summary[f"median change, {name}"] = five_digits(moved.median().item())
        summary[f"largest change, {name}"] = five_digits(moved.max().item())
        bands[name] = {"before": rounded(before[name]), "after": rounded(after[name])}
    return {"summary": summary, "filters": bands}


def medians(parameters: Parameters) -> dict[str, float]:
    """Return the median over bands of each parameter."""
    return {f"median {name}": value.median().item() for name, value in parameters.items()}


def jensen_shannon(before: Tensor, after: Tensor) -> Tensor:
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
    return [five_digits(value) for value in values.tolist()]


def five_digits(value: float) -> float:
    """Return a number as records hold it."""
    return float(f"{value:.5g}")
