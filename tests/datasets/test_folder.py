"""Datasets from folders of classes."""

import os

import pytest
from own_cases import paths, touch

from fewshot_audio.datasets.folder import from_folder
from fewshot_audio.datasets.partition import Partition
from fewshot_audio.types import ConfigError, DataError

HOLDOUT = Partition("holdout", test=0.5)


def test_classes_at_any_depth(tmp_path):
    touch(tmp_path, "cat/1.wav", "cat/a/b/2.FLAC", "dog/3.mp3", "dog/x y/Müll.m4a", "dog/5.ogg")
    dataset = from_folder("pets", tmp_path, split=HOLDOUT)
    assert dataset.classes == ("cat", "dog")
    found = {clip.path: clip.label for clip in dataset.clips}
    cats = {"cat/1.wav": 0, "cat/a/b/2.FLAC": 0}
    assert found == {**cats, "dog/3.mp3": 1, "dog/x y/Müll.m4a": 1, "dog/5.ogg": 1}


@pytest.mark.parametrize(
    "names", [("train", "test"), ("Training", "Evaluation"), ("train", "eval"), ("fold1", "fold2")]
)
def test_splits_above_classes(tmp_path, names):
    first, second = names
    touch(tmp_path, f"{first}/cat/1.wav", f"{first}/dog/2.wav", f"{second}/cat/3.wav")
    touch(tmp_path, f"{second}/dog/4.wav")
    dataset = from_folder("pets", tmp_path)
    fold = dataset.folds[-1]  # of two folds the second
    assert paths(fold.train) == [f"{first}/cat/1.wav", f"{first}/dog/2.wav"]
    assert paths(fold.test) == [f"{second}/cat/3.wav", f"{second}/dog/4.wav"]
    assert dataset.made == ""


def test_valid_folder(tmp_path):
    touch(tmp_path, *(f"{split}/a/{split}.wav" for split in ("train", "val", "test")))
    (fold,) = from_folder("a", tmp_path).folds
    assert [paths(part) for part in (fold.train, fold.valid, fold.test)] == [
        [f"{split}/a/{split}.wav"] for split in ("train", "val", "test")
    ]


@pytest.mark.parametrize("classes", [("0", "1", "2"), ("train", "car")])
def test_classes_that_look_like_splits(tmp_path, classes):
    """Digits; and a train, which is a class where others are."""
    touch(tmp_path, *(f"{name}/{i}.wav" for name in classes for i in range(4)))
    dataset = from_folder("x", tmp_path, split=HOLDOUT)
    assert dataset.classes == tuple(sorted(classes))


def test_other_files_are_counted_and_named(tmp_path):
    touch(tmp_path, *(f"cat/{i}.wav" for i in range(4)), "cat/readme.txt", ".git/x.wav")
    touch(tmp_path, "cat/._1.wav", "licence")
    dataset = from_folder("pets", tmp_path, split=HOLDOUT)
    assert len(dataset.clips) == 4
    note = "4 files left out, hidden or no audio by the name"
    assert f"{note}: licence, cat/readme.txt, .git/x.wav, cat/._1.wav" in dataset.notes
    touch(tmp_path, *(f"cat/{i}.txt" for i in range(4)))
    (note,) = (n for n in from_folder("pets", tmp_path, split=HOLDOUT).notes if "8 files" in n)
    names = "licence, cat/0.txt, cat/1.txt, cat/2.txt, cat/3.txt"
    assert note.endswith(f": {names} and 3 more")


def test_folders_that_cannot_be_read(tmp_path, monkeypatch):
    """All are named, but for hidden ones: what they hold would be missing without a word."""
    touch(
        tmp_path, ".x/1", *(f"{name}/{i}.wav" for name in ("cat", "cow", "dog") for i in range(4))
    )
    closed, scandir = {f"{tmp_path}/{name}" for name in ("cat", "dog", ".x")}, os.scandir

    def refusing(path):
        if str(path) in closed:
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)
    with pytest.raises(DataError, match=r"cannot be read \(2\)") as caught:
        from_folder("pets", tmp_path)
    assert f"  {tmp_path}/cat (Permission denied)\n  {tmp_path}/dog (Perm" in str(caught.value)


