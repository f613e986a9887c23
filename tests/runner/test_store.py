"""The store: whole lines on disk, read and checked."""

import errno
import json
import math
import multiprocessing
import os
from functools import partial
from pathlib import Path

import pytest

from fewshot_audio.datasets.base import Fold
from fewshot_audio.record_fields import FAILED, FINISHED, SCHEMA
from fewshot_audio.records import read_records, runnable
from fewshot_audio.report.records import load
from fewshot_audio.runner import store as stores
from fewshot_audio.runner.identity import run_specs
from fewshot_audio.runner.store import Store
from fewshot_audio.types import StoreError

IDENTITY = {part: {"name": part} for part in ("dataset", "model", "frontend")}
IDENTITY |= {"fold": 1, "n_per_class": None, "repeat": 1}


def record(key, **more):
    return {
        "schema": SCHEMA,
        "key": key,
        "status": FINISHED,
        "identity": IDENTITY,
        "metrics": {"accuracy": 0.5},
        "seconds": {},
        **more,
    }


@pytest.fixture
def store(tmp_path):
    store = Store(tmp_path)
    store.prepare()
    return store


def test_an_error_with_bytes_of_no_text_is_stored(store, tmp_path):
    """As Python gives a file name in another encoding."""
    store.append(
        store.folder / "a.jsonl", [record("a", error="no m\udce4rz.wav", warnings=["\udce4"])]
    )
    (found,) = store.records()
    assert (found["error"], found["warnings"]) == (r"no m\udce4rz.wav", [r"\udce4"])


@pytest.mark.parametrize("wrong", [{"key": [1]}, {"identity": None}, {"seconds": None}])
def test_a_line_of_wrong_types_is_named(store, wrong):
    store.append(store.folder / "a.jsonl", [record("a"), record("b") | wrong])
    with pytest.raises(StoreError, match=r"a\.jsonl:2: not a record"):
        list(store.brief())


NO_VALUES = {  # by the field that must be named: a value, and what was expected
    "identity.model.name": (3, "`str`"),
    "identity.frontend": ("leaf", "`object`"),
    "identity.n_per_class": ("five", "`int | null`"),
    "identity.repeat": (True, "`int`"),
    "metrics.accuracy": (2, "a share of 1"),
    "metrics.accuracy ": (float("nan"), "a finite number"),
    "metrics[...]": ("high", "float"),
    "metrics.recall": ([0.5], "2 numbers"),
    "status": ("done", "finished or failed"),
    "started": ("yesterday", "datetime"),
    "stopped": ("2026-01-01T00:00:00", "timezone"),
    "seconds[...]": (-1, ">= 0.0"),
    "confusion_matrix": ([[1, 2], [3]], "2 lists of 2 counts"),
    "confusion_matrix ": ([[1, -2], [3, 4]], ""),
    "class_names[0]": ([1, 2], "str"),
}


@pytest.mark.parametrize(
    "read", [Store.brief, Store.records, lambda store: load(store.folder.parent)]
)
def test_all_wrong_values_are_named_with_their_line_and_field(store, read):
    """Of the first twenty lines; the others are counted."""
    whole = {"class_names": ["a", "b"], "confusion_matrix": [[1, 2], [3, 4]]}
    lines = []
    for field, (value, _) in NO_VALUES.items():
        made = json.loads(json.dumps(record("a", **whole)))
        path = field.strip().replace("[...]", ".train").replace("[0]", "")
        *parents, name = path.split(".")
        inner = made
        for each in parents:
            inner = inner[each]
        inner[name] = value
        lines.append(json.dumps(made))
    lines += ["{"] * 10
    (store.folder / "a.jsonl").write_text("\n".join(lines[:-7]) + "\n")
    (store.folder / "b.jsonl").write_text("\n".join(lines[-7:]) + "\n")
    with pytest.raises(StoreError) as caught:
        list(read(store))
    told = str(caught.value).splitlines()
    for number, (field, (_, expected)) in enumerate(NO_VALUES.items(), 1):
        assert f"a.jsonl:{number}: " in told[number - 1]
        assert f"`$.{field.strip()}" in told[number - 1]
        assert expected in told[number - 1]
    assert told[20] == "and 5 more lines; remove such a line, its run will be done again"


def test_a_field_of_another_type_is_named(store):
    """A record of an earlier version says what to run."""
    file = store.folder / "a.jsonl"
    store.append(file, [record("a", epochs="many")])
    with pytest.raises(
        StoreError, match=r"a\.jsonl:1: .*Expected `int`, got `str` - at `\$.epochs`"
    ):
        list(store.records())
    earlier = {name: value for name, value in record("a").items() if name != "schema"}
    file.write_text(json.dumps(earlier) + "\n")
    with pytest.raises(StoreError, match=r"1: a record of schema 0, .*run scripts/migrate\.py"):
        list(store.brief())
    file.write_text(json.dumps(record("a", schema=SCHEMA + 1)) + "\n")
    with pytest.raises(StoreError, match="update this program"):
        list(store.brief())


def test_lines_come_back_as_written(store, job):
    (spec, other) = run_specs(job, Fold(1, (), ()), "b", None)
    assert store.file_of(spec) == store.file_of(other)
    assert store.file_of(spec).name.startswith("synthetic-fold1-timbre-log_eps-n001-")
    store.append(store.file_of(spec), [record("1")])
    store.append(store.file_of(spec), [record("2", status=FAILED), record("3")])
    assert [each["key"] for each in store.records()] == ["1", "2", "3"]
    assert [(each["key"], each["status"]) for each in store.brief()] == [
        ("1", FINISHED),
        ("2", FAILED),
        ("3", FINISHED),
    ]


