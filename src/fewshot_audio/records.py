"""Records of runs as JSON lines: encoded, read and checked."""

import json
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from operator import attrgetter
from pathlib import Path
from typing import Any

import msgspec
from msgspec import UNSET

from fewshot_audio.record_fields import CHECKED, SCHEMA, TYPES, Record, check
from fewshot_audio.types import StoreError

SHOWN = 20  # lines that are no records, in one message


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


def read_records(
    files: Iterable[Path], fields: Mapping[str, Any] | None = None
) -> Iterator[Record]:
    """Read the records of files; what a killed process left of a last line is no record.

    Args:
        files: JSON lines.
        fields: Names of the fields to read, much faster than all, each with a type that msgspec
            knows; Any stands for the type of the schema. Those of `CHECKED` are read as well.

    Yields:
        The fields of a record that it has, and `where`, its file and line.

    Raises:
        StoreError: Lines are no records, fields have other types or impossible values, or the
            version is another; after the records of all files, naming every such line.
    """
    decode = _decoder(None if fields is None else tuple(fields.items()))
    wrong: list[tuple[str, str]] = []
    for file in map(str, files):
        for number, text in enumerate(Path(file).read_bytes().split(b"\n")[:-1], 1):
            try:
                record = decode(text)
                check(record)
            except (msgspec.MsgspecError, ValueError) as error:
                what, step = _complaint(text, error)
                wrong.append((f"{file}:{number}: {what}", step))
            else:
                record["where"] = f"{file}:{number}"
                yield record
    if wrong:
        lines = [text for text, _ in wrong[:SHOWN]]
        if len(wrong) > SHOWN:
            lines.append(f"and {len(wrong) - SHOWN} more lines")
        raise StoreError("; ".join(["\n".join(lines), *dict.fromkeys(step for _, step in wrong)]))


@cache
def _decoder(fields: tuple[tuple[str, Any], ...] | None) -> Callable[[bytes], Record]:
    """Return what reads a record from its bytes, all its fields or some of them."""
    types = TYPES
    if fields is not None:
        chosen = {name: TYPES.get(name, Any) if hint is Any else hint for name, hint in fields}
        types = {name: TYPES[name] for name in CHECKED} | chosen
        types["confusion_matrix"] = msgspec.Raw  # whole only where it is shown
    struct = msgspec.defstruct("Record", [(name, hint, UNSET) for name, hint in types.items()])
    if fields is None:
        return lambda text: _all_fields(text, struct)
    decoder, values = msgspec.json.Decoder(struct), attrgetter(*types)
    return lambda text: {
        name: value
        for name, value in zip(types, values(decoder.decode(text)), strict=True)
        if value is not UNSET
    }


def _all_fields(text: bytes, struct: type[msgspec.Struct]) -> Record:
    record = msgspec.json.decode(text)
    msgspec.convert(record, struct)  # checks the types; fields that the schema has not are kept
    return record


def runnable(command: str | None) -> str | None:
    """Return a record's command without `results=...`: earlier ones put that for a folder."""
    return command and re.sub(r" (results|cache)=\.\.\.(?!\S)", "", command)


def _complaint(text: bytes, error: Exception) -> tuple[str, str]:
    """Return what is wrong with a line that cannot be read, and what a user should do."""
    schema = SCHEMA
    try:
        values = json.loads(text)  # also NaN, which JSON has not
        schema = values.get("schema", 0)
        _check_finite(values)
    except ValueError as cause:
        error = cause if "finite" in str(cause) else error
    except AttributeError:  # no object
        pass
    if schema != SCHEMA and isinstance(schema, int):
        what = f"a record of schema {schema}, this program reads {SCHEMA}"
        return what, "run scripts/migrate.py" if schema < SCHEMA else "update this program"
    return f"not a record ({error})", "remove such a line, its run will be done again"


def _check_finite(value: Any, place: str = "$") -> None:
    """Raise ValueError where a number is not finite: msgspec would write it as null."""
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"Expected a finite number, got {value} - at `{place}`")
    if isinstance(value, Mapping):
        for name, item in value.items():
            _check_finite(item, f"{place}.{name}")
    elif isinstance(value, list | tuple) and not _are_finite(value):
        for number, item in enumerate(value):
            _check_finite(item, f"{place}[{number}]")


def _are_finite(values: Sequence[Any]) -> bool:
    try:
        return all(map(math.isfinite, values))
    except (TypeError, OverflowError):  # not numbers alone; integers that no float holds
        return False


def _readable(value: Any) -> Any:
    """Return a value with backslash escapes in its strings for what UTF-8 cannot hold."""
    if isinstance(value, dict):
        return {_readable(key): _readable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_readable(item) for item in value]
    return value.encode(errors="backslashreplace").decode() if isinstance(value, str) else value


def flat_settings(settings: bytes | Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested settings by dotted names."""
    nested = msgspec.json.decode(settings) if isinstance(settings, bytes) else settings
    flat: dict[str, Any] = {}
    for name, value in nested.items():
        if isinstance(value, Mapping):
            flat |= flat_settings(value, f"{prefix}{name}.")
        else:
            flat[prefix + name] = value
    return flat
