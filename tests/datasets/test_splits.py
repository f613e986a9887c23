"""Few-shot splits: drawn, counted, written and read."""

from collections import Counter
from dataclasses import replace

import pytest

from fewshot_audio.datasets.base import Clip, Dataset, Fold
from fewshot_audio.datasets.split_files import read_splits, write_splits
from fewshot_audio.datasets.splits import FewShotSplits, class_counts, draw_split, split_digest
from fewshot_audio.types import ConfigError, DataError, Sampling

BY_CLIP, BY_GROUP = Sampling("clip"), Sampling("group")


@pytest.fixture
def data(tmp_path):
    """Three classes of 30, 20 and 10 clips to train on."""
    train = [
        Clip(f"{label}/{i:02d}.wav", (label,), 2, str(i))
        for label, count in enumerate((30, 20, 10))
        for i in range(count)
    ]
    test, valid = (Clip("t.wav", (0,), 1, "t"),), (Clip("v.wav", (1,), 3, "v"),)
    return Dataset("own", tmp_path, ("a", "b", "c"), (Fold(1, tuple(train), test, valid),))


@pytest.fixture
def few_groups(data):
    """Classes of 30 clips from 6 groups, 20 from 10, and 10 from 2 of very different size."""
    group_of = {0: lambda i: i % 6, 1: lambda i: i % 10, 2: lambda i: int(i == 9)}
    train = tuple(
        replace(clip, group=f"{clip.label}-{group_of[clip.label](int(clip.group))}")
        for clip in data.folds[0].train
    )
    return replace(data, folds=(replace(data.folds[0], train=train),))


def draw(data, n, repeat, fold=None, seed=0, sampling=BY_CLIP):
    return draw_split(data, fold or data.folds[0], n, repeat, seed, sampling)


def paths(split):
    return [clip.path for clip in split.train]


@pytest.mark.parametrize("n", [1, 5, 10])
def test_n_different_training_clips_of_each_class(data, n):
    split = draw(data, n, 1)
    assert Counter(clip.label for clip in split.train) == {0: n, 1: n, 2: n}
    assert len(set(paths(split))) == 3 * n
    assert split.test == data.folds[0].test


def test_a_split_depends_on_its_names_alone(data):
    first = paths(draw(data, 5, 1))
    assert paths(draw(data, 5, 1)) == first
    others = [
        draw(data, 5, 2),
        draw(data, 5, 1, seed=1),
        draw(data, 5, 1, fold=replace(data.folds[0], number=2)),
        draw(replace(data, name="other"), 5, 1),
    ]
    assert all(paths(other) != first for other in others)
    assert len({split_digest(other) for other in others}) == 4


def test_splits_of_the_study_stay(data):
    """As in all records so far."""
    expected = ["0/08.wav", "0/28.wav", "1/12.wav", "1/11.wav", "2/00.wav", "2/02.wav"]
    assert paths(draw(replace(data, name="us8k"), 2, 1)) == expected


def test_every_clip_is_drawn_equally_often(data):
    """2,000 splits, 1 of 10 clips: each count within five standard deviations of 200."""
    counts = Counter(paths(draw(data, 1, repeat))[2] for repeat in range(2000))
    assert len(counts) == 10
    assert all(abs(count - 200) < 5 * (2000 * 0.1 * 0.9) ** 0.5 for count in counts.values())


def test_too_large_an_n_names_fold_class_and_both_numbers(data):
    text = r"n_per_class=15 is more than own, test fold 1, has .*: c has 10; .* up to 10"
    with pytest.raises(ConfigError, match=text):
        draw(data, 15, 1)


def test_all_clips_in_their_order(data, tmp_path):
    fold = data.folds[0]
    splits = FewShotSplits(data, fold, 0, BY_CLIP, None)
    splits.check(None, 3)
    split = splits.split(None, 2)
    assert (split.train, split.valid, split.test) == (fold.train, fold.valid, fold.test)
    assert (split.n_per_class, split.repeat) == (None, 2)
    assert splits.split(1, 1).valid == ()
    write_splits(data, {fold: [draw(data, 1, 1)]}, tmp_path / "splits.csv")
    with pytest.raises(ConfigError, match="lists few-shot splits, and all clips are asked for"):
        FewShotSplits(data, fold, 0, BY_CLIP, tmp_path / "splits.csv").check(None, 1)


