"""Clips, folds and datasets, whoever makes them."""

import hashlib
import json

import pytest

from fewshot_audio.datasets.base import Clip, Dataset, Fold
from fewshot_audio.types import DataError

A, B, C = Clip("a.wav", (0,), 1, "r"), Clip("b.wav", (1,), 2, "s"), Clip("c.wav", (0, 1), 2, "t")


def test_label_is_the_only_one():
    assert (A.label, B.label) == (0, 1)
    with pytest.raises(DataError, match=r"c.wav has 2 labels, expected one"):
        _ = C.label


def test_id_is_the_path_unless_the_clip_is_a_part_of_the_file():
    part = Clip("a.wav", (0,), 1, "r", 1.5, 3)
    assert (A.id, part.id) == ("a.wav", "a.wav#1.5-3.0")
    assert Clip("a.wav", (0,), 1, "r", 2).id == "a.wav#2.0-"
    assert Fold(1, (A,), (B,)).digest != Fold(1, (part,), (B,)).digest


def test_digest_is_of_what_trains_and_tests():
    """Equal to that of earlier records, which knew one label per clip."""
    rows = [[["a.wav", 0, "r"]], [], [["b.wav", 1, "s"]]]
    expected = hashlib.sha256(json.dumps(rows).encode()).hexdigest()[:16]
    fold = Fold(1, (A,), (B,), (C,))
    assert fold.digest == Fold(1, (A,), (B,)).digest == expected
    assert fold.digest_with_valid != expected
    assert Fold(1, (B,), (A,)).digest != expected


@pytest.mark.parametrize(
    ("clip", "text"),
    [
        (Clip("d.wav", (2,), 1, "r"), r"d.wav has the labels \(2,\), expected .* the 2 classes"),
        (C, "c.wav has 2 labels, expected one; .* sets multi_label=True"),
        (Clip("e.wav", (), 1, "r"), "e.wav has 0 labels, expected one"),
    ],
)
def test_wrong_labels_are_refused(tmp_path, clip, text):
    with pytest.raises(DataError, match=text):
        Dataset("own", tmp_path, ("x", "y"), (Fold(1, (A,), (clip,)),))


def test_dataset_without_folds_is_refused(tmp_path):
    with pytest.raises(DataError, match="own: a dataset needs at least one fold"):
        Dataset("own", tmp_path, ("x", "y"), ())
