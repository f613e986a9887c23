"""UrbanSound8K, as a tree of empty files with the official names."""

import csv
from collections import Counter

import pytest

from fewshot_audio.datasets.urbansound8k import (
    CSV,
    OFFICIAL_CLASSES,
    OFFICIAL_FOLDS,
    read_rows,
    urbansound8k,
)
from fewshot_audio.datasets.verify import shipped_table
from fewshot_audio.types import ConfigError, DataError

HEADER = ("slice_file_name", "fsID", "start", "end", "salience", "fold", "classID", "class")


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """All 8,732 names as empty files, with a metadata CSV made from them."""
    root = tmp_path_factory.mktemp("us8k") / "UrbanSound8K"
    names = list(OFFICIAL_CLASSES)
    rows = [HEADER]
    for fold in OFFICIAL_FOLDS:
        (root / f"audio/fold{fold}").mkdir(parents=True)
    for path, _, _ in shipped_table("us8k.tsv"):
        (root / "audio" / path).touch()
        folder, name = path.split("/")
        recording, label = name.split("-")[:2]
        fold = folder.removeprefix("fold")
        rows.append((name, recording, 0, 4, 1, fold, label, names[int(label)]))
    (root / "metadata").mkdir()
    write(root / CSV, rows)
    return root


def write(path, rows):
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(rows)


@pytest.mark.parametrize("parent", [False, True])
def test_published_counts_and_folds(root, parent):
    dataset = urbansound8k("us8k", root.parent if parent else root)
    assert len(dataset.clips) == 8732
    assert dataset.classes == tuple(OFFICIAL_CLASSES)
    assert Counter(dataset.classes[clip.label] for clip in dataset.clips) == OFFICIAL_CLASSES
    assert {fold.number: len(fold.test) for fold in dataset.folds} == OFFICIAL_FOLDS
    assert dataset.notes == ()


def test_eight_folds_train_and_the_next_validates(root):
    for fold in urbansound8k("us8k", root).folds:
        following = fold.number % 10 + 1
        assert {clip.fold for clip in fold.test} == {fold.number}
        assert {clip.fold for clip in fold.valid} == {following}
        assert {clip.fold for clip in fold.train} == set(range(1, 11)) - {fold.number, following}
        assert list(fold.train) == sorted(fold.train, key=lambda clip: clip.path)


def test_part_of_the_folds(root):
    dataset = urbansound8k("us8k", root, folds=(1, 2), validation="none")
    assert dataset.notes == ("only folds 1, 2 of 10", "no validation fold is left out")
    assert {clip.fold for clip in dataset.fold(1).train} == {2}
    assert dataset.fold(1).valid == ()
    with pytest.raises(ConfigError, match=r"folds \[3\]: .* none is left to train on"):
        urbansound8k("us8k", root, folds=(3,))
    with pytest.raises(ConfigError, match="none is left to train on; add folds, or set dataset.va"):
        urbansound8k("us8k", root, folds=(1, 2))
    with pytest.raises(ConfigError, match=r"dataset.folds=\[1, 11\]: expected some of \[1, 2, 3"):
        urbansound8k("us8k", root, folds=(1, 11))
    with pytest.raises(ConfigError, match="fold=3: us8k has the folds 1, 2"):
        dataset.fold(3)


def test_missing_files_are_named_or_left_out(root):
    gone = root / "audio/fold3/103199-4-0-0.wav"
    gone.unlink()
    try:
        with pytest.raises(DataError, match=r"1 of 8,732 .* missing:\n  audio/fold3/103199-4-0-0"):
            urbansound8k("us8k", root)
        dataset = urbansound8k("us8k", root, tolerate=("missing",))
        assert len(dataset.clips) == 8731
        assert dataset.notes == ("1 of 8732 listed clips are missing and left out",)
    finally:
        gone.touch()


def test_missing_download_lists_ten_names_and_a_count(root, tmp_path):
    (tmp_path / "metadata").mkdir()
    (tmp_path / CSV).write_bytes((root / CSV).read_bytes())
    with pytest.raises(DataError) as caught:
        urbansound8k("us8k", tmp_path, tolerate=("missing",))
    lines = str(caught.value).splitlines()
    assert len([line for line in lines if line.startswith("  audio/")]) == 10
    assert "  ... and 8,722 more; `scripts/verify.py --json` lists all" in lines


def test_changed_csv_is_refused(root, tmp_path):
    rows = list(csv.reader((root / CSV).read_text().splitlines()))
    (tmp_path / "metadata").mkdir()

    def check_refused(changed, text):
        write(tmp_path / CSV, changed)
        with pytest.raises(DataError, match=text):
            urbansound8k("us8k", tmp_path)

    check_refused([*rows[:7], rows[7][:3], *rows[8:]], "csv:8: damaged row .*; download it again")
    check_refused([*rows[:7], ["no-name.wav", *rows[7][1:]]], "csv:8: damaged row no-name.wav")
    check_refused([row[:-1] for row in rows], "column class is missing; found slice_file_name")
    check_refused(rows[:-1], r"clips per fold differ from the official ones \(\d+: \d+, not \d+\)")
    other = {"drilling": ["3", "dog_bark"], "dog_bark": ["4", "drilling"]}
    swapped = [row[:-2] + other.get(row[-1], row[-2:]) for row in rows]
    check_refused(swapped, "is labelled 4 drilling|is labelled 3 dog_bark")


def test_root_without_the_dataset(tmp_path):
    with pytest.raises(DataError, match="no such folder; give the folder UrbanSound8K or the one"):
        urbansound8k("us8k", tmp_path / "nowhere")
    with pytest.raises(DataError, match=r"expected metadata/UrbanSound8K.csv .* found nothing"):
        urbansound8k("us8k", tmp_path)


@pytest.mark.real
def test_official_csv_agrees_with_the_manifest(shared):
    rows = read_rows(shared / "us8k" / CSV)
    paths = {f"fold{row['fold']}/{row['slice_file_name']}" for row in rows}
    assert paths == {path for path, _, _ in shipped_table("us8k.tsv")}
