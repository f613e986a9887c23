"""dataset=folder and dataset=csv on the command line."""

import re
from pathlib import Path

import pytest
from own_cases import pets, touch, write_table

from fewshot_audio import config
from fewshot_audio.components import build
from fewshot_audio.types import ConfigError


def dataset(*settings):
    component = config.job(config.composed([*settings])).dataset
    return build(component, name=component.name)


def test_folder(tmp_path):
    touch(tmp_path, *(f"{name}/{who}{i}.wav" for name in "012" for who in "ab" for i in range(3)))
    settings = ["dataset=folder", f"dataset.root={tmp_path}", "dataset.name=mine"]
    choice = ["dataset.classes=[0,two]", "dataset.labels={2: two}", "dataset.split.folds=2"]
    made = dataset(*settings, *choice, 'dataset.group_by="/([ab])"', "dataset.split.seed=3")
    assert (made.name, made.classes, made.made) == ("mine", ("0", "two"), "2-folds-seed-3")
    assert [{clip.group for clip in fold.test} for fold in made.folds] in (
        [{"a"}, {"b"}],
        [{"b"}, {"a"}],
    )


def test_expressions_for_groups_are_quoted_as_the_docs_quote_them(tmp_path):
    page = (Path(__file__).parents[2] / "docs/own-data.md").read_text()
    quoted = re.findall(r"'(dataset\.group_by=.*?)'", page)
    assert quoted
    names = [f"{word}/{who}_nohash_{i}.wav" for word in "ab" for who in "xyz" for i in range(2)]
    touch(tmp_path, *names)
    for setting in quoted:
        made = dataset(
            "dataset=folder", f"dataset.root={tmp_path}", setting, "dataset.split.folds=3"
        )
        assert {clip.group for clip in made.clips} == {"x", "y", "z"}
        assert "3 folds were made with seed 0, stratified by class, 3 groups whole" in made.notes


def test_csv(tmp_path):
    header, cells = "file,label,split", "{path},{label},{split}"
    file = write_table(tmp_path, pets(tmp_path, 8, header, cells))
    settings = ["dataset=csv", f"dataset.root={file}", "dataset.columns.path=file"]
    made = dataset(*settings, "dataset.split.valid=0.25")
    (fold,) = made.folds
    assert [len(part) for part in (fold.train, fold.valid, fold.test)] == [6, 2, 8]
    assert made.made == "valid-0.25-seed-0"
    assert dataset(*settings, "dataset.labels={dog: null}").classes == ("cat",)
    with pytest.raises(ConfigError, match="Input should be 'folds', 'holdout' or"):
        dataset(*settings, "dataset.split.make=fold")


def test_features_are_those_of_torchaudio(tmp_path):
    for name in ("folder", "csv"):
        job = config.job(config.composed([f"dataset={name}", f"dataset.root={tmp_path}"]))
        assert job.features.name == "torchaudio"
