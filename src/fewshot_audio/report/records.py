"""The store's lines as one checked table of runs."""

import gc
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import msgspec
import pandas as pd

from fewshot_audio.runner.store import FAILED, FINISHED, Line
from fewshot_audio.types import StoreError

ARM = ["dataset", "model", "frontend"]
CELL = ["dataset", "fold", "model", "frontend", "n_per_class", "repeat"]
COLUMNS = [
    *CELL,
    "accuracy",
    "stored_batch_norm",
    "few_shot_split",
    "split",
    "key",
    "unscored_clips",
    "classes",
    "parameters",
    "seconds",
    "drift",
    "frontend_input",
]
COLUMNS += ["settings", "notes", "command", "commit", "versions", "machine"]
NOT_SETTINGS = ("fold", "split", "n_per_class", "repeat")
NAMES = [
    "key",
    "status",
    "identity",
    "metrics",
    "metrics_stored_batch_norm",
    "few_shot_split",
    "test_clips",
    "unscored_clips",
    "parameters",
    "seconds",
]
NAMES += [
    "notes",
    "command",
    "commit",
    "dirty",
    "versions",
    "machine",
    "device",
    "error",
    "frontend_input",
]
FIELDS = dict.fromkeys(NAMES, Any) | {
    "confusion_matrix": list[msgspec.Raw],
    "frontend_diagnostics": dict[str, msgspec.Raw],
}
RESULT = (
    "metrics",
    "test_clips",
    "unscored_clips",
    "few_shot_split",
    "metrics_stored_batch_norm",
)  # what a run done twice must agree on


@dataclass(frozen=True)
class Found:
    """A store's finished runs, one row each with the columns COLUMNS, and why the runs that only failed did (reason: runs)."""

    runs: pd.DataFrame
    failures: Counter[str]


def found(lines: Iterable[Line]) -> Found:
    """Lines to what they hold; accuracies in [0, 1]. A run done twice with one result counts once.

    StoreError where a run has two different results, where one name stands for two settings, or where the arms of a model
    were not trained alike.
    """
    with _no_collection():
        rows, failed = _rows(lines)
    table = pd.DataFrame(list(rows.values()), columns=COLUMNS).astype(
        {"stored_batch_norm": float, "accuracy": float}
    )
    table = table.astype(dict.fromkeys(ARM, "category"))  # grouping is faster
    _check_alike(table, ARM, "stands for different settings", ())
    complaint = "was not trained alike for every frontend"
    _check_alike(table, ["dataset", "model"], complaint, ("frontend", "features"))
    _check_alike(
        table, ["dataset", "model", "frontend_input"], complaint, ("frontend",)
    )  # one bank of mel maps, one of waveforms
    reasons = Counter(reason for key, reason in failed.items() if key not in rows)
    return Found(table.sort_values(CELL, ignore_index=True), reasons)


def _rows(lines: Iterable[Line]) -> tuple[dict[str, tuple], dict[str, str]]:
    """Lines to the rows of finished runs and the reasons of failed ones, by key."""
    rows: dict[str, tuple] = {}
    results: dict[str, tuple] = {}
    failed: dict[str, str] = {}
    for line in lines:
        key = line["key"]
        if line["status"] == FAILED:
            failed[key] = str(line.get("error"))
        elif line["status"] == FINISHED:
            result = tuple(line.get(name) for name in RESULT)
            other = results.setdefault(key, (*result, line.get("where")))
            if other[:-1] != result:
                raise StoreError(_conflict(key, other, (*result, line.get("where"))))
            if key not in rows:
                rows[key] = _row(line)
    return rows, failed


@contextmanager
def _no_collection() -> Iterator[None]:
    """No garbage collection within the block: it costs as much as reading, and finds nothing in plain JSON."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _check_alike(
    table: pd.DataFrame, names: list[str], complaint: str, apart_from: tuple[str, ...]
) -> None:
    """StoreError where runs of one name differ in their settings, those that may differ apart."""
    for name, group in table.groupby(names):
        settings = [msgspec.json.decode(text) for text in group["settings"].unique()]
        for each in settings[1:]:
            if differing := _differing(settings[0], each, apart_from):
                step = "give each its own results folder, or each frontend its own frontend.name"
                raise StoreError(f"{', '.join(name)} {complaint}: {differing}; {step}")


def _row(line: Line) -> tuple:
    """A finished run's line to the values of COLUMNS; None for what older lines do not tell.

    What is long may still be raw JSON.
    """
    identity = line["identity"]
    settings = {key: value for key, value in identity.items() if key not in NOT_SETTINGS}
    classes, summary = (
        line.get("confusion_matrix"),
        line.get("frontend_diagnostics", {}).get("summary", {}),
    )
    seconds = line.get("seconds")
    return (
        identity["dataset"]["name"],
        identity["fold"],
        identity["model"]["name"],
        identity["frontend"]["name"],
        identity["n_per_class"],
        identity["repeat"],
        line["metrics"]["accuracy"],
        line.get("metrics_stored_batch_norm", {}).get("accuracy"),
        line.get("few_shot_split"),
        identity.get("split"),
        line["key"],
        line.get("unscored_clips", 0),
        len(classes) if classes else None,
        line.get("parameters"),
        sum(seconds.values()) if seconds else None,
        msgspec.json.decode(summary) if isinstance(summary, msgspec.Raw) else summary,
        line.get("frontend_input")
        or ("waveform" if "sample_rate" in identity["frontend"] else "mel"),
        msgspec.json.encode(settings, order="sorted"),
        tuple(line.get("notes", ())),
        line.get("command"),
        f"{line.get('commit')}{' with changes' if line.get('dirty') else ''}",
        ", ".join(f"{name} {version}" for name, version in line.get("versions", {}).items()),
        ", ".join(filter(None, (line.get("machine"), line.get("device")))),
    )


def _conflict(key: str, *results: tuple) -> str:
    one, other = (f"{dict(zip(RESULT, each[:-1], strict=True))} in {each[-1]}" for each in results)
    return f"run {key} has two results: {one} and {other}; remove one of the lines"


def _differing(one: dict[str, Any], other: dict[str, Any], apart_from: tuple[str, ...]) -> str:
    """What differs between two settings, by their names."""
    one, other = (
        {key: value for key, value in _named(each) if key.split(".")[0] not in apart_from}
        for each in (one, other)
    )
    names = [key for key in sorted(one | other) if one.get(key) != other.get(key)]
    return "; ".join(f"{key} {one.get(key)} and {other.get(key)}" for key in names)


def _named(settings: Mapping[str, Any], within: str = "") -> Iterator[tuple[str, Any]]:
    """Nested settings as pairs of a dotted name and a value."""
    for key, value in settings.items():
        if isinstance(value, Mapping):
            yield from _named(value, f"{within}{key}.")
        else:
            yield f"{within}{key}", value
