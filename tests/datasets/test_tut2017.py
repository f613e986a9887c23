"""TUT Acoustic Scenes 2017, as a tree of empty files with the official names."""

from collections import Counter

import pytest

from fewshot_audio.datasets.tut2017 import (
    PARTS,
    folder,
    official_rows,
    read_rows,
    tut_acoustic_scenes,
)
from fewshot_audio.types import DataError


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """All 6,300 names as empty files, with both lists."""
    root = tmp_path_factory.mktemp("tut") / "TUT-acoustic-scenes-2017"
    for part in PARTS:
        rows = official_rows(part)
        (root / folder(part) / "audio").mkdir(parents=True)
        for path, _, _ in rows:
            (root / folder(part) / path).touch()
        meta = "".join("\t".join(row) + "\n" for row in rows)
        (root / folder(part) / "meta.txt").write_text(meta)
    return root


@pytest.mark.slow
def test_development_trains_and_evaluation_tests(root):
    dataset = tut_acoustic_scenes("tut_asc", root.parent)
    (fold,) = dataset.folds
    assert (len(fold.train), len(fold.test), len(dataset.classes)) == (4680, 1620, 15)
    assert set(Counter(clip.label for clip in fold.train).values()) == {312}
    assert set(Counter(clip.label for clip in fold.test).values()) == {108}
    assert not {clip.group for clip in fold.train} & {clip.group for clip in fold.test}
    assert dataset.leak_unit == "location"


def test_changed_list_is_refused(root):
    path = root / folder("evaluation") / "meta.txt"
    text = path.read_text()
    try:
        path.write_text(text.replace("beach", "bus", 1))
        with pytest.raises(DataError, match="1620 clips, 1620 expected; 2 rows differ"):
            tut_acoustic_scenes("tut_asc", root)
        path.write_text(text.replace("\tb174", "", 1))
        with pytest.raises(DataError, match=r"meta.txt:1: expected path, scene .* found 2 columns"):
            tut_acoustic_scenes("tut_asc", root)
    finally:
        path.write_text(text)


def test_a_damaged_row_is_named_by_its_line(tmp_path):
    path = tmp_path / "meta.txt"
    path.write_text("a.wav\tbeach\tb1\n\nb.wav\tbus\n")
    with pytest.raises(DataError, match=r"meta.txt:3: expected path, scene .* found 2 columns"):
        read_rows(path)
