"""Datasets from a table: delimiters, columns, paths, segments, several labels."""

from dataclasses import replace

import pytest
from own_cases import paths, pets, read, touch, write_table

from fewshot_audio.datasets.columns import Columns
from fewshot_audio.datasets.partition import Partition
from fewshot_audio.datasets.table import from_table
from fewshot_audio.types import ConfigError, DataError


def test_splits_of_a_table(tmp_path):
    dataset = read(tmp_path, pets(tmp_path))
    (fold,) = dataset.folds
    assert dataset.classes == ("cat", "dog")
    assert paths(fold.train) == ["cat0.wav", "cat2.wav", "dog0.wav", "dog2.wav"]
    assert [clip.label for clip in fold.test] == [0, 0, 1, 1]
    assert (dataset.multi_label, dataset.made, fold.valid) == (False, "", ())
    assert dataset.notes == ("2 splits from the table",)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_every_way_to_save_a_table(tmp_path, delimiter, encoding, newline):
    touch(tmp_path, "Küche 1/Töne, laut.wav", "b.wav")
    name = '"Küche 1/Töne, laut.wav"'
    rows = [["path", "label", "split"], [name, "é", "train"], ["b.wav", "é", "test"], []]
    write_table(tmp_path, map(delimiter.join, rows), "a.csv", encoding, newline)
    (fold,) = from_table("x", tmp_path).folds
    assert paths(fold.train + fold.test) == ["Küche 1/Töne, laut.wav", "b.wav"]


@pytest.mark.parametrize(
    ("words", "split"),
    [
        ("train Training TRAIN", "train"),
        ("valid validation val dev", "valid"),
        ("test testing eval Evaluation", "test"),
    ],
)
def test_words_for_splits(tmp_path, words, split):
    for word in words.split():
        lines = [*pets(tmp_path), f"more.wav,cat,{word}"]
        touch(tmp_path, "more.wav")
        (fold,) = read(tmp_path, lines).folds
        assert "more.wav" in paths(getattr(fold, split))


@pytest.mark.parametrize("form", ["{}", "{}.0", "fold{}", "Fold_{}"])
def test_folds_of_a_table(tmp_path, form):
    touch(tmp_path, *(f"{i}.wav" for i in range(6)))
    lines = ["path,label,fold", *(f"{i}.wav,x,{form.format(i % 3 + 9)}" for i in range(6))]
    dataset = read(tmp_path, lines)
    assert [fold.number for fold in dataset.folds] == [9, 10, 11]
    assert dataset.notes == ("3 folds from the table",)
    assert paths(dataset.fold(10).test) == ["1.wav", "4.wav"]
    assert paths(dataset.fold(10).train) == ["0.wav", "2.wav", "3.wav", "5.wav"]


def test_root_is_a_folder_or_the_table(tmp_path, monkeypatch):
    lines = pets(tmp_path)
    file = write_table(tmp_path, lines, "list.tsv")
    elsewhere = tmp_path.with_name(tmp_path.name + " tables")
    elsewhere.mkdir()
    other = write_table(elsewhere, lines)
    monkeypatch.chdir(elsewhere)
    datasets = [
        from_table("pets", tmp_path),
        from_table("pets", file),
        from_table("pets", tmp_path, other),
        from_table("pets", tmp_path, other.relative_to(elsewhere)),
    ]
    assert all(dataset == datasets[0] for dataset in datasets)
    assert datasets[0].root == tmp_path
    write_table(tmp_path, lines, "second.csv")
    with pytest.raises(DataError, match=r"found list.tsv, second.csv; name it by dataset.table"):
        from_table("pets", tmp_path)
    with pytest.raises(DataError, match="expected a folder or a table"):
        from_table("pets", tmp_path / "nothing")
    with pytest.raises(DataError, match=r"dataset.table=no.csv: no such file"):
        from_table("pets", tmp_path, other.with_name("no.csv").relative_to(elsewhere))


def test_absolute_and_windows_paths_become_relative(tmp_path):
    touch(tmp_path, "a/1.wav", "a/2.wav", "a/3.wav")
    lines = [
        "path,label,split",
        f"{tmp_path}/a/1.wav,x,train",
        r"a\2.wav,x,test",
        "./a/3.wav,x,test",
    ]
    dataset = read(tmp_path, lines)
    assert paths(dataset.clips) == ["a/1.wav", "a/2.wav", "a/3.wav"]
    with pytest.raises(DataError, match=r"lie outside (?s:.*)row 2: /elsewhere/1.wav"):
        read(tmp_path, [*lines[:1], "/elsewhere/1.wav,x,train", *lines[2:]])


