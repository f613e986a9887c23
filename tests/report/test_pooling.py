"""Settings of whole parts compared and pooled, and the commands for runs that such reports lack."""

import json
import shlex
from dataclasses import replace

import pytest
from synthetic_records import SETTINGS, accuracies, chosen, differences, record, records

from fewshot_audio.types import StoreError

SGD = {"name": "sgd", "type": "SGD", "lr": 0.1, "max_grad_norm": 5}
ADAM = {"name": "adam", "type": "Adam", "lr": 0.001, "betas": [0.9, 0.999]}


def grid():
    """Records of two frontends by two optimizers at two levels, two splits each.

    Adam adds 0.1, loudness 0.02, log-learn 0.3, and 0.04 more with Adam.
    """
    made = []
    for frontend, more in (("log_eps", 0.0), ("log_learn", 0.3)):
        for optimizer, by_adam in ((SGD, 0.0), (ADAM, 0.1)):
            for level, louder in ((None, 0.0), ("loudness", 0.02)):
                changed = {"optimizer": optimizer, "features": f"digest at {level}"}
                changed |= {} if level is None else {"level": level}
                both = 0.04 if more and by_adam else 0.0
                for repeat in (1, 2):
                    value = 0.1 + more + by_adam + louder + both + repeat / 1000
                    key = f"{frontend}{optimizer['name']}{level}{repeat}"
                    made.append(record(1, 1, repeat, frontend, value, changed, key=key))
    return made


def test_whole_parts_and_levels_are_pooled():
    settings = replace(SETTINGS, pool=("optimizer", "features.level"))
    selection = chosen(grid(), settings)
    assert not selection.notes
    assert selection.runs["pool"].nunique() == 4
    cells = differences(grid(), settings).cells
    assert cells["mean"].tolist() == pytest.approx([0.32])
    assert cells["count"].tolist() == [8]


def test_a_part_is_compared_by_its_name_whatever_its_settings():
    settings = replace(SETTINGS, compare="optimizer", pool=("features.level",))
    table = differences(grid(), settings, pairs=[("adam", "sgd")])
    assert table.cells["model"].tolist() == ["sb_cnn / log_eps", "sb_cnn / log_learn"]
    assert table.cells["mean"].tolist() == pytest.approx([0.1, 0.14])
    slower = [{**each, "key": f"{each['key']} slow"} for each in grid() if "adam" in each["key"]]
    for each in slower[:1]:
        each["identity"] = each["identity"] | {"optimizer": ADAM | {"lr": 0.01}}
    (note,) = chosen([*grid(), *slower[:1]], settings).notes
    assert "because optimizer.lr is 0.01 instead of 0.001" in note


def words_of_missing(made, settings, **asked):
    """The words of the command for the runs that are missing among these records."""
    with pytest.raises(StoreError) as error:
        differences(made, settings, **asked)
    (command,) = (line for line in str(error.value).splitlines() if "scripts/run.py" in line)
    return set(shlex.split(command))


COMMAND = (
    "python scripts/run.py dataset=us8k optimizer=sgd optimizer.momentum=0.9 "
    "features.level=loudness frontend=log_eps model=sb_cnn"
)


@pytest.mark.parametrize("command", [None, COMMAND])
def test_commands_for_missing_runs_have_the_words_of_what_is_pooled(command):
    settings = replace(SETTINGS, pool=("optimizer", "features.level"))
    made = [each | {"command": command} for each in grid()]
    lacks_adam = words_of_missing(made[:-1], settings)
    assert {
        "optimizer=adam",
        "features.level=loudness",
        "optimizer.betas=[0.9,0.999]",
    } <= lacks_adam
    assert not any(word.startswith(("level=", "optimizer.type=")) for word in lacks_adam)
    quiet = [each for each in made if each["key"] != "log_learnsgdNone2"]
    lacks_quiet = words_of_missing(quiet, settings)
    assert {"optimizer=sgd", "optimizer.lr=0.1", "optimizer.max_grad_norm=5"} <= lacks_quiet
    assert not any(word.startswith("features.level=") for word in lacks_quiet)


def test_commands_for_a_compared_part_have_no_settings_of_another():
    settings = replace(SETTINGS, compare="optimizer", pool=("features.level",))
    made = [each | {"command": COMMAND} for each in grid()]
    lacking = [each for each in made if each["key"] != "log_learnadamNone2"]
    words = words_of_missing(lacking, settings, pairs=[("adam", "sgd")])
    assert "optimizer=adam" in words
    assert not any(word.startswith("optimizer.") for word in words)


def test_null_and_truth_are_a_command_s():
    made = grid()
    for each in made:
        each["identity"]["optimizer"] = each["identity"]["optimizer"] | {"nesterov": None}
    settings = replace(SETTINGS, pool=("optimizer", "features.level"))
    assert "optimizer.nesterov=null" in words_of_missing(made[:-1], settings)


def test_older_records_pair_with_ones_that_hold_all_settings():
    """Pools are of the settings that keys hold, which both have."""
    made = grid()
    for each in made:
        if each["identity"]["frontend"]["name"] == "log_learn":
            every = {"optimizer": each["identity"]["optimizer"] | {"momentum": 0}}
            each["settings"] = json.loads(json.dumps(every))
    cells = differences(made, replace(SETTINGS, pool=("optimizer", "features.level"))).cells
    assert cells["count"].tolist() == [8]


def test_pooled_sizes_of_spectrograms_have_features_of_their_own():
    made = []
    for n_bands in (40, 64):
        for frontend, value in (("log_eps", 0.25), ("log_learn", 0.5)):
            changed = {"mel": {"n_bands": n_bands, "hop": 160}, "features": f"digest {n_bands}"}
            key = f"{frontend}{n_bands}"
            made.append(record(1, 1, 1, frontend, value, changed, key=key))
    for pool in (("n_bands",), ("mel",)):
        cells = differences(made, replace(SETTINGS, pool=pool)).cells
        assert cells[["mean", "count"]].to_numpy().tolist() == [[0.25, 2]]


def test_what_follows_from_a_pooled_setting_is_pooled_too():
    """The bands of a frontend are those of the spectrograms that it reads."""
    made = [
        record(
            1,
            1,
            repeat,
            name,
            0.5,
            {"mel": {"n_bands": bands}, "frontend": {"name": name, "n_bands": bands}},
            key=f"{name}{bands}{repeat}",
        )
        for name in ("log_eps", "log_learn")
        for bands in (40, 64)
        for repeat in (1, 2)
    ]
    selection = chosen(made, replace(SETTINGS, pool=("n_bands",)))
    assert len(selection.runs) == 8
    assert not selection.notes


def test_where_models_are_compared_the_other_column_is_of_frontends():
    made = records()
    for each in records():
        other = each["identity"] | {"model": {"name": "vgg"}}
        made.append(each | {"identity": other, "key": f"vgg {each['key']}"})
    table = accuracies(made, replace(SETTINGS, compare="model"), side_by_side=False)
    assert list(table.text.columns)[:3] == ["dataset", "frontend", "model"]
    assert list(table.cells.columns)[:3] == ["dataset", "frontend", "model"]
    assert set(table.cells["frontend"]) == {"log_eps", "log_learn"}
    assert set(table.cells["model"]) == {"sb_cnn", "vgg"}
