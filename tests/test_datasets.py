"""The two official datasets as trees of empty files with the official names, and the synthetic one."""

import csv
from collections import Counter
from importlib.resources import files

import pytest

from fewshot_audio.datasets import tut2017 as tut_asc
from fewshot_audio.datasets import urbansound8k as us8k
from fewshot_audio.datasets.synthetic import CLASSES, synthetic
from fewshot_audio.datasets.urbansound8k import OFFICIAL_CLASSES, OFFICIAL_FOLDS, urbansound8k
from fewshot_audio.types import ConfigError, DataError


@pytest.fixture(scope="module")
def us8k_root(tmp_path_factory):
    """UrbanSound8K's 8,732 names as empty files, with a metadata CSV made from them."""
    root = tmp_path_factory.mktemp("us8k") / "UrbanSound8K"
    names = list(OFFICIAL_CLASSES)
    rows = [("slice_file_name", "fsID", "start", "end", "salience", "fold", "classID", "class")]
    for fold in OFFICIAL_FOLDS:
        (root / f"audio/fold{fold}").mkdir(parents=True)
    for line in (
        files("fewshot_audio.datasets").joinpath("manifests/us8k.tsv").read_text().splitlines()[1:]
    ):
        path = line.split("\t")[0]
        (root / "audio" / path).touch()
        folder, name = path.split("/")
        recording, label = name.split("-")[:2]
        rows.append(
            (name, recording, 0, 4, 1, folder.removeprefix("fold"), label, names[int(label)])
        )
    (root / "metadata").mkdir()
    write(root / us8k.CSV, rows)
    return root


def write(path, rows):
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(rows)


def read(root, folds=None, validation="next", tolerate=()):
    return urbansound8k("us8k", root, folds, validation, tolerate)


@pytest.fixture(scope="module")
def tut_root(tmp_path_factory):
    """TUT Acoustic Scenes 2017's 6,300 names as empty files, with its lists."""
    root = tmp_path_factory.mktemp("tut") / "TUT-acoustic-scenes-2017"
    for part in tut_asc.PARTS:
        rows = tut_asc.official_rows(part)
        (root / tut_asc.folder(part) / "audio").mkdir(parents=True)
        for path, _, _ in rows:
            (root / tut_asc.folder(part) / path).touch()
        (root / tut_asc.folder(part) / "meta.txt").write_text(
            "".join("\t".join(row) + "\n" for row in rows)
        )
    return root


@pytest.mark.parametrize("parent", [False, True])
def test_us8k_has_the_published_counts_and_folds(us8k_root, parent):
    dataset = read(us8k_root.parent if parent else us8k_root)
    assert len(dataset.clips) == 8732
    assert dataset.classes == tuple(OFFICIAL_CLASSES)
    assert Counter(dataset.classes[clip.label] for clip in dataset.clips) == OFFICIAL_CLASSES
    assert {fold.number: len(fold.test) for fold in dataset.folds} == OFFICIAL_FOLDS
    assert dataset.notes == ()


def test_us8k_trains_on_eight_folds_and_leaves_the_next_out(us8k_root):
    for fold in read(us8k_root).folds:
        following = fold.number % 10 + 1
        assert {clip.fold for clip in fold.test} == {fold.number}
        assert {clip.fold for clip in fold.train} == set(range(1, 11)) - {fold.number, following}
        assert list(fold.train) == sorted(fold.train, key=lambda clip: clip.path)


def test_a_part_of_the_folds_says_so(us8k_root):
    dataset = read(us8k_root, folds=(1, 2), validation="none")
    assert dataset.notes == ("only folds 1, 2 of 10", "no validation fold is left out")
    assert {clip.fold for clip in dataset.fold(1).train} == {2}
    with pytest.raises(
        ConfigError, match="none is left to train on; add folds, or set dataset.validation=none"
    ):
        read(us8k_root, folds=(1, 2))
    with pytest.raises(ConfigError, match=r"dataset.folds=\[1, 11\]: expected some of \[1, 2, 3"):
        read(us8k_root, folds=(1, 11))
    with pytest.raises(ConfigError, match="fold=3: us8k has the folds 1, 2"):
        dataset.fold(3)


def test_missing_files_are_named_or_left_out(us8k_root):
    gone = us8k_root / "audio/fold3/103199-4-0-0.wav"
    gone.unlink()
    try:
        with pytest.raises(
            DataError,
            match=r"1 of 8732 listed files are missing:\n  audio/fold3/103199-4-0-0.wav\n.*tolerate",
        ):
            read(us8k_root)
        dataset = read(us8k_root, tolerate=("missing",))
        assert len(dataset.clips) == 8731
        assert dataset.notes == ("1 of 8732 listed clips are missing and left out",)
    finally:
        gone.touch()


