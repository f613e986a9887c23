"""Folders of the machine: none is in a stored command or in a job."""

from pathlib import Path

import pytest
from omegaconf.errors import MissingMandatoryValue

from fewshot_audio import compose, config


@pytest.mark.parametrize(
    ("word", "stored"),
    [
        ("model=vgg", "model=vgg"),
        ("results=other/folder", "results=other/folder"),
        ("results=/home/me/results", None),
        ("cache=~/cache", None),
        ("dataset.root=/data/us8k", "dataset.root=???"),
        ("+model.extra={weights: /data/w.pt}", "+model.extra=???"),
        ("also=[a,'/b c']", "also=???"),
        ("~frontend.alpha", "~frontend.alpha"),
        ("hydra.searchpath=[pkg://mine.conf,file://conf]",) * 2,
        (
            "hydra.searchpath=[pkg://mine.conf,'file:///home/me/a b',/c]",
            "hydra.searchpath=[pkg://mine.conf,'file://FOLDER',file://FOLDER]",
        ),
    ],
)
def test_a_stored_command_names_no_folder_of_the_machine(word, stored):
    assert config.public(word) == stored


@pytest.mark.parametrize("word", ["dataset.root=???", "splits=???"])
def test_what_stands_for_a_path_cannot_run(word):
    with pytest.raises(MissingMandatoryValue):
        config.job(compose.composed(["dataset=synthetic", word]))


def test_machine_settings_are_no_part_of_a_job(tmp_path):
    words = [f"results={tmp_path}", "workers=7", "threads=3", "accelerator=cpu", "cache=elsewhere"]
    data = ["dataset=synthetic", "dataset.root=sounds"]  # which else lies in the cache
    plain = compose.composed(data)
    other = compose.composed([*data, *words])
    assert config.job(plain) == config.job(other)
    assert config.machine(other).workers == 7
    assert config.machine(other).results == Path(tmp_path)
