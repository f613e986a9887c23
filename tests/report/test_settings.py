"""Which settings of runs are compared, filtered, pooled, and which must be alike."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from synthetic_records import SETTINGS, accuracies, chosen, differences, record, records

from fewshot_audio.report.figures import draw
from fewshot_audio.report.records import load
from fewshot_audio.report.tables import accuracy, difference
from fewshot_audio.types import ConfigError, NoRunsError, StoreError

RATES = {0.1: 0.5, 0.01: 0.75, 1.0: 0.25}  # learning rate: accuracy


def swept(name="optimizer", values=RATES, frontends=("log_eps",)):
    """Records of a sweep over a setting."""
    made = []
    for setting, value in values.items():
        for frontend in frontends:
            for repeat in (1, 2):
                changed = {name: {"lr": setting} if name == "optimizer" else setting}
                key = f"{setting}{frontend}{repeat}"
                each = record(1, 1, repeat, frontend, value + repeat / 100, changed, key=key)
                made.append(each)
    return made


def test_runs_with_other_settings_are_left_out_and_named():
    other = record(3, 1, 1, "log_eps", 0.5, {"frontend": {"name": "log_eps", "base": "e"}})
    selection = chosen([*records(), other])
    assert len(selection.runs) == 10
    assert selection.notes == (
        "us8k, sb_cnn, log_eps: 1 run is left out, because frontend.base is e instead of 10 in "
        "the 5 others; compare with report.compare=frontend.base, or report them alone with "
        "'report.where={frontend.base: e}'",
    )


def test_runs_on_all_clips_may_be_trained_otherwise():
    """Their settings may differ from those of runs on a few clips."""
    changed = {"method": {"name": "crops"}, "optimizer": {"lr": 0.001}}
    on_all = [
        record(1, None, repeat, frontend, 0.9, changed)
        for frontend in ("log_eps", "log_learn")
        for repeat in (1, 2)
    ]
    other = record(1, None, 3, "log_eps", 0.1, changed | {"seed": 1})
    selection = chosen([*records(), *on_all, other])
    assert len(selection.runs) == len(records()) + len(on_all)
    assert "because seed is 1 instead of 0 in the 4 others" in selection.notes[0]
    assert selection.notes[1:] == (
        "n = all is trained otherwise than the other n: method, optimizer differ",
    )


def test_frontends_trained_differently_are_not_compared():
    made = records()
    made += [record(1, 1, 9, "leaf", 0.5, {"seed": 1})]
    selection = chosen(made)
    assert set(selection.runs["frontend"]) == {"log_eps", "log_learn"}
    assert "us8k, sb_cnn: 1 run is left out, because seed is 1 instead of 0" in selection.notes[0]


def test_a_frontend_that_reads_waveforms_has_features_of_its_own():
    waveforms = {"features": "waveforms", "frontend": {"name": "leaf", "sample_rate": 44100}}
    made = [record(1, 1, 1, "leaf", 0.5, waveforms)]
    for each in records():
        each["identity"]["features"] = "mel"
        made.append(each)
    selection = chosen(made)
    assert set(selection.runs["frontend_input"]) == {"mel", "waveform"}
    assert selection.notes == ()
    made.append(record(1, 1, 1, "log_fixed", 0.5, {"features": "other mel"}))
    assert "features is other mel instead of mel" in chosen(made).notes[0]


def test_any_setting_is_compared_on_the_same_splits():
    settings = replace(SETTINGS, compare="optimizer.lr")
    selection = chosen(swept(), settings)
    assert selection.settings.baseline == "0.01"
    table = difference(selection, "baseline", "Baseline", None)
    assert table.cells[["first", "second"]].to_numpy().tolist() == [["0.1", "0.01"], ["1", "0.01"]]
    assert table.cells["mean"].tolist() == pytest.approx([-0.25, -0.5])
    table = accuracy(selection, "a", "{metric} by {compared}", None, "std", False)
    assert table.title == "Accuracy by optimizer.lr"
    assert table.cells["optimizer.lr"].tolist() == ["0.01", "0.1", "1"]
    drawing, *_ = draw(selection, pd.DataFrame(columns=["dataset"]), [], Path("results"))
    assert list(drawing.data)[:4] == ["dataset", "model", "optimizer.lr", "n_per_class"]
    both = chosen(swept(frontends=("log_eps", "leaf")), settings)
    assert set(both.runs["model"]) == {"sb_cnn / log_eps", "sb_cnn / leaf"}
    assert both.notes == ()


def test_where_chooses_runs_by_their_settings():
    settings = replace(SETTINGS, where={"optimizer": {"lr": 0.01}})
    assert chosen(swept(), settings).runs["value"].tolist() == [0.76, 0.77]
    settings = replace(
        SETTINGS, where={"optimizer.lr": [0.1, 0.01], "repeat": 2, "frontend": "log_eps"}
    )
    assert len(chosen(swept(), replace(settings, compare="optimizer.lr")).runs) == 2
    with pytest.raises(NoRunsError, match="no finished runs with report.where"):
        chosen(swept(), replace(SETTINGS, where={"optimizer.lr": 3, "seed": 0, "fold": 1}))
    with pytest.raises(ConfigError, match="no run has a setting optimizer.rl; did you mean optim"):
        chosen(swept(), replace(SETTINGS, where={"optimizer.rl": 3}))


def test_seeds_are_pooled_as_further_repeats():
    made = swept("seed", {0: 0.25, 1: 0.75}, ("log_eps", "log_learn"))
    table = accuracies(made, replace(SETTINGS, pool=("seed",)))
    assert table.cells["count"].tolist() == [4, 4]
    assert table.cells["mean"].tolist() == pytest.approx([0.515, 0.515])
    with pytest.raises(StoreError, match=r"seed=1 repeat=2\n(.*\n)*.* seed=1 .*repeats?="):
        accuracies(
            [made[0] | {"command": "run.py repeats=1"}, *made[1:-1]],
            replace(SETTINGS, pool=("seed",)),
        )


@pytest.mark.parametrize("name", ["features.seed", "features.n_bands"])
def test_no_other_setting_is_one_of_features(name):
    with pytest.raises(ConfigError, match=name):
        chosen(swept(), replace(SETTINGS, where={name: 0}))


@pytest.mark.parametrize("name", ["all", None])
def test_where_chooses_runs_on_all_clips(name):
    whole = [record(1, None, 1, frontend, 0.9) for frontend in ("log_eps", "log_learn")]
    settings = replace(SETTINGS, where={"n_per_class": name})
    assert len(chosen([*records(), *whole], settings).runs) == 2
    settings = replace(SETTINGS, where={"n_per_class": [name, 10]})
    assert set(chosen([*records(), *whole], settings).runs["n_per_class"]) == {10, np.inf}


def test_defaults_are_found_where_records_hold_them(tmp_path):
    made = []
    for repeat, rate, identity in [(1, 0.001, {}), (1, 0.1, {"lr": 0.1}), (2, 0.1, {"lr": 0.1})]:
        optimizer = {"name": "adamw", **identity}
        full = {"optimizer": {"lr": rate, "eps": 1e-8}}
        key = f"{repeat}{rate}"
        each = record(1, 1, repeat, "log_eps", rate, {"optimizer": optimizer}, key=key)
        made.append(each | {"settings": full})
    made.append(record(1, 1, 2, "log_eps", 0.002, {"optimizer": {"name": "adamw"}}, key="older"))
    table = accuracies(made, replace(SETTINGS, compare="optimizer.lr"), side_by_side=False)
    assert table.text["optimizer.lr"].tolist() == ["0.001", "0.1"]
    assert table.cells["count"].tolist() == [2, 2]  # the older record's settings are the same
    found = chosen(made, replace(SETTINGS, where={"optimizer.lr": 0.001}))
    assert found.runs["value"].tolist() == [0.001, 0.002]
    assert "report.where={optimizer.lr: 0.1}" in chosen(made).notes[0]
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs/x.jsonl").write_text("".join(json.dumps(each) + "\n" for each in made))
    assert sorted(load(tmp_path, settings=True)["optimizer.lr"]) == [0.001, 0.001, 0.1, 0.1]


def test_of_equally_many_runs_those_with_usual_settings_are_kept():
    made = [each for each in swept() if each["identity"]["optimizer"]["lr"] != 1]
    for rate in (0.1, 0.01):
        selection = chosen(made, replace(SETTINGS, usual={"optimizer": {"lr": rate}}))
        assert {json.loads(text)["optimizer"]["lr"] for text in selection.runs["settings"]} == {
            rate
        }
    plain = [record(1, 1, 1, "log_eps", 0.5, {"optimizer": {}}, key="p"), made[0]]
    assert chosen(plain).runs["key"].tolist() == ["p"]  # at the default of the class


def test_seeds_are_compared_unpaired_and_pooling_proposed():
    made = swept("seed", {0: 0.25, 1: 0.75})
    for each in made:
        each["few_shot_split"] = f"{each['identity']['seed']}{each['identity']['repeat']}"
    assert "count them as repeats with report.pool=[seed]" in chosen(made).notes[0]
    seeds = replace(SETTINGS, compare="seed")
    table = accuracies(made, seeds, side_by_side=False)
    assert table.text["n = 1"].tolist() == ["26.5 ± 0.7 (2)", "76.5 ± 0.7 (2)"]
    assert "Bold" not in table.caption
    assert "few-shot splits differ by seed: there are no pairs" in chosen(made, seeds).notes[0]
    with pytest.raises(NoRunsError, match="few-shot splits differ by seed, so that there are no"):
        differences(made, seeds, None)


def test_a_setting_that_stands_in_several_places_is_one():
    made = []
    for bands, mel in ((112, {"n_bands": 112}), (128, {})):
        for repeat in (1, 2):
            names = {"mel": {"hop": 1, **mel}, "features": f"digest {bands}"}
            names["frontend"] = {"name": "log_eps", "base": 10, **mel}
            key = f"{bands}{repeat}"
            made.append(record(1, 1, repeat, "log_eps", bands / 128, names, key=key))
    for name in ("mel.n_bands", "n_bands"):
        table = accuracies(made, replace(SETTINGS, compare=name), side_by_side=False)
        assert table.text["mel.n_bands"].tolist() == ["112", "default"]
        assert table.cells["count"].tolist() == [2, 2]
    with pytest.raises(StoreError, match=r"(?s)do them with.* fold=1 n_bands=112 'n_per_class="):
        accuracies(made[1:], replace(SETTINGS, compare="n_bands"))
    made[1]["identity"]["frontend"]["n_bands"] = 64  # not the compared value: another setting
    assert "frontend.n_bands is" in chosen(made, replace(SETTINGS, compare="n_bands")).notes[0]


@pytest.mark.parametrize("name", ["n_per_class", "fold", "repeat"])
def test_what_tables_show_anyway_is_not_compared(name):
    for settings in (replace(SETTINGS, compare=name), replace(SETTINGS, pool=(name,))):
        with pytest.raises(ConfigError, match=f"={name}: expected a setting of training; each n"):
            chosen(records(), settings)


def test_an_unknown_baseline_is_refused():
    with pytest.raises(ConfigError, match="baseline=log_epps; did you mean log_eps"):
        chosen(records(), replace(SETTINGS, baseline="log_epps"))
