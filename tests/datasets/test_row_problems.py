"""Every problem of every row of a table, in one message."""

import pytest
from own_cases import pets, read, touch

from fewshot_audio.datasets.partition import Partition
from fewshot_audio.types import DataError

HEADER = "path,label,split,start,end"


def message(root, lines, **settings):
    with pytest.raises(DataError) as caught:
        read(root, lines, **settings)
    return str(caught.value)


def test_all_problems_in_one_message(tmp_path):
    good = pets(tmp_path, header=HEADER, cells="{path},{label},{split},,")
    touch(tmp_path, "d.wav")
    bad = [
        "gone.wav,cat,train,,",
        "cat0.wav,dog,test,,",
        "dog0.wav,dog,test,,",
        "d.wav,,train,,",
        "d.wav,cat,trian,,",
        "d.wav,Cat,train,,",
        "d.wav,cat,train,3,2",
        "d.wav,cat,train,-1,",
        "d.wav,cat,train,one,",
        ",cat,train,,",
        "d.wav,cat",
    ]
    text = message(tmp_path, [*good, *bad])
    assert text.startswith(f"{tmp_path}/metadata.csv: 11 problems\n")
    for part in (
        "files not in {root} (dataset.root); dataset.tolerate=[missing] leaves them out (1):\n"
        "  row 10: gone.wav",
        "clips that are listed with different labels (1):\n  rows 2, 11: cat0.wav is cat and dog",
        "clips that are listed more than once (1):\n  rows 6, 12: dog0.wav",
        "empty labels (1):\n  row 13: d.wav",
        "unknown splits or folds; expected train, valid, test (or training, val, dev, eval ...) "
        "or whole numbers (1):\n  row 14: d.wav: 'trian'",
        "labels that differ by case or blanks alone; dataset.labels={old: new} joins them (1):\n"
        "  'Cat' (1 clip from row 15) and 'cat' (5 clips from row 2)",
        "start and end that are no part of a file (3):\n  row 16: d.wav: 3 to 2\n"
        "  row 17: d.wav: -1 to \n  row 18: d.wav: one to ",
        "row 19: \n",
        "rows with too few cells (1):\n  row 20: d.wav, cat",
    ):
        assert part.replace("{root}", str(tmp_path)) in text + "\n"


def test_long_lists_are_shortened(tmp_path):
    lines = ["path,label,split", *(f"{i}.wav,x,train" for i in range(2000))]
    text = message(tmp_path, lines)
    assert "(2,000):\n  row 2: 0.wav" in text
    assert "  row 11: 9.wav\n  ... and 1,990 more" in text
    assert len(text.splitlines()) < 20


def test_labels_that_differ_by_blanks(tmp_path):
    lines = pets(tmp_path)
    lines[1] = lines[1].replace(",cat,", ',"cat ",')
    assert "'cat' (3 clips from row 3) and 'cat ' (1 clip from row 2)" in message(tmp_path, lines)
    assert read(tmp_path, lines, labels={"cat": "cat"}).classes == ("cat", "dog")


@pytest.mark.parametrize(("table", "disk"), [("é", "e\u0301"), ("e\u0301", "é")])
def test_files_whose_letters_are_composed_otherwise(tmp_path, table, disk):
    assert table != disk
    touch(tmp_path, f"caf{disk}/1.wav")
    lines = [*pets(tmp_path), f"caf{table}/1.wav,cat,train", "gone.wav,cat,train"]
    text = message(tmp_path, lines)
    assert "same form (1):\n  row 10: caf" in text
    assert "leaves them out (1):\n  row 11: gone.wav" in text


def test_labels_beyond_ascii_that_differ_by_case(tmp_path):
    lines = [line.replace("cat,", "Vögel,") for line in pets(tmp_path)]
    lines[1] = lines[1].replace("Vögel", "vögel")
    assert "joins them, in a yaml: see docs/own-data.md, Classes" in message(tmp_path, lines)


def test_links_to_nothing_are_named_with_missing_files(tmp_path):
    lines = [*pets(tmp_path), "gone.wav,cat,train", "link.wav,cat,train"]
    (tmp_path / "link.wav").symlink_to(tmp_path / "elsewhere")
    text = message(tmp_path, lines)
    assert "leaves them out (2):\n  row 10: gone.wav\n  row 11: link.wav" in text


def test_missing_files_may_be_left_out(tmp_path):
    lines = [*pets(tmp_path), "gone.wav,cat,train"]
    dataset = read(tmp_path, lines, tolerate=("missing",))
    assert len(dataset.clips) == 8
    assert "1 of 9 listed clips are missing and left out" in dataset.notes


def test_class_that_is_only_in_test(tmp_path):
    touch(tmp_path, "cow.wav")
    text = message(tmp_path, [*pets(tmp_path), "cow.wav,cow,test"])
    assert "classes without a clip that trains" in text
    assert "  cow: 1 clip in test" in text


def test_class_of_one_fold(tmp_path):
    touch(tmp_path, *"1234")
    lines = ["path,label,fold", "1,a,1", "2,a,2", "3,b,1", "4,b,1"]
    assert "b: 2 clips, in fold 1" in message(tmp_path, lines)


def test_class_of_one_clip_under_folds(tmp_path):
    touch(tmp_path, *(f"{i}.wav" for i in range(9)), "cow.wav")
    lines = ["path,label", *(f"{i}.wav,dog" for i in range(9)), "cow.wav,cow"]
    assert "cow: 1 clip, in one group (cow.wav)" in message(tmp_path, lines)
    assert read(tmp_path, lines, min_clips=2).classes == ("dog",)


@pytest.mark.parametrize("make", ["folds", "holdout", "leave_one_group_out", None])
def test_parts_of_one_file_alone(tmp_path, make):
    """One fold is never proposed, for there is no such thing."""
    touch(tmp_path, "tape.wav")
    rows = [f"tape.wav,{'ab'[i % 2]},,{i},{i + 1}" for i in range(8)]
    lines = ["path,label,group,start,end", *rows]
    text = message(tmp_path, lines, split=Partition(make))
    cure = "name smaller groups in a column group (or dataset.group_by)"
    assert f"cannot both train and test; {cure} (1):\n  8 clips in tape.wav" in text
    assert "folds=" not in text
    named = [line.replace(",,", f",g{i // 2},") for i, line in enumerate(lines)]
    made = read(tmp_path, named, split=Partition(make, folds=2))
    assert not {c.group for c in made.folds[0].train} & {c.group for c in made.folds[0].test}


def test_fewer_groups_than_folds(tmp_path):
    lines = pets(tmp_path, header="path,label,group", cells="{path},{label},g{i}")
    text = message(tmp_path, lines)
    assert "fewer groups than folds; dataset.split.folds=4 is possible" in text
    assert "4 groups, 5 folds" in text
