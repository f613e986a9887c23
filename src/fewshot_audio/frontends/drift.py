"""How far training has moved a filterbank."""

import math
from typing import Any

import torch
from torch import Tensor

from fewshot_audio.frontends.gabor import FWHM

BINS = 4096  # of compared responses, from 0 Hz to beyond the highest filter


def drift(before: dict[str, Tensor], after: dict[str, Tensor]) -> dict[str, Any]:
    """Parameters in plain units, each (filters,), before and after training, and the size of the change.

    Both hold "centre" and "bandwidth" in Hz (full width at half of the largest amplitude), and others by name.
    """
    moved = (after["centre"] - before["centre"]).abs()
    in_widths = moved / before["bandwidth"]
    summary = {
        "median drift, Hz": moved.median(),
        "largest drift, Hz": moved.max(),
        "median drift, initial bandwidths": in_widths.median(),
        "largest drift, initial bandwidths": in_widths.max(),
        "Jensen-Shannon distance": jensen_shannon(before, after),
    }
    filters = {name: {"before": rounded(before[name]), "after": rounded(after[name])} for name in before}
    return {"summary": {name: float(f"{value.item():.5g}") for name, value in summary.items()}, "filters": filters}


def before_and_after(before: dict[str, Tensor], after: dict[str, Tensor]) -> dict[str, Any]:
    """What is learned per band, in plain numbers (bands,), before and after training, and how much it has changed."""
    summary = {}
    for name in before:
        moved = (after[name].double() - before[name].double()).abs()
        summary |= {f"median change, {name}": moved.median(), f"largest change, {name}": moved.max()}
    filters = {name: {"before": rounded(before[name]), "after": rounded(after[name])} for name in before}
    return {"summary": {name: float(f"{value.item():.5g}") for name, value in summary.items()}, "filters": filters}


def jensen_shannon(before: dict[str, Tensor], after: dict[str, Tensor]) -> Tensor:
    """The mean over filters of the Jensen-Shannon distance (base 2, 0 to 1) of their Gaussian responses, each of sum 1."""
    top = max(each["centre"].max() + 3 * each["bandwidth"].max() for each in (before, after))
    hz = torch.linspace(0, top.item(), BINS, dtype=torch.float64)
    p, q = (_normalised(hz, each["centre"].double(), each["bandwidth"].double()) for each in (before, after))
    middle = (p + q) / 2
    middle = middle.clamp(min=torch.finfo(middle.dtype).tiny)
    divergence = (torch.special.xlogy(p, p / middle) + torch.special.xlogy(q, q / middle)).sum(1) / 2
    return (divergence.clamp(min=0) / math.log(2)).sqrt().mean()


def _normalised(hz: Tensor, centre: Tensor, bandwidth: Tensor) -> Tensor:
    response = torch.exp(-0.5 * ((hz - centre[:, None]) / (bandwidth[:, None] / FWHM)) ** 2)
    return response / response.sum(1, keepdim=True)


def rounded(values: Tensor) -> list[float]:
    """Numbers with five digits, for the record."""
    return [float(f"{value:.5g}") for value in values.tolist()]
