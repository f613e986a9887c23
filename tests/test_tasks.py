"""FewShotSplits."""

from collections import Counter
from dataclasses import replace

import pytest

from fewshot_audio.datasets import splits as tasks
from fewshot_audio.types import Clip, ConfigError, DataError, Dataset, Fold, Sampling

BY_CLIP, BY_RECORDING = Sampling("clip"), Sampling("group")


@pytest.fixture
def data(tmp_path):
    """Three classes of 30, 20 and 10 clips to train on."""
    train = [
        Clip(f"{label}/{i:02d}.wav", label, 2, str(i))
        for label, count in enumerate((30, 20, 10))
        for i in range(count)
    ]
    test = (Clip("t.wav", 0, 1, "t"),)
    return Dataset("made_up", tmp_path, ("a", "b", "c"), (Fold(1, tuple(train), test),))


def paths(task):
    return [clip.path for clip in task.train]


@pytest.mark.parametrize("n", [1, 5, 10])
def test_a_draw_is_n_different_training_clips_of_each_class(data, n):
    task = tasks.draw(data, data.folds[0], n, 1, 0, BY_CLIP)
    assert Counter(clip.label for clip in task.train) == {0: n, 1: n, 2: n}
    assert len(set(paths(task))) == 3 * n
    assert task.test == data.folds[0].test


def test_a_draw_depends_on_its_names_and_on_nothing_else(data):
    fold = data.folds[0]
    first = paths(tasks.draw(data, fold, 5, 1, 0, BY_CLIP))
    assert paths(tasks.draw(data, fold, 5, 1, 0, BY_CLIP)) == first
    others = [tasks.draw(data, fold, 5, 2, 0, BY_CLIP), tasks.draw(data, fold, 5, 1, 1, BY_CLIP)]
    others += [tasks.draw(data, replace(fold, number=2), 5, 1, 0, BY_CLIP)]
    others += [tasks.draw(replace(data, name="other"), fold, 5, 1, 0, BY_CLIP)]
    assert all(paths(other) != first for other in others)
    assert len({tasks.split_digest(other) for other in others}) == 4


def test_every_clip_is_drawn_equally_often(data):
    """2,000 draws of 1 of 10: each count within five standard deviations of 200."""
    counts = Counter(
        paths(tasks.draw(data, data.folds[0], 1, repeat, 0, BY_CLIP))[2] for repeat in range(2000)
    )
    assert len(counts) == 10
    assert all(abs(count - 200) < 5 * (2000 * 0.1 * 0.9) ** 0.5 for count in counts.values())


def test_too_large_an_n_names_fold_class_and_both_numbers(data):
    with pytest.raises(
        ConfigError,
        match=r"n_per_class=15 is more than made_up, test fold 1, has .*: c has 10; .* up to 10",
    ):
        tasks.draw(data, data.folds[0], 15, 1, 0, BY_CLIP)


def test_draws_are_read_back_as_written(data, tmp_path):
    fold = data.folds[0]
    drawn = [tasks.draw(data, fold, n, repeat, 0, BY_CLIP) for n in (1, 5) for repeat in (1, 2)]
    tasks.export(data, {fold: drawn}, tmp_path / "draws.csv")
    found = tasks.read(data, fold, tmp_path / "draws.csv")
    assert list(found.values()) == drawn
    draws = tasks.FewShotSplits(data, fold, 0, BY_CLIP, tmp_path / "draws.csv")
    assert draws.task(5, 2) == drawn[3]
    with pytest.raises(ConfigError, match=r"has no draw for n 5, repeat 3; it has \[\(1, 1\)"):
        draws.task(5, 3)


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        ("path\n", "file\n", "column path is missing; expected dataset, fold"),
        ("0/", "9/", "is not a training clip of made_up, fold 1"),
        (
            "made_up,1,2,1,1/",
            "made_up,1,two,1,1/",
            "n_per_class two, repeat 1; expected whole numbers",
        ),
        ("made_up", "other_data", "expected 2 different clips of a, found 1"),
        ("path\n", "path\n\xff", "is no text in UTF-8"),
        ("made_up,1,2,1,1/", "made_up,1,2,1,0/", "expected 2 different clips of"),
    ],
)
def test_a_wrong_file_of_draws_is_refused(data, tmp_path, old, new, text):
    path = tmp_path / "draws.csv"
    tasks.export(data, {data.folds[0]: [tasks.draw(data, data.folds[0], 2, 1, 0, BY_CLIP)]}, path)
    path.write_bytes(
        path.read_bytes().replace(b"\r\n", b"\n").replace(old.encode(), new.encode("latin-1"), 1)
    )
    with pytest.raises(DataError, match=text):
        tasks.read(data, data.folds[0], path)


