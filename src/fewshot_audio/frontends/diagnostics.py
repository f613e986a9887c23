"""How far training has moved a filterbank."""

import math
from typing import Any

import torch
from torch import Tensor

FINER = 4  # bins of compared responses than taps


def drift(
    before: dict[str, Tensor], after: dict[str, Tensor], responses: tuple[Tensor, Tensor]
) -> dict[str, Any]:
    """Parameters in plain units, each (filters,), before and after training, and the size of the change.

    Both hold "centre" and "bandwidth" in Hz (full width at half of the largest amplitude), and others by name; `responses` are
    impulse responses (filters, taps) before and after.
    """
    moved = (after["centre"] - before["centre"]).abs()
    in_widths = moved / before["bandwidth"]
    summary = {
        "median drift, Hz": moved.median(),
        "largest drift, Hz": moved.max(),
        "median drift, initial bandwidths": in_widths.median(),
        "largest drift, initial bandwidths": in_widths.max(),
        "Jensen-Shannon distance of responses": jensen_shannon(*responses),
    }
    told = before_and_after(before, after)
    others = {name: value for name, value in told["summary"].items() if not name.endswith("centre")}
    return {
        "summary": {name: float(f"{value.item():.5g}") for name, value in summary.items()} | others,
        "filters": told["filters"],
    }


def before_and_after(before: dict[str, Tensor], after: dict[str, Tensor]) -> dict[str, Any]:
    """What is learned per band, in plain numbers (bands,), before and after training, and how much it has changed."""
    summary = {}
    for name in before:
        moved = (after[name].double() - before[name].double()).abs()
        summary |= {
            f"median change, {name}": moved.median(),
            f"largest change, {name}": moved.max(),
        }
    filters = {
        name: {"before": rounded(before[name]), "after": rounded(after[name])} for name in before
    }
    return {
        "summary": {name: float(f"{value.item():.5g}") for name, value in summary.items()},
        "filters": filters,
    }


def jensen_shannon(before: Tensor, after: Tensor) -> Tensor:
    """Impulse responses (filters, taps) to the mean over filters of the Jensen-Shannon distance (base 2, 0 to 1) of their
    amplitude responses, each of sum 1."""
    p, q = _normalised(before), _normalised(after)
    middle = ((p + q) / 2).clamp(min=torch.finfo(p.dtype).tiny)
    divergence = (torch.special.xlogy(p, p / middle) + torch.special.xlogy(q, q / middle)).sum(
        1
    ) / 2
    return (divergence.clamp(min=0) / math.log(2)).sqrt().mean()


def _normalised(filters: Tensor) -> Tensor:
    amplitude = torch.fft.fft(filters, FINER * filters.shape[1]).abs().double()
    return amplitude / amplitude.sum(1, keepdim=True)


def rounded(values: Tensor) -> list[float]:
    """Numbers with five digits, for the record."""
    return [float(f"{value:.5g}") for value in values.tolist()]
