"""dataset=folder and dataset=csv on the command line."""

import re
from pathlib import Path

import pytest
from hydra.errors import HydraException
from own_cases import pets, touch, write_table

from fewshot_audio import compose, config, mistakes
from fewshot_audio.components import build
from fewshot_audio.datasets.base import Dataset
from fewshot_audio.runner.plan import Planner
from fewshot_audio.types import ConfigError


def dataset(*settings):
    component = config.job(compose.composed([*settings])).dataset
    return build(component, Dataset, name=component.name)


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


def test_group_expressions_work_as_the_docs_quote_them(tmp_path):
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


def test_the_warning_of_a_leak_names_cures(tmp_path, caplog):
    lines = pets(tmp_path, 8, "path,label,split,group", "{path},{label},{split},{label}")
    write_table(tmp_path, lines)
    settings = ["dataset=csv", f"dataset.root={tmp_path}", "n_per_class=[1]", "repeats=1"]
    Planner().data(config.job(compose.composed(settings)))
    (line,) = (text for text in caplog.messages if "8 of 8 test clips share a group" in text)
    assert "dataset.split.make=folds" in line
    assert "sampling.by=group" in line


LETTERS = [
    ("dataset.classes=[Flöte]", 'dataset.classes=["Flöte","Vögel"]'),
    ("dataset.labels={Amsel: Vögel}", 'dataset.labels={Amsel: "Vögel"}'),
    ("dataset.name=Töne", 'dataset.name="Töne"'),
]


@pytest.mark.parametrize(("plain", "quoted"), LETTERS)
def test_letters_beyond_ascii_are_quoted_as_the_error_says(tmp_path, plain, quoted):
    touch(tmp_path, *(f"{name}/{i}.wav" for name in ("Flöte", "Vögel", "Amsel") for i in range(5)))
    settings = ["dataset=folder", f'dataset.root="{tmp_path}"']
    with pytest.raises(HydraException) as caught:
        compose.composed([*settings, plain])
    assert """'dataset.classes=["Flöte"]'""" in mistakes.explain(caught.value)
    assert "Vögel" in dataset(*settings, quoted).classes


def test_old_names_beyond_ascii_stand_in_a_yaml(tmp_path):
    touch(tmp_path, *(f"{name}/{i}.wav" for name in ("Flöte", "Vögel") for i in range(5)))
    with pytest.raises(HydraException) as caught:
        compose.composed(["dataset=folder", 'dataset.labels={"Flöte": flute}'])
    assert "docs/own-data.md, Classes" in mistakes.explain(caught.value)
    page = (Path(__file__).parents[2] / "docs/own-data.md").read_text()
    text = page.split("```yaml\n")[1].split("```")[0]
    (tmp_path / "conf/dataset").mkdir(parents=True)
    (tmp_path / "conf/dataset/sounds.yaml").write_text(text)
    search = f"hydra.searchpath=[file://{tmp_path}/conf]"
    made = dataset(search, "dataset=sounds", f"dataset.root={tmp_path}")
    assert made.classes == ("Vögel", "flute")
    assert made.name == "sounds"


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
        job = config.job(compose.composed([f"dataset={name}", f"dataset.root={tmp_path}"]))
        assert job.features.name == "torchaudio"
