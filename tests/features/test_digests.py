"""Hashes of files."""

import hashlib
import os

import pytest

from fewshot_audio.features.digests import differing, digest_files
from fewshot_audio.types import DataError


def test_remembered_until_a_file_changes(tmp_path, monkeypatch):
    (tmp_path / "a").write_text("a")
    expected = {"a": hashlib.sha256(b"a").hexdigest()}
    assert digest_files(tmp_path, ["a"], tmp_path / "cache", 1) == expected
    monkeypatch.setattr("fewshot_audio.features.digests.sha256", lambda path: "read again")
    assert digest_files(tmp_path, ["a"], tmp_path / "cache", 1) == expected
    (tmp_path / "a").write_text("other")
    assert digest_files(tmp_path, ["a"], tmp_path / "cache", 1) == {"a": "read again"}


def test_more_files_than_threads_are_given_at_once(tmp_path, monkeypatch):
    monkeypatch.setattr("fewshot_audio.files.AT_ONCE", 2)
    names = "edcba"
    for name in names:
        (tmp_path / name).write_text(name)
    found = digest_files(tmp_path, names, tmp_path / "cache", 3)
    assert found == {name: hashlib.sha256(name.encode()).hexdigest() for name in names}
    assert differing(tmp_path, tmp_path / "cache", 3) == []


def test_all_files_that_cannot_be_read_are_named(tmp_path, monkeypatch):
    for name in "abc":
        (tmp_path / name).write_text(name)
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "empty").touch()

    def refusing(path):
        if path.name in "ac":
            raise PermissionError(13, "Permission denied", str(path))
        return "digest"

    monkeypatch.setattr("fewshot_audio.features.digests.sha256", refusing)
    with pytest.raises(DataError) as caught:
        digest_files(tmp_path, ["a", "b", "c", "gone", "empty", "link"], tmp_path / "cache", 1)
    assert str(caught.value).splitlines() == [
        f"{tmp_path}: 5 bad files; mend or replace them",
        "  a: cannot be read (Permission denied)",
        "  c: cannot be read (Permission denied)",
        "  empty: is empty (0 bytes)",
        "  gone: cannot be read (No such file or directory)",
        "  link: is a link to nothing",
    ]
    assert digest_files(tmp_path, ["b"], tmp_path / "cache", 1) == {"b": "digest"}


def test_damaged_memory_is_read_anew(tmp_path):
    (tmp_path / "a").write_text("a")
    expected = digest_files(tmp_path, ["a"], tmp_path / "cache", 1)
    next((tmp_path / "cache").iterdir()).write_text("{broken")
    assert digest_files(tmp_path, ["a"], tmp_path / "cache", 1) == expected


def test_other_content_of_the_same_size_and_time(tmp_path):
    for name in "abcd":
        (tmp_path / name).write_text(name)
    before = digest_files(tmp_path, "abcd", tmp_path / "cache", 1)
    assert differing(tmp_path, tmp_path / "cache", 1) == []
    stamp = (tmp_path / "b").stat()
    (tmp_path / "b").write_text("x")
    os.utime(tmp_path / "b", ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    (tmp_path / "c").write_text("longer")
    (tmp_path / "d").unlink()
    assert digest_files(tmp_path, "ab", tmp_path / "cache", 1)["b"] == before["b"]
    assert differing(tmp_path, tmp_path / "cache", 1) == [
        "b: other content of the same size and time than the cache was built from",
        "c: other content than the cache was built from",
    ]
    (tmp_path / "b").touch()
    assert digest_files(tmp_path, "b", tmp_path / "cache", 1)["b"] != before["b"]
    with pytest.raises(DataError, match=r"no feature cache of files in .*; expected what cache="):
        differing(tmp_path / "cache", tmp_path / "cache", 1)