def test_written_splits_are_read_back(data, tmp_path):
    fold, path = data.folds[0], tmp_path / "splits.csv"
    drawn = [draw(data, n, repeat) for n in (1, 5) for repeat in (1, 2)]
    write_splits(data, {fold: drawn}, path)
    assert list(read_splits(data, fold, path).values()) == drawn
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())  # as spreadsheets do
    assert list(read_splits(data, fold, path).values()) == drawn
    splits = FewShotSplits(data, fold, 0, BY_CLIP, path)
    assert splits.split(5, 2) == drawn[3]
    with pytest.raises(ConfigError, match=r"has no split for n 5, repeat 3; it has \[\(1, 1\)"):
        splits.split(5, 3)


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        ("path\n", "file\n", "column path is missing; expected dataset, fold"),
        ("0/", "9/", "is not a training clip of own, fold 1"),
        ("own,1,2,1,1/", "own,1,two,1,1/", "n_per_class two, repeat 1; expected whole numbers"),
        ("own", "other", "expected 2 different clips of a, found 1"),
        ("path\n", "path\n\xff", "is no text in UTF-8"),
        ("own,1,2,1,1/", "own,1,2,1,0/", "expected 2 different clips of"),
    ],
)
def test_wrong_file_is_refused(data, tmp_path, old, new, text):
    path = tmp_path / "splits.csv"
    write_splits(data, {data.folds[0]: [draw(data, 2, 1)]}, path)
    content = path.read_bytes().replace(b"\r\n", b"\n")
    path.write_bytes(content.replace(old.encode(), new.encode("latin-1"), 1))
    with pytest.raises(DataError, match=text):
        read_splits(data, data.folds[0], path)
    with pytest.raises(DataError, match=r"no such file; scripts/splits.py writes one"):
        read_splits(data, data.folds[0], tmp_path / "none.csv")


def test_other_folds_of_a_file_are_left_alone(data, tmp_path):
    fold, other, path = data.folds[0], replace(data.folds[0], number=2), tmp_path / "splits.csv"
    digests = []
    for folds in ([fold], [fold, other]):
        write_splits(data, {each: [draw(data, 2, 1, fold=each)] for each in folds}, path)
        digests.append(FewShotSplits(data, fold, 0, BY_CLIP, path).digest)
    assert digests[0] == digests[1]
    with pytest.raises(DataError, match="has no splits of own, fold 3"):
        read_splits(data, replace(fold, number=3), path)


@pytest.mark.parametrize(
    ("n", "groups"),
    [(1, [1, 1, 1]), (2, [2, 2, 2]), (5, [5, 5, 2]), (8, [6, 8, 2]), (10, [6, 10, 2])],
)
def test_by_group_takes_one_clip_of_each_while_there_are_enough(few_groups, n, groups):
    for repeat in range(20):
        split = draw(few_groups, n, repeat, sampling=BY_GROUP)
        counts = class_counts(split, 3)
        assert counts == {"clips_per_class": [n, n, n], "groups_per_class": groups}
        assert len(set(paths(split))) == 3 * n
        taken = Counter(clip.group for clip in split.train if clip.label == 0)
        assert max(taken.values()) - min(taken.values()) <= 1


def test_by_group_prefers_no_group_and_no_clip_of_one(few_groups):
    """2,000 splits: both groups of the third class come equally often, whatever their size."""
    drawn = [draw(few_groups, 1, repeat, sampling=BY_GROUP).train for repeat in range(2000)]
    for label, count in ((0, 6), (2, 2)):
        counts = Counter(clips[label].group for clips in drawn)
        assert len(counts) == count
        assert all(abs(each - 2000 / count) < 5 * (2000 / count) ** 0.5 for each in counts.values())
    clips = Counter(clips[2].path for clips in drawn if clips[2].group == "2-0")
    assert len(clips) == 9
    assert all(abs(each - 1000 / 9) < 5 * (1000 / 9) ** 0.5 for each in clips.values())


def test_sampling_by_group_has_a_digest_and_excludes_a_file(few_groups, tmp_path):
    fold = few_groups.folds[0]
    assert FewShotSplits(few_groups, fold, 0, BY_CLIP, None).digest is None
    assert FewShotSplits(few_groups, fold, 0, BY_GROUP, None).digest == "group"
    with pytest.raises(ConfigError, match="already says which clips train; leave sampling.by=grou"):
        FewShotSplits(few_groups, fold, 0, BY_GROUP, tmp_path / "splits.csv")


@pytest.mark.parametrize(
    ("groups", "notes"),
    [
        (["t", "u", "v"], ()),
        (["0", "u", "v"], ("1 of 3 test clips shares a speaker with training",)),
        (["0", "1", "1"], ("3 of 3 test clips share a speaker with training",)),
    ],
)
def test_test_clips_of_training_groups_are_counted(data, groups, notes):
    test = tuple(Clip(f"t{i}.wav", (0,), 1, group) for i, group in enumerate(groups))
    leaky = replace(data, leak_unit="speaker", folds=(replace(data.folds[0], test=test),))
    assert FewShotSplits(leaky, leaky.folds[0], 0, BY_CLIP, None).notes == notes


def test_clips_that_validate_are_counted_where_they_are_used(data):
    shared = data.folds[0].train[:1]
    fold = replace(data.folds[0], test=(), valid=(*shared, Clip("v.wav", (0,), 1, "new")))
    notes = ("1 of 2 validation clips shares a recording with training",)
    assert FewShotSplits(data, fold, 0, BY_CLIP, None, validates=True).notes == notes
    assert FewShotSplits(data, fold, 0, BY_CLIP, None).notes == ()