def test_the_draws_of_other_folds_are_no_part_of_a_fold_s(data, tmp_path):
    fold, other = data.folds[0], replace(data.folds[0], number=2)
    digests = []
    for folds in ([fold], [fold, other]):
        tasks.export(
            data,
            {each: [tasks.draw(data, each, 2, 1, 0, BY_CLIP)] for each in folds},
            tmp_path / "draws.csv",
        )
        digests.append(tasks.FewShotSplits(data, fold, 0, BY_CLIP, tmp_path / "draws.csv").digest)
    assert digests[0] == digests[1]
    with pytest.raises(DataError, match="has no draws of made_up, fold 3"):
        tasks.read(data, replace(fold, number=3), tmp_path / "draws.csv")


def test_recordings_are_counted_by_class(data):
    fold = data.folds[0]
    one = replace(
        fold,
        train=tuple(
            replace(clip, group="same") if clip.label == 1 else clip for clip in fold.train
        ),
    )
    counts = tasks.class_counts(tasks.draw(data, one, 4, 1, 0, BY_CLIP), 3)
    assert counts == {"clips_per_class": [4, 4, 4], "groups_per_class": [4, 1, 4]}


@pytest.fixture
def few_recordings(data):
    """Classes of 30 clips from 6 recordings, 20 from 10, and 10 from 2 of very different size."""
    sizes = {0: lambda i: i % 6, 1: lambda i: i % 10, 2: lambda i: int(i == 9)}
    train = tuple(
        replace(clip, group=f"{clip.label}-{sizes[clip.label](int(clip.group))}")
        for clip in data.folds[0].train
    )
    return replace(data, folds=(replace(data.folds[0], train=train),))


@pytest.mark.parametrize(
    ("n", "groups_per_class"),
    [(1, [1, 1, 1]), (2, [2, 2, 2]), (5, [5, 5, 2]), (8, [6, 8, 2]), (10, [6, 10, 2])],
)
def test_a_draw_by_group_takes_one_clip_of_each_while_there_are_enough(
    few_recordings, n, recordings
):
    for repeat in range(20):
        task = tasks.draw(few_recordings, few_recordings.folds[0], n, repeat, 0, BY_RECORDING)
        assert tasks.class_counts(task, 3) == {
            "clips_per_class": [n, n, n],
            "groups_per_class": recordings,
        }
        assert len(set(paths(task))) == 3 * n
        taken = Counter(clip.group for clip in task.train if clip.label == 0)
        assert max(taken.values()) - min(taken.values()) <= 1


def test_a_draw_by_group_prefers_no_recording_and_no_clip_of_one(few_recordings):
    """2,000 draws: both recordings of the third class come equally often, whatever their size, and so do clips of one."""
    fold = few_recordings.folds[0]
    drawn = [
        tasks.draw(few_recordings, fold, 1, repeat, 0, BY_RECORDING).train for repeat in range(2000)
    ]
    for label, count in ((0, 6), (2, 2)):
        counts = Counter(task[label].group for task in drawn)
        assert len(counts) == count
        assert all(abs(each - 2000 / count) < 5 * (2000 / count) ** 0.5 for each in counts.values())
    clips = Counter(task[2].path for task in drawn if task[2].group == "2-0")
    assert len(clips) == 9
    assert all(abs(each - 1000 / 9) < 5 * (1000 / 9) ** 0.5 for each in clips.values())


def test_draws_by_group_have_a_name_of_their_own_and_exclude_a_file(few_recordings, tmp_path):
    fold = few_recordings.folds[0]
    assert tasks.FewShotSplits(few_recordings, fold, 0, BY_CLIP, None).digest is None
    assert tasks.FewShotSplits(few_recordings, fold, 0, BY_RECORDING, None).digest == "group"
    with pytest.raises(
        ConfigError,
        match=r"splits=.*already says which clips train; leave sampling.by=group out",
    ):
        tasks.FewShotSplits(few_recordings, fold, 0, BY_RECORDING, tmp_path / "draws.csv")


def test_no_file_of_draws_is_an_error(data, tmp_path):
    with pytest.raises(DataError, match=r"no such file; scripts/splits.py writes one"):
        tasks.read(data, data.folds[0], tmp_path / "none.csv")
