"""Files written whole, listed and locked."""

import logging
import threading
import time

import pytest
from filelock import FileLock

from fewshot_audio.files import acquire, atomic_write, list_files


def test_failed_write_leaves_the_old_file(tmp_path):
    (tmp_path / "a.json").write_text("old")
    with pytest.raises(RuntimeError), atomic_write(tmp_path / "a.json") as draft:
        draft.write_text("new")
        raise RuntimeError
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]
    assert (tmp_path / "a.json").read_text() == "old"


def test_lock_is_acquired_and_released(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    lock = FileLock(tmp_path / "lock")
    with acquire(lock, "waiting"):
        assert lock.is_locked
    assert not lock.is_locked
    assert caplog.text == ""


def test_waiting_for_a_lock_is_announced(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    held = threading.Event()

    def hold():
        with FileLock(tmp_path / "lock"):
            held.set()
            time.sleep(0.2)

    other = threading.Thread(target=hold)
    other.start()
    held.wait()
    with acquire(FileLock(tmp_path / "lock"), "waiting for another"):
        assert "waiting for another" in caplog.text
    other.join()


def test_files_of_folders(tmp_path):
    for path in ("a/one.wav", "a/b/two.wav", "three.wav"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    assert list_files(tmp_path, ["a/b", "none"]) == {"a/b/two.wav"}
    assert list_files(tmp_path, ["", "a"]) >= {"three.wav", "a/one.wav"}
