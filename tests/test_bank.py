"""Banks: what they hold, when they are built anew, and what a killed or damaged one costs."""

import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
import soundfile
from filelock import FileLock

from fewshot_audio.datasets.synthetic import synthetic
from fewshot_audio.features import cache as bank_module
from fewshot_audio.features.audio import load
from fewshot_audio.features.cache import VERSION, cache_key, file_digests, open_cache
from fewshot_audio.features.digests import digest_files
from fewshot_audio.features.transforms import MelTransform
from fewshot_audio.files import atomic_write
from fewshot_audio.types import DataError

MEL = MelTransform(16000, 1024, 512, "reflect")


@pytest.fixture
def data(synthetic_root, tmp_path):
    """A copy of the small dataset that a test may change."""
    shutil.copytree(synthetic_root, tmp_path / "data")
    return synthetic("synthetic", tmp_path / "data", "us8k", 3, 2, "next", ())


def folder_of(cache):
    return next(path for path in cache.iterdir() if path.is_dir())


@pytest.mark.parametrize("workers", [1, 2])
def test_a_bank_holds_every_clip_as_computed_one_by_one(data, tmp_path, workers):
    bank = open_cache(data, MEL, tmp_path / "bank", workers, silent=False)
    for clip in data.clips:
        np.testing.assert_array_equal(bank[clip.path], MEL(load(data.root / clip.path, 16000)))
    assert isinstance(bank.rows, np.memmap)


def test_the_key_depends_on_transform_files_and_labels(data, tmp_path):
    def key(dataset=data, transform=MEL):
        return cache_key(dataset, transform, file_digests(dataset, tmp_path / "bank", 1))[0]

    keys = [
        key(),
        key(transform=replace(MEL, pad_mode="constant")),
        key(transform=replace(MEL, hop=1024)),
    ]
    fold = data.folds[0]
    relabelled = replace(
        fold, test=tuple(replace(clip, label=(clip.label + 1) % 5) for clip in fold.test)
    )
    keys.append(key(dataset=replace(data, folds=(relabelled, *data.folds[1:]))))
    path = data.root / data.clips[0].history
    samples, rate = soundfile.read(path)
    soundfile.write(path, samples * 0.5, rate)
    keys.append(key())
    assert len(set(keys)) == len(keys)


def test_a_second_opening_computes_nothing(data, tmp_path, monkeypatch):
    first = open_cache(data, MEL, tmp_path / "bank", 1, silent=False)
    monkeypatch.setattr(bank_module, "load", None)
    again = open_cache(data, MEL, tmp_path / "bank", 1, silent=False)
    assert again.key == first.key
    np.testing.assert_array_equal(again.rows, first.rows)


def test_an_interrupted_build_goes_on_where_it_stopped(data, tmp_path, monkeypatch):
    monkeypatch.setattr(bank_module, "PART", 4)
    decoded = []

    def load_until(stop):
        def counting(path, rate):
            decoded.append(path)
            if len(decoded) == stop:
                raise KeyboardInterrupt
            return load(path, rate)

        return counting

    monkeypatch.setattr(bank_module, "load", load_until(11))
    with pytest.raises(KeyboardInterrupt):
        open_cache(data, MEL, tmp_path / "bank", 1, silent=False)
    assert not (folder_of(tmp_path / "bank") / "index.json").exists()
    draft = folder_of(tmp_path / "bank") / ".rows.npy.of_a_killed_process"
    draft.touch()
    part = folder_of(tmp_path / "bank") / "part-00001.npz"
    part.write_bytes(part.read_bytes()[:-30])
    decoded.clear()
    monkeypatch.setattr(bank_module, "load", load_until(0))
    bank = open_cache(data, MEL, tmp_path / "bank", 1, silent=False)
    assert len(decoded) == len(data.clips) - 4  # of two parts of four one was damaged
    np.testing.assert_array_equal(
        bank[data.clips[-1].path], MEL(load(data.root / data.clips[-1].path, 16000))
    )
    assert sorted(path.name for path in folder_of(tmp_path / "bank").iterdir()) == [
        "index.json",
        "lock",
        "rows.npy",
    ]


