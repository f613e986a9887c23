"""Datasets from a list of clips."""

import pytest

from fewshot_audio.datasets.listed import Listed, from_list, split_named
from fewshot_audio.types import DataError


def files(root, *paths):
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).touch()


def test_splits(tmp_path):
    files(tmp_path, "b/1.wav", "a/1.wav", "a/2.wav", "a/3.wav")
    rows = [
        Listed("b/1.wav", ("dog",), "train", "rex"),
        Listed("a/2.wav", ("cat",), "valid"),
        Listed("a/1.wav", ("cat",), "train"),
        Listed("a/3.wav", ("cat",), "test"),
    ]
    dataset = from_list("pets", tmp_path, rows)
    assert dataset.classes == ("cat", "dog")
    (fold,) = dataset.folds
    assert [clip.path for clip in fold.train] == ["a/1.wav", "b/1.wav"]
    assert [clip.label for clip in fold.train] == [0, 1]
    assert [clip.group for clip in fold.train] == ["a/1.wav", "rex"]
    assert [clip.path for clip in fold.valid + fold.test] == ["a/2.wav", "a/3.wav"]


def test_folds_in_the_order_of_their_numbers(tmp_path):
    files(tmp_path, "1.wav", "2.wav", "10.wav")
    rows = [Listed(f"{number}.wav", ("x",), str(number)) for number in (10, 2, 1)]
    dataset = from_list("x", tmp_path, rows)
    assert [fold.number for fold in dataset.folds] == [1, 2, 10]
    for fold in dataset.folds:
        assert [clip.fold for clip in fold.test] == [fold.number]
        assert len(fold.train) == 2
        assert not set(fold.train) & set(fold.test)


@pytest.mark.parametrize(
    ("splits", "message"),
    [
        (["train", "train"], "2 clips that train and 0 that test"),
        (["train", "2"], "found the splits train"),
        (["3", "3"], "found one fold"),
    ],
)
def test_impossible_splits(tmp_path, splits, message):
    files(tmp_path, "0.wav", "1.wav")
    rows = [Listed(f"{number}.wav", ("x",), split) for number, split in enumerate(splits)]
    with pytest.raises(DataError, match=message):
        from_list("x", tmp_path, rows)


@pytest.mark.parametrize(
    ("word", "meaning"),
    [
        *(("1", "1"), ("1.0", "1"), ("fold_01", "1"), ("Fold 3", "3"), ("fold-2", "2")),
        *(("Training", "train"), ("dev", "valid"), ("-1", None), ("_3", None), ("1.5", None)),
    ],
)
def test_words_for_splits_and_folds(word, meaning):
    assert split_named(word) == meaning


def test_missing_files_and_classes_that_are_not_there(tmp_path):
    files(tmp_path, "0.wav")
    rows = [Listed("0.wav", ("x",), "train"), Listed("1.wav", ("x",), "test")]
    with pytest.raises(DataError, match=r"1 of 2 listed files are missing"):
        from_list("x", tmp_path, rows)
    with pytest.raises(DataError, match="no such class: x"):
        from_list("x", tmp_path, rows, classes=["y"])
