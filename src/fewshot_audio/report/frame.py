"""The store's lines as one checked table of runs."""

import json
from collections.abc import Iterable
from typing import Any

import pandas as pd

from fewshot_audio.study.store import FINISHED, Line
from fewshot_audio.types import StoreError

CELL = ["dataset", "fold", "model", "frontend", "n_per_class", "repeat"]
COLUMNS = [*CELL, "accuracy", "stored_bn", "draw", "key", "commit", "nan_clips", "reads", "drift", "settings"]
NOT_SETTINGS = ("fold", "n_per_class", "repeat")
RESULT = ("accuracy", "correct", "clips", "nan_clips", "draw")  # what a run done twice must agree on


def frame(lines: Iterable[Line]) -> pd.DataFrame:
    """Lines to one row per finished run, with the columns COLUMNS; accuracies in [0, 1].

    StoreError where a run has two different results, where one name stands for two settings, or where the arms of a model
    were not trained alike.
    """
    runs: dict[str, Line] = {}
    for line in lines:
        if line["status"] != FINISHED:
            continue
        other = runs.setdefault(line["key"], line)
        differing = [name for name in RESULT if other.get(name) != line.get(name)]
        if differing:
            raise StoreError(
                f"run {line['key']} has two results: {_result(other)} in {other.get('where')} "
                f"and {_result(line)} in {line.get('where')}; remove one of the lines"
            )
    table = pd.DataFrame([_row(line) for line in runs.values()], columns=COLUMNS)
    _check_alike(table, ["dataset", "model", "frontend"], "stands for different settings", ())
    complaint = "was not trained alike for every frontend"
    _check_alike(table, ["dataset", "model"], complaint, ("frontend", "bank"))
    _check_alike(table, ["dataset", "model", "reads"], complaint, ("frontend",))  # one bank of mel maps, one of waveforms
    return table.astype({"stored_bn": float}).sort_values(CELL, ignore_index=True)


def _check_alike(table: pd.DataFrame, names: list[str], complaint: str, apart_from: tuple[str, ...]) -> None:
    """StoreError where runs of one name differ in their settings, those that may differ apart."""
    for name, group in table.groupby(names):
        settings = [json.loads(text) for text in group["settings"].unique()]
        for each in settings[1:]:
            if differing := _differing(settings[0], each, apart_from):
                step = "give each its own name (frontend.name=...) or results folder"
                raise StoreError(f"{', '.join(name)} {complaint}: {differing}; {step}")


def _row(line: Line) -> dict[str, Any]:
    identity = line["identity"]
    names = {part: identity[part]["name"] for part in ("dataset", "model", "frontend")}
    settings = json.dumps({key: value for key, value in identity.items() if key not in NOT_SETTINGS}, sort_keys=True)
    numbers = {key: identity[key] for key in NOT_SETTINGS}
    commit = f"{line.get('commit')}{' with changes' if line.get('dirty') else ''}"
    stored = line.get("stored_bn", {}).get("accuracy")
    fields = {
        "accuracy": line["accuracy"],
        "stored_bn": stored,
        "draw": line.get("draw"),
        "key": line["key"],
        "nan_clips": line.get("nan_clips", 0),
        "drift": line.get("frontend_report", {}).get("summary", {}),
        "reads": "waveform" if "sample_rate" in identity["frontend"] else "mel",
    }
    return {**names, **numbers, **fields, "commit": commit, "settings": settings}


def _result(line: Line) -> dict[str, Any]:
    return {name: line.get(name) for name in RESULT}


def _differing(one: dict[str, Any], other: dict[str, Any], apart_from: tuple[str, ...]) -> str:
    """What differs between two settings."""
    names = [key for key in sorted(one | other) if key not in apart_from and one.get(key) != other.get(key)]
    return "; ".join(f"{key} {one.get(key)} and {other.get(key)}" for key in names)
