"""How often 95 % intervals hold the truth, of synthetic folds and runs."""

from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.measure import machine
from fewshot_audio.report.statistics import summary
from fewshot_audio.types import Statistics

FOLDS, RUNS, BETWEEN = (
    (2, 3, 5, 10),
    (5, 20),
    (0.0, 0.3, 1.0),
)  # standard deviations of folds, where that of runs is 1


def intervals(rounds: int) -> dict[str, Any]:
    """Return the shares of simulations in which intervals over folds hold the true mean."""
    cases = [
        {"folds": folds, "runs": runs, "between": between, **_covered(folds, runs, between, rounds)}
        for folds, runs, between in product(FOLDS, RUNS, BETWEEN)
    ]
    return {"bench": "intervals", "simulations": rounds, "machine": machine(1), "cases": cases}


def _covered(folds: int, runs: int, between: float, rounds: int) -> dict[str, float]:
    random = np.random.default_rng([folds, runs, int(10 * between)])
    values = between * random.normal(size=(rounds, folds, 1)) + random.normal(
        size=(rounds, folds, runs)
    )
    cell, fold, _ = np.indices(values.shape).reshape(3, -1)
    table = pd.DataFrame({"cell": cell, "fold": fold, "value": values.ravel()})
    shares = {}
    for kind in ("t", "bootstrap"):
        intervals_of = summary(table, ["cell"], Statistics("fold", kind, "t", 0.95, 0.01))
        shares[kind] = round(
            float(((intervals_of["low"] <= 0) & (intervals_of["high"] >= 0)).mean()), 3
        )
    return shares


def lines(result: dict[str, Any]) -> Iterator[str]:
    """A result for people."""
    yield "folds  runs  between   t      bootstrap"
    for case in result["cases"]:
        shares = f"{100 * case['t']:5.1f}  {100 * case['bootstrap']:5.1f}"
        yield f"{case['folds']:5d} {case['runs']:5d}  {case['between']:7.1f}  {shares}"
