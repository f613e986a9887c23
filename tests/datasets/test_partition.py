"""Splits that are made: whole groups, every class shared out, the same from the same clips."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from own_cases import paths, touch
from sklearn.model_selection import StratifiedGroupKFold

from fewshot_audio.datasets.listed import Listed, from_list
from fewshot_audio.datasets.partition import Partition, divide, stratified, with_valid
from fewshot_audio.types import ConfigError

NAMES = "abcdefgh"


def random_rows(seed, grouped, most=4):
    """Clips of up to `most` classes in unequal numbers; some groups are large."""
    random = np.random.default_rng(seed)
    n, n_classes = random.integers(40, 200), random.integers(2, most + 1)
    share = random.dirichlet(np.full(n_classes, 3.0))
    groups = random.zipf(1.6, n) % 30 if grouped else np.arange(n)
    labels = random.choice(n_classes, n, p=share)
    return [
        Listed(f"{i:03d}.wav", (NAMES[label],), "", f"g{group}" if grouped else "")
        for i, (label, group) in enumerate(zip(labels, groups, strict=True))
    ]


def parts(rows, shares, seed=0):
    labels, groups = [row.labels for row in rows], [row.unit for row in rows]
    return stratified(labels, groups, shares, np.random.default_rng(seed))


def counts(rows, numbers, k):
    """Return clips per part and class (parts, classes)."""
    names = sorted({label for row in rows for label in row.labels})
    table = np.zeros((k, len(names)))
    for row, part in zip(rows, numbers, strict=True):
        for label in row.labels:
            table[part, names.index(label)] += 1
    return table


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("k", [2, 5])
def test_folds_of_single_clips_differ_by_one_clip_of_a_class(seed, k):
    rows = random_rows(seed, grouped=False)
    table = counts(rows, parts(rows, [1 / k] * k, seed), k)
    assert (np.ptp(table, axis=0) <= 1).all()
    assert np.ptp(table.sum(1)) <= 1


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("share", [0.1, 0.25, 0.5])
def test_holdout_has_its_share_of_each_class(seed, share):
    rows = random_rows(seed, grouped=False)
    table = counts(rows, parts(rows, [1 - share, share], seed), 2)
    assert (np.abs(table[1] - share * table.sum(0)) < 1).all()


@pytest.mark.parametrize("seed", range(20))
def test_groups_stay_whole_and_no_fold_is_empty(seed):
    rows = random_rows(seed, grouped=True)
    numbers = parts(rows, [0.2] * 5, seed)
    of_group = {}
    for row, part in zip(rows, numbers, strict=True):
        assert of_group.setdefault(row.group, part) == part
    assert set(numbers) == set(range(5)) or len(of_group) < 5


@pytest.mark.filterwarnings("ignore:The least populated class")
def test_groups_as_even_as_those_of_scikit_learn():
    ours, theirs = [], []
    for seed in range(40):
        rows = random_rows(seed, grouped=True)
        labels = [row.labels[0] for row in rows]
        groups = [row.group for row in rows]
        reference = np.zeros(len(rows), int)
        folds = StratifiedGroupKFold(5, shuffle=True, random_state=seed)
        for number, (_, test) in enumerate(folds.split(labels, labels, groups)):
            reference[test] = number
        for numbers, errors in ((parts(rows, [0.2] * 5, seed), ours), (reference, theirs)):
            table = counts(rows, numbers, 5)
            errors.append((table / table.sum(0)).std())
    assert np.mean(ours) <= 1.02 * np.mean(theirs)


@pytest.mark.parametrize("seed", range(10))
def test_several_labels_are_shared_out(seed):
    random = np.random.default_rng(seed)
    rows = [
        Listed(f"{i}.wav", tuple(sorted(random.choice(list(NAMES), size, replace=False))))
        for i, size in enumerate(random.integers(0, 4, 300))
    ]
    table = counts(rows, parts(rows, [0.2] * 5, seed), 5)
    plain = counts(rows, random.permutation(np.arange(300) % 5), 5)
    assert table.std(0).mean() < 0.6 * plain.std(0).mean()
    assert (np.ptp(table, axis=0) <= 4).all()


def test_the_order_of_clips_does_not_count():
    rows = random_rows(3, grouped=True)
    made = divide(rows, Partition())
    assert divide(rows[::-1], Partition()) == made
    again = [replace(row, split="") for row in made[0]]
    assert divide(again, Partition()) == made
    assert divide(rows, Partition(seed=1))[0] != made[0]


def test_splits_are_the_same_for_ever():
    """Splits that are not written down can be made again: other numbers here lose them."""
    rows = [Listed(f"{i}.wav", ("ab"[i % 2],)) for i in range(10)]
    folds = {row.path: row.split for row in divide(rows, Partition(folds=3))[0]}
    assert "".join(folds[f"{i}.wav"] for i in range(10)) == "1113233122"


def test_holdout_and_its_name():
    rows = [Listed(f"{i}.wav", ("a",)) for i in range(10)]
    made, name, notes = divide(rows, Partition("holdout", test=0.3, seed=4))
    assert Counter(row.split for row in made) == {"train": 7, "test": 3}
    assert name == "holdout-0.3-seed-4"
    assert notes == ("a test share of 0.3 was made with seed 4, stratified by class",)


def test_splits_of_the_data_are_kept_unless_others_are_asked_for():
    rows = [Listed(f"{i}.wav", ("a",), ("train", "test")[i % 2]) for i in range(10)]
    assert divide(rows, Partition())[0] == rows
    made, _, notes = divide(rows, Partition("folds"))
    assert {row.split for row in made} == set("12345")
    assert "the splits of the data are not used" in notes


def test_leave_one_group_out():
    rows = [Listed(f"{i}.wav", ("a",), "", f"g{i % 3}") for i in range(9)]
    made, name, _ = divide(rows, Partition("leave_one_group_out"))
    assert {(row.group, row.split) for row in made} == {("g0", "1"), ("g1", "2"), ("g2", "3")}
    assert name == "leave-one-group-out"
    with pytest.raises(ConfigError, match="found 9 groups, .* dataset.group_by"):
        divide([replace(row, group="") for row in rows], Partition("leave_one_group_out"))


@pytest.mark.parametrize("kind", ["train", "fold"])
def test_share_that_validates(tmp_path, kind):
    rows = []
    for i in range(60):
        split = ("train", "test")[i % 3 == 2] if kind == "train" else str(i % 3 + 1)
        rows.append(Listed(f"{i}.wav", ("abc"[i // 20],), split, f"g{i // 2}"))
    touch(tmp_path, *(row.path for row in rows))
    plain = from_list("x", tmp_path, rows)
    dataset = with_valid(plain, Partition(valid=0.25))
    for before, fold in zip(plain.folds, dataset.folds, strict=True):
        assert (fold.number, fold.test) == (before.number, before.test)
        assert set(fold.train) | set(fold.valid) == set(before.train)
        assert not {clip.group for clip in fold.train} & {clip.group for clip in fold.valid}
        n = Counter(clip.label for clip in fold.valid)
        assert all(abs(n[label] - 0.25 * 40 / 3) <= 2 for label in range(3))
    with pytest.raises(ConfigError, match="clips that validate; leave the setting out"):
        with_valid(dataset, Partition(valid=0.1))
    alone = from_list("x", tmp_path, [replace(row, group="g") for row in rows])
    with pytest.raises(ConfigError, match="0 validate; choose another share"):
        with_valid(alone, Partition(valid=0.25))


@pytest.mark.parametrize("setting", [{"folds": 1}, {"test": 0}, {"test": 1}, {"valid": 1}])
def test_impossible_settings(setting):
    (name,) = setting
    with pytest.raises(ConfigError, match=f"dataset.split.{name}="):
        Partition(**setting)


def test_one_class_per_group_is_tested_everywhere():
    """As recordings are, of which each is of one class."""
    rows = [Listed(f"{i}.wav", ("abc"[i % 3],), "", f"g{i % 15}") for i in range(150)]
    table = counts(rows, parts(rows, [0.2] * 5), 5)
    assert (table == 10).all()
    assert paths(divide(rows, Partition())[0]) == sorted(row.path for row in rows)
