"""The store's lines as one checked table of runs."""

import json
from collections.abc import Iterable
from typing import Any

import pandas as pd

from fewshot_audio.study.store import FINISHED, Line
from fewshot_audio.types import StoreError

CELL = ["dataset", "fold", "model", "frontend", "n_per_class", "repeat"]
NOT_SETTINGS = ("fold", "n_per_class", "repeat")
RESULT = ("accuracy", "correct", "clips", "nan_clips", "draw")  # what a run done twice must agree on


def frame(lines: Iterable[Line]) -> pd.DataFrame:
    """Lines to one row per finished run: the columns CELL, accuracy in [0, 1], draw, key, commit, settings.

    StoreError where a run has two different results, or where one name stands for two different settings.
    """
    runs: dict[str, Line] = {}
    for line in lines:
        if line["status"] != FINISHED:
            continue
        other = runs.setdefault(line["key"], line)
        differing = [name for name in RESULT if other.get(name) != line.get(name)]
        if differing:
            raise StoreError(
                f"run {line['key']} has two results: {_result(other)} of {other.get('started')} "
                f"and {_result(line)} of {line.get('started')}; remove one of the lines"
            )
    table = pd.DataFrame([_row(line) for line in runs.values()], columns=[*CELL, "accuracy", "draw", "key", "commit", "settings"])
    for name, group in table.groupby(["dataset", "model", "frontend"]):
        if group["settings"].nunique() > 1:
            raise StoreError(f"{', '.join(name)} stands for different settings: {_difference(*group['settings'].unique()[:2])}")
    return table.sort_values(CELL, ignore_index=True)


def _row(line: Line) -> dict[str, Any]:
    identity = line["identity"]
    names = {part: identity[part]["name"] for part in ("dataset", "model", "frontend")}
    settings = json.dumps({key: value for key, value in identity.items() if key not in NOT_SETTINGS}, sort_keys=True)
    numbers = {key: identity[key] for key in NOT_SETTINGS}
    return {**names, **numbers, **{k: line.get(k) for k in ("accuracy", "draw", "key", "commit")}, "settings": settings}


def _result(line: Line) -> dict[str, Any]:
    return {name: line.get(name) for name in RESULT}


def _difference(first: str, second: str) -> str:
    """What differs between two settings, and the next step."""
    one, other = json.loads(first), json.loads(second)
    differing = [f"{key} {one.get(key)} and {other.get(key)}" for key in sorted(one | other) if one.get(key) != other.get(key)]
    return f"{'; '.join(differing)}; give each its own name (frontend.name=...) or results folder"
