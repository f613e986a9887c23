"""Finished runs of results folders, one row each."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pandas as pd

from fewshot_audio.record_fields import FAILED, FINISHED, Record
from fewshot_audio.records import flat_settings, read_records, runnable
from fewshot_audio.report.checkpoints import checkpoints_in
from fewshot_audio.types import NoRunsError, StoreError

ALL_CLIPS = np.inf  # n per class of a run that trained on all clips
KEYS = ["dataset", "fold", "model", "frontend", "n_per_class", "repeat"]
ROW = ["dataset", "model", "frontend"]
RUN_SETTINGS = ("fold", "split", "n_per_class", "repeat")  # of an identity: no row has its own
RESULT = ("metrics", "metrics_stored_batch_norm", "few_shot_split", "test_clips", "unscored_clips")
WHAT = ("class_names", "parameters", "frontend_parameters", "notes", "frontend_input", "error")
WHERE = ("command", "commit", "dirty", "versions", "machine", "device")
FIELDS = {
    **dict.fromkeys((*RESULT, *WHAT, *WHERE), Any),
    "lower_is_better": Any,
    "settings": dict[str, msgspec.Raw],
    "frontend_diagnostics": dict[str, msgspec.Raw],
}


def load(folder: str | Path, settings: bool = False) -> pd.DataFrame:
    """Return the finished runs of a results folder as a tidy table.

    Args:
        folder: A results folder (with `runs/` in it), or a folder of results folders.
        settings: Whether to add a column per setting, by its dotted name, as `optimizer.lr`.

    Returns:
        One row per run: dataset, fold, model, frontend, n_per_class (missing where all clips
        trained), repeat, a column per metric, seconds, key.

    Raises:
        StoreError: If there are no runs, or if records are broken or contradict each other.
    """
    runs, _ = read_runs(results_folders(Path(folder)))
    plain = runs[KEYS].astype({"dataset": str, "model": str, "frontend": str})
    plain["n_per_class"] = runs["n_per_class"].replace(ALL_CLIPS, np.nan).astype("Int64")
    parts = [plain, pd.DataFrame(list(runs["metrics"])), runs[["seconds", "key"]]]
    if settings:
        full = full_settings(runs)
        parts.append(pd.DataFrame([full[text] for text in runs["settings"]]))
    return pd.concat(parts, axis=1)


def results_folders(folder: Path, also: Iterable[Path] = ()) -> list[Path]:
    """Return the results folders at and just below a folder; it is one itself if others are added.

    Raises:
        StoreError: If there are none.
    """
    below = sorted(runs.parent for runs in folder.glob("*/runs") if runs.is_dir())
    own = [folder] if list(also) or (folder / "runs").is_dir() else []
    if not own + below:
        raise StoreError(
            f"results={folder}: no runs/ there or in a folder of it; scripts/run.py makes them"
        )
    return own + below


def records_in(folders: Iterable[Path], fields: Mapping[str, Any]) -> Iterator[Record]:
    """Yield the records of results folders, of each the given fields."""
    files = [file for folder in folders for file in sorted((folder / "runs").glob("*.jsonl"))]
    return read_records(files, fields)


def read_runs(folders: Iterable[Path]) -> tuple[pd.DataFrame, Counter[str]]:
    """Read the runs of results folders, as `runs_of` returns them, with their checkpoints."""
    folders = list(folders)
    runs, failures = runs_of(records_in(folders, FIELDS))
    return runs.assign(checkpoint=runs["key"].map(checkpoints_in(folders))), failures


def runs_of(records: Iterable[Record]) -> tuple[pd.DataFrame, Counter[str]]:
    """Return the finished runs among records, and why others failed.

    Returns:
        A row per finished run, with the columns of `_row`; a run that is stored twice counts once.
        The reasons of the runs that only failed, with their number.

    Raises:
        NoRunsError: If no run is finished.
        StoreError: If a run has two different results.
    """
    rows: dict[str, dict[str, Any]] = {}
    first: dict[str, Record] = {}
    failed: dict[str, str] = {}
    for record in records:
        key = record["key"]
        if record["status"] == FAILED:
            failed[key] = str(record.get("error"))
        elif record["status"] == FINISHED and key in first:
            _check_same_result(first[key], record)
        elif record["status"] == FINISHED:
            first[key] = {name: record.get(name) for name in (*RESULT, "where")}
            rows[key] = _row(record)
    if not rows:
        count = f" ({len(failed)} failed)" if failed else ""
        raise NoRunsError(f"no finished runs{count}; scripts/run.py makes them")
    table = pd.DataFrame(list(rows.values()))
    table = table.astype(dict.fromkeys(("dataset", "model", "frontend"), "category"))
    reasons = Counter(reason for key, reason in failed.items() if key not in rows)
    return table.sort_values(KEYS, ignore_index=True), reasons


def full_settings(runs: pd.DataFrame) -> dict[bytes, dict[str, Any]]:
    """Return all settings that are known, by those that keys hold: those at their defaults too.

    Runs of records without them (older ones) have those of other runs with the same settings, if
    there are any.
    """
    full = {text: flat_settings(text) for text in runs["settings"].unique()}  # few have their own
    known = runs[runs["all_settings"].notna()].drop_duplicates("settings")
    for text, more in zip(known["settings"], known["all_settings"], strict=True):
        full[text] |= flat_settings(more)
    return full


def _row(record: Record) -> dict[str, Any]:
    """Return the columns of a finished run; None for what older records lack."""
    identity = record["identity"]
    settings = {name: value for name, value in identity.items() if name not in RUN_SETTINGS}
    n_per_class, seconds = identity["n_per_class"], record.get("seconds")
    summary = record.get("frontend_diagnostics", {}).get("summary", {})
    stored = record.get("settings")
    reads_waveforms = "sample_rate" in identity["frontend"]
    return {
        **{name: record.get(name) for name in ("key", "metrics", "few_shot_split", "partition")},
        "command": runnable(record.get("command")),
        **{name: identity[name]["name"] for name in ("dataset", "model", "frontend")},
        **{name: identity.get(name) for name in ("fold", "split")},
        "n_per_class": ALL_CLIPS if n_per_class is None else n_per_class,
        "repeat": identity["repeat"],
        "metrics_stored_batch_norm": record.get("metrics_stored_batch_norm", {}),
        "unscored_clips": record.get("unscored_clips", 0),
        "class_names": tuple(record.get("class_names", ())),
        "confusion_matrix": record.get("confusion_matrix"),
        **{name: record.get(name) for name in ("parameters", "frontend_parameters")},
        "checkpoint": None,
        "seconds": sum(seconds.values()) if seconds else None,
        "summary": msgspec.json.decode(summary) if isinstance(summary, msgspec.Raw) else summary,
        "frontend_input": record.get("frontend_input")
        or ("waveform" if reads_waveforms else "mel"),
        "settings": msgspec.json.encode(settings, order="sorted"),
        "all_settings": None if stored is None else msgspec.json.encode(stored),
        "lower_is_better": tuple(record.get("lower_is_better", ())),
        "notes": tuple(record.get("notes", ())),
        "commit": f"{record.get('commit') or ''}{' with changes' if record.get('dirty') else ''}",
        "versions": ", ".join(f"{k} {v}" for k, v in record.get("versions", {}).items()),
        "machine": ", ".join(filter(None, (record.get("machine"), record.get("device")))),
    }


def _check_same_result(one: Record, other: Record) -> None:
    if any(one.get(name) != other.get(name) for name in RESULT):
        texts = [
            f"{ {name: each.get(name) for name in RESULT} } in {each.get('where')}"
            for each in (one, other)
        ]
        raise StoreError(
            f"run {other['key']} has two results: {' and '.join(texts)}; remove one of the records"
        )
