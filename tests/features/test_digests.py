"""Hashes of files."""

import hashlib

from fewshot_audio.features.digests import digest_files


def test_remembered_until_a_file_changes(tmp_path, monkeypatch):
    (tmp_path / "a").write_text("a")
    expected = {"a": hashlib.sha256(b"a").hexdigest()}
    assert digest_files(tmp_path, ["a"], tmp_path / "cache", 1) == expected
    monkeypatch.setattr("fewshot_audio.features.digests.sha256", lambda path: "read again")
    assert digest_files(tmp_path, ["a"], tmp_path / "cache", 1) == expected
    (tmp_path / "a").write_text("other")
    assert digest_files(tmp_path, ["a"], tmp_path / "cache", 1) == {"a": "read again"}


def test_damaged_memory_is_read_anew(tmp_path):
    (tmp_path / "a").write_text("a")
    expected = digest_files(tmp_path, ["a"], tmp_path / "cache", 1)
    next((tmp_path / "cache").iterdir()).write_text("{broken")
    assert digest_files(tmp_path, ["a"], tmp_path / "cache", 1) == expected
