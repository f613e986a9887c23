"""Records of runs as JSON lines: their fields, how they are encoded, read and checked."""

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_type_hints

import msgspec
from msgspec import UNSET

from fewshot_audio.types import StoreError

Record = dict[str, Any]
FINISHED, FAILED = "finished", "failed"
SCHEMA = 1  # version of the fields
ALWAYS = ("schema", "key", "status", "identity")  # fields that no record lacks
ALWAYS_FINISHED = (*ALWAYS, "metrics", "seconds")
Numbers = dict[str, float | None]


class Fields(msgspec.Struct):
    """What a record may hold, and of which types; a value that was not finite is null."""

    schema: int
    key: str
    status: Literal["finished", "failed"]
    identity: dict[str, Any]  # all that the result depends on
    settings: dict[str, Any]  # the same for readers: arguments at their defaults, too
    started: str  # ISO 8601, UTC
    stopped: str
    command: str
    commit: str | None
    dirty: bool | None  # whether the sources differed from the commit
    versions: dict[str, str]
    machine: str
    device: str
    threads: int
    stack_size: int
    warnings: list[str]
    notes: list[str]  # on the dataset
    seconds: dict[str, float]  # by part of the run
    # of a finished run
    metrics: dict[str, Any]  # a number, or a list with one for each class
    lower_is_better: list[str]  # metrics of which small values are the good ones
    metrics_stored_batch_norm: dict[str, Any]  # before the statistics were estimated anew
    test_clips: int
    unscored_clips: int
    class_names: list[str]
    confusion_matrix: list[list[int]]
    epochs: int
    updates: int
    stop_reason: str
    history: dict[str, list[float | None]]
    learned: Numbers
    patch_statistics: Numbers
    frontend_input: Literal["mel", "waveform"]
    frontend_diagnostics: dict[str, Any]
    support_frontend_diagnostics: dict[str, Any]
    parameters: int  # that training changes
    frontend_parameters: int  # of these, those of the frontend
    few_shot_split: str  # digest
    clips_per_class: list[int]
    groups_per_class: list[int]
    # of a failed run
    cause: str
    error: str
    traceback: str


TYPES = get_type_hints(Fields)


def encoded(records: Sequence[Record]) -> bytes:
    """Return records as they are stored, a line each.

    Raises:
        TypeError: A value is of a type that JSON has not.
        ValueError: A number is not finite.
    """
    _check_finite(records)
    try:
        return msgspec.json.Encoder().encode_lines(records)
    except UnicodeEncodeError:  # an error's text with bytes of a file name that are no UTF-8
        return msgspec.json.Encoder().encode_lines([_readable(record) for record in records])


def read_records(file: Path, fields: Mapping[str, Any] | None = None) -> Iterator[Record]:
    """Read the records of one file; what a killed process left of a last line is no record.

    Args:
        file: JSON lines.
        fields: Names of the fields to read, much faster than all, each with a type that msgspec
            knows; Any stands for the type of the schema.

    Yields:
        The fields of a record that it has, and `where`, its file and line.

    Raises:
        StoreError: A line is no record, a field has another type, or the version is another.
    """
    decode = _decoder(None if fields is None else tuple(fields.items()))
    for number, text in enumerate(file.read_bytes().split(b"\n")[:-1], 1):
        try:
            record = decode(text)
            _check(record)
        except (msgspec.MsgspecError, ValueError) as error:
            raise StoreError(_complaint(f"{file}:{number}", text, error)) from error
        record["where"] = f"{file}:{number}"
        yield record


@cache
def _decoder(fields: tuple[tuple[str, Any], ...] | None) -> Callable[[bytes], Record]:
    """Return what reads a record from its bytes, all its fields or some of them."""
    types = dict.fromkeys(TYPES, Any) if fields is None else dict(fields)
    types = {name: TYPES.get(name, Any) if hint is Any else hint for name, hint in types.items()}
    types = {name: TYPES[name] for name in ALWAYS_FINISHED} | types
    struct = msgspec.defstruct("Record", [(name, hint, UNSET) for name, hint in types.items()])
    if fields is None:
        return lambda text: _all_fields(text, struct)
    decoder = msgspec.json.Decoder(struct)
    return lambda text: _as_dict(decoder.decode(text), types)


def _all_fields(text: bytes, struct: type[msgspec.Struct]) -> Record:
    record = msgspec.json.decode(text)
    msgspec.convert(record, struct)  # checks the types; fields that the schema has not are kept
    return record


def _as_dict(struct: msgspec.Struct, names: Mapping[str, Any]) -> Record:
    values = {name: getattr(struct, name) for name in names}
    return {name: value for name, value in values.items() if value is not UNSET}


def runnable(command: str | None) -> str | None:
    """Return a record's command without `results=...`: earlier ones put that for a folder."""
    return command and re.sub(r" (results|cache)=\.\.\.(?!\S)", "", command)


def _check(record: Record) -> None:
    """Check what types alone do not say. ValueError where a field is missing or cannot be."""
    if record.get("schema", 0) != SCHEMA:
        raise ValueError(f"schema {record.get('schema')}, expected {SCHEMA}")
    finished = record.get("status") == FINISHED
    for name in ALWAYS_FINISHED if finished else ALWAYS:
        if name not in record:
            raise ValueError(f"the field {name} is missing")
    accuracy = record["metrics"].get("accuracy", 0) if finished else 0
    if not 0 <= accuracy <= 1:
        raise ValueError(f"accuracy {accuracy}, expected a share of 1")


def _complaint(where: str, text: bytes, error: Exception) -> str:
    """Return what a user should do about a line that cannot be read."""
    try:
        schema = msgspec.json.decode(text, type=dict[str, Any]).get("schema", 0)
    except msgspec.MsgspecError:
        schema = SCHEMA
    if schema != SCHEMA and isinstance(schema, int):
        step = "run scripts/migrate.py" if schema < SCHEMA else "update this program"
        return f"{where}: a record of schema {schema}, this program reads {SCHEMA}; {step}"
    return f"{where}: not a record ({error}); remove this line, its run will be done again"


def _check_finite(value: Any) -> None:
    """Raise ValueError where a number is not finite: msgspec would write it as null."""
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list | tuple):
        try:
            finite = all(map(math.isfinite, value))
        except TypeError:  # not numbers alone
            for item in value:
                _check_finite(item)
            return
    else:
        finite = not isinstance(value, float) or math.isfinite(value)
    if not finite:
        raise ValueError("numbers that are not finite cannot be stored")


def _readable(value: Any) -> Any:
    """Return a value with backslash escapes in its strings for what UTF-8 cannot hold."""
    if isinstance(value, dict):
        return {_readable(key): _readable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_readable(item) for item in value]
    return value.encode(errors="backslashreplace").decode() if isinstance(value, str) else value
