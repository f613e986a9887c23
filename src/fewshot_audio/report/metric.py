"""Which metric is reported, and the runs that have it."""

from typing import Any

import pandas as pd

from fewshot_audio.components import near
from fewshot_audio.report.records import ROW
from fewshot_audio.report.text import Measure
from fewshot_audio.types import ConfigError

USUAL = ("accuracy", "balanced_accuracy")
SHOWN = 5  # rows of runs without the metric


def measured(
    runs: pd.DataFrame, metric: str | None
) -> tuple[pd.DataFrame, pd.DataFrame, Measure, list[str]]:
    """Add the columns value and stored, and set runs without the metric apart.

    Args:
        runs: The table of `runs_of`.
        metric: Its name; None: accuracy, else balanced accuracy, else the first that is one number.

    Returns:
        The runs with the metric, those without, the metric, and a sentence if some have none.

    Raises:
        ConfigError: If no run has it, or if it has a number for each class.
    """
    metric = _chosen(list(runs["metrics"]), metric)
    values = runs.assign(
        value=pd.Series([each.get(metric) for each in runs["metrics"]], runs.index, float),
        stored=pd.Series(
            [each.get(metric) for each in runs["metrics_stored_batch_norm"]], runs.index, float
        ),
    )
    has = values["value"].notna()
    values, without = values[has].reset_index(drop=True), values[~has].reset_index(drop=True)
    is_lower_better = any(metric in names for names in values["lower_is_better"])
    measure = Measure.of(metric, values["value"], is_lower_better)
    return values, without, measure, [_without(without, len(runs), metric)] if len(without) else []


def _chosen(metrics: list[dict[str, Any]], metric: str | None) -> str:
    """Return the metric's name, checked."""
    names = list(dict.fromkeys(name for each in metrics for name in each))
    by_class = {name for name in names for each in metrics if isinstance(each.get(name), list)}
    known = {name for each in metrics for name, value in each.items() if value is not None}
    single = [name for name in names if name in known - by_class]
    if metric is None:
        metric = next((name for name in (*USUAL, *single) if name in single), None)
        if metric is None:
            raise ConfigError("report.metric: no run has a metric that is one number")
    if metric not in names:
        raise ConfigError(f"report.metric={metric}: no run has it{near(metric, single)}")
    if metric in by_class:
        raise ConfigError(
            f"report.metric={metric}: has a number for each class (+report=per_class shows "
            f"classes); metrics of one number: {', '.join(single)}"
        )
    if metric not in single:
        raise ConfigError(f"report.metric={metric}: no run has a finite value of it")
    return metric


def _without(runs: pd.DataFrame, count: int, metric: str) -> str:
    """Say which runs have no such metric, and how to get it."""
    rows = runs.groupby(ROW).size()
    texts = [f"{', '.join(map(str, row))} ({size})" for row, size in rows.items()]
    more = f" and {len(texts) - SHOWN} more rows" if len(texts) > SHOWN else ""
    return (
        f"{len(runs)} of {count} runs have no {metric} and are left out: "
        f"{'; '.join(texts[:SHOWN])}{more}; {ANEW}"
    )


ANEW = (
    "a finished run gets no metric later: do these runs again with it, into another folder "
    "(results=...), or choose a metric that all have"
)
