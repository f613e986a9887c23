"""Keys, plans and the store."""

import errno
import hashlib
import json
import multiprocessing
import os
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from fewshot_audio.runner import store as stores
from fewshot_audio.runner.identity import digest_of, missing, run_specs
from fewshot_audio.runner.store import FAILED, FINISHED, Store, read_lines
from fewshot_audio.types import Fold, StoreError

FOLD = Fold(1, (), ())


def keys(job, bank="b", draws=None, fold=FOLD):
    return [spec.key for spec in run_specs(job, fold, bank, draws)]


def test_a_plan_has_every_repeat_of_every_n_once(job):
    specs = run_specs(replace(job, repeats={5: 2, 1: 3}), FOLD, "b", None)
    assert [(spec.n_per_class, spec.repeat) for spec in specs] == [
        (1, 1),
        (1, 2),
        (1, 3),
        (5, 1),
        (5, 2),
    ]
    assert len({spec.key for spec in specs}) == 5
    assert missing(specs, {specs[0].key, specs[3].key}) == [specs[1], specs[2], specs[4]]


def test_a_key_changes_with_all_that_can_change_a_result(job):
    def changed(part, **arguments):
        component = getattr(job, part)
        return replace(
            job, **{part: replace(component, arguments={**component.arguments, **arguments})}
        )

    others = [
        changed("method", max_epochs=3),
        changed("frontend", beta=1e-3),
        changed("dataset", validation="none"),
        replace(job, fold=2),
        replace(job, seed=1),
        replace(job, model=replace(job.model, target="fewshot_audio.models.vgg.VGG")),
        replace(job, mel=replace(job.mel, pad_mode="constant")),
    ]
    found = [keys(job), keys(job, bank="c"), keys(job, draws="d"), *map(keys, others)]
    assert len({key for each in found for key in each}) == 2 * len(found)


def test_a_key_does_not_change_with_where_data_lie_or_how_numbers_are_written(job):
    moved = replace(
        job, dataset=replace(job.dataset, arguments={**job.dataset.arguments, "root": "/elsewhere"})
    )
    floats = replace(
        job, method=replace(job.method, arguments={**job.method.arguments, "test_hop": 16.0})
    )
    turned = replace(
        job, method=replace(job.method, arguments=dict(reversed(job.method.arguments.items())))
    )
    assert keys(moved) == keys(floats) == keys(turned) == keys(job)


def test_a_key_is_the_start_of_a_sha256_over_sorted_json():
    digest = hashlib.sha256(b'{"a": [1, "x"], "b": 0.5}').hexdigest()
    assert digest_of({"b": 0.5, "a": (1.0, "x")}) == digest[:16]


def line(key, **more):
    return {
        "key": key,
        "status": FINISHED,
        "identity": {},
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
        store.folder / "a.jsonl", [line("a", error="no m\udce4rz.wav", warnings=["\udce4"])]
    )
    (found,) = store.lines()
    assert (found["error"], found["warnings"]) == (r"no m\udce4rz.wav", [r"\udce4"])


@pytest.mark.parametrize("wrong", [{"key": [1]}, {"identity": None}, {"seconds": None}])
def test_a_line_of_wrong_types_is_named(store, wrong):
    store.append(store.folder / "a.jsonl", [line("a"), line("b") | wrong])
    with pytest.raises(StoreError, match=r"a\.jsonl:2: not a result"):
        list(store.brief())


def test_lines_come_back_as_written(store, job):
    (spec, other) = run_specs(job, FOLD, "b", None)
    assert store.file_of(spec) == store.file_of(other)
    assert store.file_of(spec).name.startswith("synthetic-fold1-timbre-log_eps-n001-")
    store.append(store.file_of(spec), [line("1")])
    store.append(store.file_of(spec), [line("2", status=FAILED), line("3")])
    assert [each["key"] for each in store.lines()] == ["1", "2", "3"]
    assert [(each["key"], each["status"]) for each in store.brief()] == [
        ("1", FINISHED),
        ("2", FAILED),
        ("3", FINISHED),
    ]


@pytest.mark.parametrize("cut", [*range(1, 40, 3), 900])
def test_an_unfinished_last_line_is_left_out_and_replaced(store, cut):
    file = store.folder / "a.jsonl"
    store.append(file, [line("1")])
    whole = file.read_bytes()
    store.append(file, [line("2", error=1000 * "x")])  # longer than the next one
    file.write_bytes(file.read_bytes()[: len(whole) + cut])
    assert [each["key"] for each in read_lines(file)] == ["1"]
    store.append(file, [line("3")])
    assert [each["key"] for each in read_lines(file)] == ["1", "3"]


@pytest.mark.parametrize(
    "broken",
    [
        "{not json",
        "[]",
        "3",
        '{"status": "finished"}',
        "\x00\x00",
        '{"key": "1", "status": "finished"}',
        "a\rb",
    ],
)
def test_a_broken_line_elsewhere_is_named(store, broken):
    file = store.folder / "a.jsonl"
    file.write_text(f"{json.dumps(line('1'))}\n{broken}\n{json.dumps(line('2'))}\n")
    with pytest.raises(
        StoreError, match=r"a.jsonl:2: not a result \(.*remove this line, its run will be done anew"
    ):
        list(store.lines())


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
    store.append(file, [line("1")])
    real = os.pwrite

    def full(descriptor, data, offset):
        if len(data) < 20 or not written:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(descriptor, data[:written], offset)

    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(StoreError, match="could not be written .*No space left.*free space"):
        store.append(file, [line("2"), line("3")])
    monkeypatch.undo()
    assert json.loads(file.read_bytes()) == line("1")


def test_short_writes_are_completed(store, monkeypatch):
    real = os.pwrite
    monkeypatch.setattr(
        os, "pwrite", lambda descriptor, data, offset: real(descriptor, data[:7], offset)
    )
    store.append(store.folder / "a.jsonl", [line("1", long="x" * 100)])
    file = store.folder / "a.jsonl"
    assert list(store.lines()) == [line("1", long="x" * 100, where=f"{file}:1")]


@pytest.mark.parametrize(("apart", "waits"), [(2.0, 3), (1.0, 3), (0.6, 2), (0.0, 1)])
def test_the_disk_is_waited_for_once_a_second_at_most(store, monkeypatch, apart, waits):
    waited = []
    monkeypatch.setattr(os, "fsync", waited.append)
    for number in range(3):
        monkeypatch.setattr("time.monotonic", partial(float, 5 + number * apart))
        store.append(store.folder / f"{number % 2}.jsonl", [line(str(number))])
    assert len(waited) == waits


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match=r"cannot be written .*; give another: results=\.\.\."):
        Store(tmp_path / "file").prepare()


@pytest.mark.parametrize(
    "place", [lambda x: x, lambda x: [1, x], lambda x: {"a": [None, {"b": (0.5, x)}]}]
)
@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_nan_is_no_json(store, place, number):
    with pytest.raises(ValueError, match="not JSON compliant"):
        store.append(store.folder / "a.jsonl", [line("1", seconds=place(number))])
    assert list(store.lines()) == []


def _append_many(folder: Path, name: int) -> None:
    store = Store(folder)
    file = store.folder / "shared.jsonl"
    for i in range(50):
        with store.lock(file):
            store.append(file, [line(f"{name}-{i}", text="x" * 500)])


def test_processes_with_the_lock_never_tear_a_line(store, tmp_path):
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_append_many, args=(tmp_path, name)) for name in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert sorted(each["key"] for each in store.lines()) == sorted(
        f"{n}-{i}" for n in range(3) for i in range(50)
    )