def test_columns_by_other_names(tmp_path):
    header = "speaker,file,animal,split"
    lines = pets(tmp_path, header=header, cells="s{i},{path},{label},{split}")
    columns = Columns(path="file", label="animal", group="speaker", split=None)
    dataset = read(tmp_path, lines, columns=columns, split=Partition(folds=4))
    assert {clip.path: clip.group for clip in dataset.clips}["dog3.wav"] == "s3"
    assert dataset.leak_unit == "group"
    assert dataset.notes[:2] == ("4 groups from the table", "columns not used: split")
    both = read(tmp_path, lines, columns=replace(columns, split="split"))
    assert both.notes == ("2 splits and 4 groups from the table",)
    settings = {"group_by": r"(\d)", "split": Partition("folds", folds=2)}
    others = read(tmp_path, lines, columns=replace(columns, split="split"), **settings)
    assert not any("from the table" in note for note in others.notes)
    assert len(dataset.folds) == 4  # its splits are not used
    with pytest.raises(
        DataError, match=r"no column path; found speaker, file, animal, split; name what"
    ):
        read(tmp_path, lines, columns=Columns(label="animal"))
    with pytest.raises(DataError, match=r"no column who; .*dataset.columns.group="):
        read(tmp_path, lines, columns=Columns(path="file", label="animal", group="who"))
    missing = r"no column path and no column who; .*columns.path=... dataset.columns.group=..."
    with pytest.raises(DataError, match=missing):
        read(tmp_path, lines, columns=Columns(label="animal", group="who"))
    both = ["path,label,split,fold", "cat0.wav,cat,train,1"]
    with pytest.raises(ConfigError, match="choose one by dataset.columns.split=null"):
        read(tmp_path, both)


def test_segments_of_long_files(tmp_path):
    touch(tmp_path, "long.wav")
    lines = ["path;label;split;start;end", "long.wav;x;train;0;1,5", "long.wav;x;test;1.5;3"]
    lines += ["long.wav;x;test;3;", "long.wav;x;train;;"]
    clips = read(tmp_path, lines).clips
    names = ["long.wav", "long.wav#0.0-1.5", "long.wav#1.5-3.0", "long.wav#3.0-"]
    assert [clip.id for clip in clips] == names
    assert [(clip.start, clip.end) for clip in clips] == [(0, None), (0, 1.5), (1.5, 3), (3, None)]
    assert {clip.group for clip in clips} == {"long.wav"}


def test_several_labels(tmp_path):
    touch(tmp_path, *(f"{i}.wav" for i in range(4)))
    lines = ["path,label,split", "0.wav,a; b,train", "1.wav,b;b;,test", "2.wav,a,test"]
    dataset = read(tmp_path, lines)
    assert dataset.multi_label
    assert [clip.labels for clip in dataset.clips] == [(0, 1), (1,), (0,)]
    slashes = [line.replace(";", "/") for line in lines]
    assert read(tmp_path, slashes, separator="/").clips == dataset.clips
    one = ["path,label,split", "0.wav,a;b,train", "1.wav,a;b,test"]
    assert read(tmp_path, one, separator=None).classes == ("a;b",)
    nothing = [*lines, "3.wav,,train"]
    assert read(tmp_path, nothing, multi_label=True).clips[3].labels == ()
    with pytest.raises(DataError, match=r"empty labels \(1\):\n  row 5: 3.wav"):
        read(tmp_path, nothing)
    with pytest.raises(DataError, match=r"several labels; set dataset.multi_label=true \(1\)"):
        read(tmp_path, lines, multi_label=False)


def test_text_that_is_no_utf_8(tmp_path):
    lines = [*pets(tmp_path), "k\xe4tzchen.wav,cat,test"]
    write_table(tmp_path, lines, encoding="latin-1")
    with pytest.raises(DataError, match="row 10 is no text in UTF-8; save it as CSV UTF-8"):
        from_table("pets", tmp_path)


def test_tables_without_rows(tmp_path):
    with pytest.raises(DataError, match="no column path and no column label; found nothing"):
        read(tmp_path, [""])
    with pytest.raises(DataError, match="no clips in it"):
        read(tmp_path, ["path,label"])


def test_lines_may_end_as_on_an_old_mac(tmp_path):
    touch(tmp_path, "a.wav", "b.wav")
    lines = ["path,label,split", "a.wav,x;y;z,train", "b.wav,x;y;z,test"]
    write_table(tmp_path, lines, newline="\r")
    assert from_table("x", tmp_path).classes == ("x", "y", "z")


def test_titles_may_hold_other_delimiters(tmp_path):
    touch(tmp_path, "a.wav", "b.wav")
    lines = ["path\tlabel\tsplit\tsaid, by, whom, when, where"]
    lines += [f"{name}.wav\tx\t{split}\tme" for name, split in (("a", "train"), ("b", "test"))]
    assert from_table("x", write_table(tmp_path, lines, "a.tsv")).classes == ("x",)
