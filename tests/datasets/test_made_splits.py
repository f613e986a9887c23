"""Splits that were made, kept as a table and used again."""

import csv

import numpy as np
import pytest
import soundfile
from own_cases import touch

from command_line import lines
from fewshot_audio.datasets.folder import from_folder
from fewshot_audio.datasets.made_splits import setting_to_read, write_made_splits
from fewshot_audio.datasets.partition import Partition
from fewshot_audio.datasets.table import Columns, from_table

WAYS = [
    Partition(folds=3, seed=7),
    Partition(folds=3, valid=0.3),
    Partition("holdout", test=0.3),
    Partition("holdout", test=0.3, valid=0.3, seed=2),
    Partition("leave_one_group_out"),
]


def sounds(root, n=12):
    touch(root, *(f"{name} é/{who}-{i}.wav" for name in "ab" for who in "xyz" for i in range(n)))


@pytest.mark.parametrize("how", WAYS)
def test_the_written_table_gives_the_same_splits(tmp_path, how):
    sounds(tmp_path / "sounds")
    made = from_folder("mine", tmp_path / "sounds", r"/(\w)-", split=how)
    file = write_made_splits(made, tmp_path)
    assert file.name.startswith(f"mine-{made.made}-")
    given = Partition(valid=how.valid if how.make is None else 0, seed=how.seed)
    again = from_table("mine", tmp_path / "sounds", file, split=given)
    assert again.folds == made.folds
    assert [fold.digest_with_valid for fold in again.folds] == [
        fold.digest_with_valid for fold in made.folds
    ]
    assert write_made_splits(again, tmp_path) in (None, file)


def test_segments_and_several_labels_too(tmp_path):
    touch(tmp_path, *(f"{i}.wav" for i in range(6)))
    rows = [["path", "from", "end", "label"]]
    rows += [[f"{i}.wav", j, j + 1.5, "a;b" if i % 2 else "a"] for i in range(6) for j in (0, 2)]
    with (tmp_path / "a.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    columns = Columns(start="from")
    made = from_table("x", tmp_path, columns=columns, split=Partition(folds=2))
    (tmp_path / "a.csv").unlink()
    written = write_made_splits(made, tmp_path)
    again = from_table("x", written)
    assert again.folds == made.folds
    assert again.multi_label


def test_files_are_never_changed(tmp_path):
    sounds(tmp_path / "sounds")
    write_made_splits(from_folder("mine", tmp_path / "sounds"), tmp_path / "splits")
    (first,) = (tmp_path / "splits").iterdir()
    before = first.read_bytes()
    sounds(tmp_path / "sounds", 13)
    write_made_splits(from_folder("mine", tmp_path / "sounds"), tmp_path / "splits")
    write_made_splits(from_folder("mine", tmp_path / "sounds"), tmp_path / "splits")
    assert len(list((tmp_path / "splits").iterdir())) == 2
    assert first.read_bytes() == before


@pytest.mark.slow
def test_a_run_writes_them_beside_its_results(tmp_path, cache, in_process):
    random = np.random.default_rng(0)
    for i in range(8):
        path = tmp_path / f"sounds/{'ab'[i % 2]}/{i}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, random.uniform(-0.5, 0.5, 4000 + i), 8000)
    settings = ["dataset=folder", f"dataset.root={tmp_path / 'sounds'}", "dataset.name=mine"]
    settings += ["dataset.split.folds=2", f"results={tmp_path / 'results'}", f"cache={cache}"]
    settings += ["sample_rate=8000", "hop=256", "n_per_class=1", "repeats=1"]
    settings += ["model=timbre", "method.max_epochs=1", "accelerator=cpu", "workers=1"]
    assert in_process("dry_run=true", words=settings).returncode == 0
    assert not (tmp_path / "results/splits").exists()
    done = in_process(words=settings)
    assert done.returncode == 0, done.stderr
    (file,) = (tmp_path / "results/splits").iterdir()
    assert f"mine: the splits that were made are in {file}" in done.stderr
    (record,) = lines(tmp_path)
    table = ["dataset=csv", f"dataset.table={file}", *settings[1:3], *settings[4:]]
    assert in_process(words=table).returncode == 0
    (again,) = lines(tmp_path)  # the same run, which is not done again
    assert again == record
    assert "2 folds were made with seed 0, stratified by class" in record["notes"]


def test_a_name_with_a_separator_needs_a_setting(tmp_path):
    touch(tmp_path, *(f"{name}/{i}.wav" for name in ("rock;pop", "jazz") for i in range(6)))
    made = from_folder("mine", tmp_path, split=Partition(folds=2))
    assert setting_to_read(made) == "dataset.separator=null"
    again = from_table(
        "mine", tmp_path, write_made_splits(made, tmp_path / "splits"), separator=None
    )
    assert again.folds == made.folds