def test_a_changed_csv_is_refused(us8k_root, tmp_path):
    rows = list(csv.reader((us8k_root / us8k.CSV).read_text().splitlines()))
    (tmp_path / "metadata").mkdir()

    def refused(changed, text):
        write(tmp_path / us8k.CSV, changed)
        with pytest.raises(DataError, match=text):
            read(tmp_path)

    refused(
        [*rows[:7], rows[7][:3], *rows[8:]],
        r"UrbanSound8K.csv:8: damaged row .*; download it again",
    )
    refused([*rows[:7], ["no-name.wav", *rows[7][1:]], *rows[8:]], "csv:8: damaged row no-name.wav")
    refused([row[:-1] for row in rows], "column class is missing; found slice_file_name, fsID")
    refused(rows[:-1], r"clips per fold differ from the official ones \(\d+: \d+, not \d+\)")
    other = {"drilling": ["3", "dog_bark"], "dog_bark": ["4", "drilling"]}
    swapped = [row[:-2] + other.get(row[-1], row[-2:]) for row in rows]
    refused(swapped, "is labelled 4 drilling|is labelled 3 dog_bark")


def test_a_root_without_the_dataset_says_what_was_expected(tmp_path):
    with pytest.raises(
        DataError, match="no such folder; give the folder UrbanSound8K or the one that holds it"
    ):
        read(tmp_path / "nowhere")
    with pytest.raises(
        DataError,
        match=r"expected metadata/UrbanSound8K.csv in it or in its folder UrbanSound8K, found nothing",
    ):
        read(tmp_path)


def test_tut_trains_on_development_and_tests_on_evaluation(tut_root):
    dataset = tut_asc.tut_acoustic_scenes("tut_asc", tut_root.parent, ())
    (fold,) = dataset.folds
    assert (len(fold.train), len(fold.test), len(dataset.classes)) == (4680, 1620, 15)
    assert set(Counter(clip.label for clip in fold.train).values()) == {312}
    assert set(Counter(clip.label for clip in fold.test).values()) == {108}
    assert not {clip.group for clip in fold.train} & {clip.group for clip in fold.test}


def test_a_changed_tut_list_is_refused(tut_root):
    path = tut_root / tut_asc.folder("evaluation") / "meta.txt"
    text = path.read_text()
    try:
        path.write_text(text.replace("beach", "bus", 1))
        with pytest.raises(
            DataError, match="1620 clips, 1620 expected; 2 rows differ from the official list"
        ):
            tut_asc.tut_acoustic_scenes("tut_asc", tut_root, ())
        path.write_text(text.replace("\tb174", "", 1))
        with pytest.raises(
            DataError,
            match=r"meta.txt:1: expected path, scene and location between tabs, found 2 columns",
        ):
            tut_asc.tut_acoustic_scenes("tut_asc", tut_root, ())
    finally:
        path.write_text(text)


@pytest.mark.parametrize("layout", ["us8k", "tut_asc"])
def test_synthetic_clips_are_the_same_wherever_they_are_written(tmp_path, layout):
    one, other = (
        synthetic("synthetic", tmp_path / name, layout, 2, 1, "none", ()) for name in "ab"
    )
    assert one.classes == tuple(CLASSES)
    assert [clip.path for clip in one.clips] == [clip.path for clip in other.clips]
    assert all(
        (one.root / clip.path).read_bytes() == (other.root / clip.path).read_bytes()
        for clip in one.clips
    )


def test_a_synthetic_root_with_other_data_is_refused(tmp_path):
    synthetic("synthetic", tmp_path, "us8k", 2, 1, "none", ())
    with pytest.raises(DataError, match="holds other data than asked for"):
        synthetic("synthetic", tmp_path, "us8k", 3, 1, "none", ())


@pytest.mark.real
def test_the_official_csv_agrees_with_the_manifest(shared):
    rows = us8k.read_rows(shared / "us8k" / us8k.CSV)
    manifest = (
        files("fewshot_audio.datasets").joinpath("manifests/us8k.tsv").read_text().splitlines()[1:]
    )
    assert {f"fold{row['fold']}/{row['slice_file_name']}" for row in rows} == {
        line.split("\t")[0] for line in manifest
    }