@pytest.mark.parametrize("cut", [*range(1, 40, 3), 900])
def test_an_unfinished_last_line_is_left_out_and_replaced(store, cut):
    file = store.folder / "a.jsonl"
    store.append(file, [record("1")])
    whole = file.read_bytes()
    store.append(file, [record("2", error=1000 * "x")])  # longer than the next one
    file.write_bytes(file.read_bytes()[: len(whole) + cut])
    assert [each["key"] for each in read_records([file])] == ["1"]
    store.append(file, [record("3")])
    assert [each["key"] for each in read_records([file])] == ["1", "3"]


@pytest.mark.parametrize(
    "broken",
    [
        "{not json",
        "[]",
        "3",
        '{"schema": 1, "status": "finished"}',
        "\x00\x00",
        '{"schema": 1, "key": "1", "status": "finished", "identity": {}}',
        "a\rb",
    ],
)
def test_a_broken_line_elsewhere_is_named(store, broken):
    file = store.folder / "a.jsonl"
    file.write_text(f"{json.dumps(record('1'))}\n{broken}\n{json.dumps(record('2'))}\n")
    with pytest.raises(
        StoreError,
        match=r"a.jsonl:2: not a record \(.*remove such a line, its run will be done again",
    ):
        list(store.records())


@pytest.mark.parametrize(
    ("number", "advice"),
    [(errno.ENOSPC, "free space"), (errno.EDQUOT, "free space"), (errno.EROFS, "give another")],
)
def test_a_folder_that_cannot_be_written_is_named_before_any_run(
    store, monkeypatch, number, advice
):
    def failing(dir):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(stores, "TemporaryFile", failing)
    with pytest.raises(
        StoreError, match=f"results={store.folder.parent} cannot be written .*; {advice}"
    ):
        store.prepare()


@pytest.mark.parametrize("written", [0, 10])
def test_a_full_disk_loses_no_line_and_tears_none(store, monkeypatch, written):
    file = store.folder / "a.jsonl"
    store.append(file, [record("1")])
    real = os.pwrite

    def full(descriptor, data, offset):
        if len(data) < 20 or not written:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(descriptor, data[:written], offset)

    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(StoreError, match="could not be written .*No space left.*free space"):
        store.append(file, [record("2"), record("3")])
    monkeypatch.undo()
    assert json.loads(file.read_bytes()) == record("1")


def test_short_writes_are_completed(store, monkeypatch):
    real = os.pwrite
    monkeypatch.setattr(
        os, "pwrite", lambda descriptor, data, offset: real(descriptor, data[:7], offset)
    )
    store.append(store.folder / "a.jsonl", [record("1", long="x" * 100)])
    file = store.folder / "a.jsonl"
    assert list(store.records()) == [record("1", long="x" * 100, where=f"{file}:1")]


@pytest.mark.parametrize(("apart", "waits"), [(2.0, 3), (1.0, 3), (0.6, 2), (0.0, 1)])
def test_the_disk_is_waited_for_once_a_second_at_most(store, monkeypatch, apart, waits):
    waited = []
    for number in range(2):
        store.append(store.folder / f"{number}.jsonl", [record("earlier")])
    monkeypatch.setattr(os, "fsync", waited.append)
    for number in range(3):
        store.synced = -math.inf if number == 0 else store.synced
        monkeypatch.setattr("time.monotonic", partial(float, 5 + number * apart))
        store.append(store.folder / f"{number % 2}.jsonl", [record(str(number))])
    assert len(waited) == waits


def test_the_disk_has_a_new_file_before_its_name(store, monkeypatch):
    """So that a power cut leaves no name without a record."""
    synced = []
    monkeypatch.setattr(
        os, "fsync", lambda each: synced.append(os.readlink(f"/proc/self/fd/{each}"))
    )
    file = store.folder / "a.jsonl"
    for key in "ab":
        store.synced = -math.inf
        store.append(file, [record(key)])
    assert synced == [str(file), str(store.folder), str(file)]


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match=r"cannot be written .*; give another: results=\.\.\."):
        Store(tmp_path / "file").prepare()


@pytest.mark.parametrize(
    "place", [lambda x: x, lambda x: [1, x], lambda x: {"a": [None, {"b": (0.5, x)}]}]
)
@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_nan_is_no_json(store, place, number):
    with pytest.raises(ValueError, match="finite number"):
        store.append(store.folder / "a.jsonl", [record("1", seconds=place(number))])
    assert list(store.records()) == []


def _append_many(folder: Path, name: int) -> None:
    store = Store(folder)
    file = store.folder / "shared.jsonl"
    for i in range(50):
        with store.lock(file):
            store.append(file, [record(f"{name}-{i}", text="x" * 500)])


def test_processes_with_the_lock_never_tear_a_record(store, tmp_path):
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=_append_many, args=(tmp_path, name)) for name in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert sorted(each["key"] for each in store.records()) == sorted(
        f"{n}-{i}" for n in range(3) for i in range(50)
    )


def test_commands_of_earlier_records_name_no_folder_of_dots():
    command = "python scripts/run.py results=... dataset.root=... model=vgg cache=..."
    assert runnable(command) == "python scripts/run.py dataset.root=... model=vgg"
    assert runnable(None) is None