def test_empty_folders_are_named(tmp_path):
    touch(tmp_path, *(f"cat/{i}.wav" for i in range(4)), "emu/notes.txt", ".git/x")
    (tmp_path / "dog/old").mkdir(parents=True)
    dataset = from_folder("pets", tmp_path, split=HOLDOUT)
    assert "2 folders without audio left out: dog, emu" in dataset.notes
    touch(tmp_path / "s", "train/a/1.wav", "test/a/2.wav", "test/b/3.txt")
    assert "1 folder without audio left out: test/b" in from_folder("s", tmp_path / "s").notes


def test_links_are_followed_once(tmp_path):
    touch(tmp_path, *(f"elsewhere/{i}.wav" for i in range(4)))
    root = tmp_path / "root"
    root.mkdir()
    (root / "cat").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere/loop").symlink_to(root)
    dataset = from_folder("pets", root, split=HOLDOUT)
    assert paths(dataset.clips) == [f"cat/{i}.wav" for i in range(4)]


def test_files_without_a_class(tmp_path):
    touch(tmp_path, "cat/1.wav", "cat/2.wav", "3.wav")
    with pytest.raises(DataError, match=r"expected CLASS/FILE \(1\):\n  3.wav"):
        from_folder("pets", tmp_path)
    touch(tmp_path / "s", "train/cat/1.wav", "test/2.wav")
    with pytest.raises(DataError, match=r"expected SPLIT/CLASS/FILE \(1\):\n  test/2.wav"):
        from_folder("pets", tmp_path / "s")


def test_no_audio(tmp_path):
    touch(tmp_path, "cat/1.doc")
    with pytest.raises(DataError, match="found no audio in 1 files; expected .*flac.*wav"):
        from_folder("pets", tmp_path)
    with pytest.raises(DataError, match="expected a folder; for a table, dataset=csv"):
        from_folder("pets", tmp_path / "cat/1.doc")


def test_choice_of_classes(tmp_path):
    touch(tmp_path, *(f"{name}/{i}.wav" for name in ("cat", "dog", "kat", "cow") for i in range(4)))
    touch(tmp_path, "emu/0.wav")

    def classes(**settings):
        return from_folder("pets", tmp_path, split=HOLDOUT, **settings)

    assert classes(classes=("dog", "cat")).classes == ("cat", "dog")
    assert classes(min_clips=2).classes == ("cat", "cow", "dog", "kat")
    assert "1 class dropped for fewer than 2 clips: emu" in classes(min_clips=2).notes
    joined = classes(labels={"kat": "cat", "cow": None, "emu": None})
    assert joined.classes == ("cat", "dog")
    assert sum(clip.label == 0 for clip in joined.clips) == 8
    assert "5 clips of other classes left out" in joined.notes
    with pytest.raises(ConfigError, match="dataset.classes: there is no class dgo; .* dog"):
        classes(classes=("dgo",))
    with pytest.raises(ConfigError, match="dataset.labels: there is no class fox"):
        classes(labels={"fox": "dog"})
    with pytest.raises(ConfigError, match="no class is left"):
        classes(min_clips=20)


def test_numbers_are_names(tmp_path):
    """On the command line 3 is a number."""
    touch(tmp_path, *(f"{name}/{i}.wav" for name in "123" for i in range(4)))
    dataset = from_folder("x", tmp_path, None, (1, 4), {3: 4, 2: None}, split=HOLDOUT)
    assert dataset.classes == ("1", "4")


def test_group_by(tmp_path):
    touch(
        tmp_path, *(f"{c}/{who}_{i}.wav" for c in "ab" for who in ("ann", "bo") for i in range(2))
    )
    dataset = from_folder("x", tmp_path, r"/(\w+)_", split=Partition("leave_one_group_out"))
    assert [{clip.group for clip in fold.test} for fold in dataset.folds] == [{"ann"}, {"bo"}]
    touch(tmp_path, "a/other.wav")
    with pytest.raises(
        DataError, match=r"group_by=/\(\\w\+\)_ finds no group in the path \(1\):\n  a/other"
    ):
        from_folder("x", tmp_path, r"/(\w+)_")
    with pytest.raises(ConfigError, match="put what names the group in parentheses"):
        from_folder("x", tmp_path, "x")
    with pytest.raises(ConfigError, match="no regular expression"):
        from_folder("x", tmp_path, "(")
