"""Fields of a record: of which types they are, and which values can be."""

from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import Annotated, Any, Literal, get_type_hints

import msgspec
from msgspec import Meta

Record = dict[str, Any]
FINISHED, FAILED = "finished", "failed"
SCHEMA = 1  # version of the fields
ALWAYS = ("schema", "key", "status", "identity")  # fields that no record lacks
ALWAYS_FINISHED = (*ALWAYS, "metrics", "seconds")
CHECKED = (*ALWAYS_FINISHED, "started", "stopped", "class_names", "confusion_matrix")
UNBOUNDED = ("d_prime", "loss")  # metrics that are no share of 1, whatever their values
NUMBERS = b"0123456789 "  # what the JSON of counts is made of, beside brackets and commas
Numbers = dict[str, float | None]
Metrics = dict[str, float | list[float | None] | None]  # a list has a number for each class
Count = Annotated[int, Meta(ge=0)]
Time = Annotated[datetime, Meta(tz=True)]  # ISO 8601, UTC


class Fields(msgspec.Struct):
    """What a record may hold, and of which types; a value that was not finite is null."""

    schema: int
    key: str
    status: str  # FINISHED or FAILED
    identity: dict[str, Any]  # all that the result depends on
    settings: dict[str, Any]  # the same for readers: arguments at their defaults, too
    started: Time
    stopped: Time
    command: str
    commit: str | None
    dirty: bool | None  # whether the sources differed from the commit
    versions: dict[str, str]
    machine: str
    environment: dict[str, str]  # variables that choose torch's kernels, where there are any
    device: str
    threads: Count
    stack_size: Count
    warnings: list[str]
    notes: list[str]  # on the dataset
    seconds: dict[str, Annotated[float, Meta(ge=0)]]  # by part of the run
    # of a finished run
    metrics: Metrics
    lower_is_better: list[str]  # metrics of which small values are the good ones
    metrics_stored_batch_norm: Metrics  # before the statistics were estimated anew
    test_clips: Count
    unscored_clips: Count
    class_names: list[str]
    confusion_matrix: list[list[Count]]
    epochs: Count
    updates: Count
    stop_reason: str
    history: dict[str, list[float | None]]
    learned: Numbers
    patch_statistics: Numbers
    frontend_input: Literal["mel", "waveform"]
    frontend_diagnostics: dict[str, Any]
    support_frontend_diagnostics: dict[str, Any]
    parameters: Count  # that training changes
    frontend_parameters: Count  # of these, those of the frontend
    few_shot_split: str  # digest
    partition: str  # digest of the clips that each fold tests
    clips_per_class: list[Count]
    groups_per_class: list[Count]
    # of a failed run
    cause: str
    error: str
    traceback: str


class _Named(msgspec.Struct):
    name: str


class _Identity(msgspec.Struct):
    """What is read of an identity by its name."""

    dataset: _Named
    model: _Named
    frontend: _Named
    fold: int
    repeat: int
    n_per_class: Annotated[int, Meta(ge=1)] | None


class _Identified(msgspec.Struct):
    identity: _Identity


TYPES = get_type_hints(Fields, include_extras=True)


def check(record: Record) -> None:
    """Check what types alone do not say. ValueError where a field is missing or cannot be."""
    if record.get("schema", 0) != SCHEMA:
        raise ValueError(f"schema {record.get('schema')}, expected {SCHEMA}")
    for name in ALWAYS_FINISHED if record.get("status") == FINISHED else ALWAYS:
        if name not in record:
            raise ValueError(f"the field {name} is missing")
    if record["status"] not in (FINISHED, FAILED):
        raise ValueError(f"Expected finished or failed, got {record['status']!r} - at `$.status`")
    msgspec.convert({"identity": record["identity"]}, _Identified)
    metrics = record.get("metrics", {})
    if isinstance(accuracy := metrics.get("accuracy"), int | float) and not 0 <= accuracy <= 1:
        raise ValueError(f"Expected a share of 1, got {accuracy} - at `$.metrics.accuracy`")
    _check_sizes(record, metrics)


def _check_sizes(record: Record, metrics: Mapping[str, Any]) -> None:
    """ValueError where lists do not fit the classes, or those of a history each other."""
    matrix = msgspec.json.encode(record.get("confusion_matrix", ())).translate(None, NUMBERS)
    classes = record.get("class_names", ())
    size = len(classes) or matrix.count(b"]") - 1
    if matrix not in (b"[]", _square(size)):
        raise ValueError(f"Expected {size} lists of {size} counts - at `$.confusion_matrix`")
    for name, values in metrics.items() if classes else ():
        if isinstance(values, list) and len(values) != size:
            raise ValueError(f"Expected {size} numbers, one a class - at `$.metrics.{name}`")
    history = record.get("history")
    if history and len(set(map(len, history.values()))) > 1:
        raise ValueError("Expected lists of one length - at `$.history`")


@cache
def _square(size: int) -> bytes:
    """Return the JSON of so many lists of so many counts, without the counts."""
    return msgspec.json.encode([[0] * size] * size).translate(None, NUMBERS)