def test_a_build_killed_at_any_moment_leaves_nothing_half_read(synthetic_root, tmp_path):
    code = (
        "from pathlib import Path\nfrom fewshot_audio.features import cache as bank\nfrom fewshot_audio.features.transforms import MelTransform\n"
        "from fewshot_audio.datasets.synthetic import synthetic; bank.PART = 2\n"
        f"data = synthetic('synthetic', Path({str(synthetic_root)!r}), 'us8k', 3, 2, 'next', ())\n"
        "print('go', flush=True)\n"
        f"bank.open_cache(data, MelTransform(16000, 1024, 512, 'reflect'), Path({str(tmp_path)!r}), 1, False)\n"
    )
    for delay in (0.02, 0.1, 0.2, 0.3):
        process = subprocess.Popen(
            [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        process.stdout.readline()
        time.sleep(delay)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()
    data = synthetic("synthetic", synthetic_root, "us8k", 3, 2, "next", ())
    bank = open_cache(data, MEL, tmp_path, 1, silent=False)
    for clip in data.clips:
        np.testing.assert_array_equal(bank[clip.path], MEL(load(data.root / clip.path, 16000)))


@pytest.mark.parametrize("damage", ["flip", "shorten", "remove", "index"])
def test_a_damaged_bank_is_built_anew(data, tmp_path, damage, caplog):
    first = np.array(open_cache(data, MEL, tmp_path / "bank", 1, silent=False).rows)
    rows = folder_of(tmp_path / "bank") / "rows.npy"
    content = bytearray(rows.read_bytes())
    content[-1] ^= 1
    if damage == "index":
        index = rows.with_name("index.json")
        index.write_text(index.read_text()[:100])
        content[-1] ^= 1
    rows.unlink()
    if damage != "remove":
        rows.write_bytes(content[:-100] if damage == "shorten" else content)
    np.testing.assert_array_equal(
        open_cache(data, MEL, tmp_path / "bank", 1, silent=False).rows, first
    )
    assert "does not match its hash; it is built anew" in caplog.text


def test_all_bad_files_are_named_at_once_and_good_ones_are_not_done_twice(data, tmp_path):
    paths = [data.root / clip.path for clip in data.clips]
    paths[0].write_bytes(b"")
    paths[5].write_bytes(paths[5].read_bytes()[:-200])
    samples, rate = soundfile.read(paths[9])
    soundfile.write(paths[9], np.zeros_like(samples), rate)
    soundfile.write(paths[12], np.full_like(samples, np.nan), rate, subtype="FLOAT")
    with pytest.raises(DataError) as caught:
        open_cache(data, MEL, tmp_path / "bank", 1, silent=False)
    text = str(caught.value)
    assert "4 bad files" in text
    for number, reason in ((0, "is empty"), (5, "is truncated"), (9, "is silent"), (12, "NaN")):
        assert f"{data.clips[number].path}: " in text
        assert reason in text


def test_a_build_waits_for_another_and_says_so(data, tmp_path, caplog, monkeypatch):
    caplog.set_level(logging.INFO)
    folder = (
        tmp_path
        / f"synthetic-{cache_key(data, MEL, file_digests(data, tmp_path, 1))[0]}-v{VERSION}"
    )
    folder.mkdir()
    lock = FileLock(folder / "lock")
    lock.acquire()
    real = logging.Logger.info
    monkeypatch.setattr(
        logging.Logger, "info", lambda *arguments: (lock.release(), real(*arguments))
    )
    open_cache(data, MEL, tmp_path, 1, silent=False)
    assert f"waiting for another process that builds {folder.name}" in caplog.text


def test_silent_clips_are_refused_unless_accepted_also_from_a_finished_bank(data, tmp_path):
    path = data.root / data.clips[3].path
    samples, rate = soundfile.read(path)
    soundfile.write(path, np.zeros_like(samples), rate)
    bank = open_cache(data, MEL, tmp_path / "bank", 1, silent=True)
    assert not bank[data.clips[3].path].any()
    with pytest.raises(DataError, match=r"1 bad files.*dataset.tolerate=\[silent\]\n.*is silent"):
        open_cache(data, MEL, tmp_path / "bank", 1, silent=False)


def test_a_full_disk_leaves_no_half_file(data, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(bank_module.np.lib.format, "write_array_header_1_0", full)
    with pytest.raises(OSError, match="No space left"):
        open_cache(data, MEL, tmp_path / "bank", 1, silent=False)
    monkeypatch.undo()
    left = [path.name for path in folder_of(tmp_path / "bank").iterdir()]
    assert not any("rows" in name for name in left)
    assert len(open_cache(data, MEL, tmp_path / "bank", 1, silent=False).spans) == len(data.clips)


def test_hashes_are_remembered_until_a_file_changes(tmp_path, monkeypatch):
    (tmp_path / "a").write_text("a")
    first = digest_files(tmp_path, ["a"], tmp_path / "cache", 1)
    assert first["a"] == "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"
    monkeypatch.setattr("fewshot_audio.features.digests.sha256", lambda path: "read again")
    assert digest_files(tmp_path, ["a"], tmp_path / "cache", 1) == first
    (tmp_path / "a").write_text("other")
    assert digest_files(tmp_path, ["a"], tmp_path / "cache", 1) == {"a": "read again"}
    next((tmp_path / "cache").iterdir()).write_text("{broken")
    assert digest_files(tmp_path, ["a"], tmp_path / "cache", 1) == {"a": "read again"}


def test_a_failed_write_leaves_the_old_file(tmp_path):
    (tmp_path / "a.json").write_text("old")
    with pytest.raises(RuntimeError), atomic_write(tmp_path / "a.json") as draft:
        draft.write_text(json.dumps("new"))
        raise RuntimeError
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]
    assert (tmp_path / "a.json").read_text() == "old"
