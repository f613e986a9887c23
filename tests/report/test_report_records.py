"""Runs that are missing, doubled, failed or not comparable; which of them are chosen."""

import json
import subprocess
import sys
from dataclasses import replace

import pandas as pd
import pytest
from synthetic_records import (
    PARTIAL,
    SETTINGS,
    accuracies,
    chosen,
    differences,
    failed,
    record,
    records,
)

from fewshot_audio.report.provenance import notes_on, provenance, runs_behind
from fewshot_audio.report.records import load, runs_of
from fewshot_audio.types import ConfigError, NoRunsError, StoreError
from marks import slow_but


@pytest.mark.parametrize("lost", slow_but(3, of=[0, 3, 9]))
def test_a_missing_run_is_an_error_or_leaves_its_pair_out(lost):
    made = records()
    gone = made.pop(lost)["identity"]
    name = f"dataset=us8k fold={gone['fold']} model=sb_cnn frontend={gone['frontend']['name']} "
    name += f"n_per_class={gone['n_per_class']} repeat={gone['repeat']}"
    for make in (accuracies, differences):
        with pytest.raises(StoreError, match=f"1 run is missing:\n  {name}\n"):
            make(made)
    assert differences(made, PARTIAL).cells["count"].sum() == 4
    assert accuracies(made, PARTIAL).cells["count"].sum() == 9


def test_a_missing_run_comes_with_the_command_that_does_it():
    command = "python scripts/run.py +study=s fold=1 'model=sb_cnn' repeats=1 seed=3"
    without = []
    for each in records():
        if each["identity"]["fold"] == 1 or each["identity"]["frontend"]["name"] == "log_eps":
            without.append(each | {"command": command})
    with pytest.raises(StoreError) as caught:
        differences(without)
    assert str(caught.value).splitlines()[3:] == [
        "do them with",
        "  python scripts/run.py +study=s seed=3 fold=2 model=sb_cnn frontend=log_learn "
        "'n_per_class=[1]' repeats=2",
        "or make tables of what there is: partial=true",
    ]
    for each in without:
        del each["command"]
    with pytest.raises(StoreError, match=r"run.py dataset=us8k dataset.root=... fold=2 model=sb"):
        differences(without)


def test_another_frontend_s_command_drops_its_settings():
    made = []
    for each in records():
        name = each["identity"]["frontend"]["name"]
        command = f"python scripts/run.py frontend={name} frontend.base=2 model.width=3"
        if name == "log_eps":
            made.append(each | {"command": command})
    made.append(record(1, 1, 1, "log_fixed", 0.5))
    with pytest.raises(StoreError) as caught:
        differences(made, pairs=[("log_fixed", "log_eps")])
    command = "-m model.width=3 fold=1,2 model=sb_cnn frontend=log_fixed 'n_per_class=[1,10]'"
    assert f"\n  python scripts/run.py {command}\n" in str(caught.value)


def test_partners_on_other_clips_are_refused():
    made = records()
    made[1]["few_shot_split"] = "other"
    with pytest.raises(
        StoreError, match="partners trained on different clips:\n  dataset=us8k fold=1"
    ):
        differences(made)


def test_partners_tested_on_other_clips_are_refused():
    made = [record(1, 1, 1, name, 0.5, {"split": name}) for name in ("log_eps", "log_learn")]
    with pytest.raises(StoreError, match="partners were tested on different clips"):
        differences(made)


def test_folds_of_two_partitions_are_refused():
    made = [record(fold, 1, 1, "log_eps", 0.5, partition=f"of {fold}") for fold in (1, 2)]
    with pytest.raises(StoreError, match="us8k: its folds are of two different partitions"):
        chosen(made)
    chosen([made[0], made[1] | {"partition": None}])  # earlier records have none


def test_commands_for_all_clips_are_like_those_of_all_clips():
    made = [
        record(1, n, 1, "log_eps", 0.5, command=f"python scripts/run.py {words} fold=1")
        for n, words in ((1, "protocol=quick"), (None, "protocol=full"))
    ]
    made.append(record(1, 1, 1, "log_learn", 0.5))
    with pytest.raises(StoreError) as caught:
        differences(made)
    (command,) = [line for line in str(caught.value).splitlines() if "run.py" in line]
    assert "protocol=full" in command
    assert "n_per_class" not in command
    behind = runs_behind(chosen(made))
    assert ["protocol=full" in each.command for each in behind if each.counts == {"all": 1}] == [
        True
    ]


def test_a_run_counts_once_and_two_results_are_an_error():
    made = records()
    assert len(chosen([*made, *made]).runs) == 10
    one = made[3] | {"where": "a/runs/x.jsonl:4"}
    for changed in ({"metrics": {"accuracy": 0.1}}, {"metrics_stored_batch_norm": {"a": 1}}):
        other = {**made[3], **changed, "where": "b/runs/x.jsonl:1"}
        complaint = (
            "run log_learn112 has two results: .* in a/runs/x.jsonl:4 and .*b/runs/x.jsonl:1"
        )
        with pytest.raises(StoreError, match=complaint):
            chosen([one, other])


def test_any_metric_is_shown_in_its_unit():
    made = []
    for each in records():
        value = each["metrics"]["accuracy"]
        made.append(each | {"metrics": {"recall": [0.5], "auroc": value, "d_prime": 4 * value}})
    assert chosen(made).measure.name == "auroc"
    text = differences(made, replace(SETTINGS, metric="d_prime")).text
    assert text["n = 1"].tolist() == ["+0.5 [−1.02, 2.02] (4)"]
    text = accuracies(made, replace(SETTINGS, metric="auroc"))
    assert text.caption.startswith("Auroc in %: mean")
    with pytest.raises(
        ConfigError, match="report.metric=auroch: no run has it; did you mean auroc"
    ):
        chosen(made, replace(SETTINGS, metric="auroch"))
    single = r"recall: has a number for each class .*; metrics of one number: auroc, d_prime$"
    with pytest.raises(ConfigError, match=single):
        chosen(made, replace(SETTINGS, metric="recall"))
    more = {"a": 0.1, "balanced_accuracy": 0.2}
    assert chosen([record(1, 1, 1, "x", 0, metrics=more)]).measure.name == "balanced_accuracy"


def test_runs_without_the_metric_are_named_with_what_helps():
    made = records()
    for each in made[4:]:
        each["metrics"]["f1"] = 0.5
    selection = chosen(made, replace(SETTINGS, metric="f1"))
    (note,) = selection.notes
    assert note.startswith(
        "4 of 10 runs have no f1 and are left out: us8k, sb_cnn, log_eps (2); us8k, sb_cnn, "
        "log_learn (2); a finished run gets no metric later: do these runs again"
    )
    del made[6]["metrics"]["f1"], made[9]
    with pytest.raises(StoreError) as caught:
        differences(made, replace(SETTINGS, metric="f1"))
    lines = str(caught.value).splitlines()
    assert lines[0] == "log_learn − log_eps: 1 run without f1:"
    assert lines[1].startswith("  dataset=us8k fold=2 model=sb_cnn frontend=log_eps n_per_class=1 ")
    assert lines[2].startswith("a finished run gets no metric later")
    assert lines[3] == "log_learn − log_eps: 1 run is missing:"
    assert "frontend=log_learn n_per_class=10" in lines[4]


def test_failed_runs_do_not_count_and_an_empty_store_says_so():
    again = failed(key=records()[0]["key"])  # failed once, finished later
    runs, failures = runs_of([failed(), failed(), again, *records()])
    assert len(runs) == 10
    assert failures == {"out of memory": 1}
    assert ("Failed runs", "out of memory (1 run)") in provenance(runs, failures)
    with pytest.raises(NoRunsError, match=r"no finished runs \(1 failed\); scripts/run.py makes"):
        chosen([failed()])


def test_runs_of_all_clips_stand_last():
    made = [*records(), record(1, None, 1, "log_eps", 0.9), record(1, None, 1, "log_learn", 0.8)]
    table = accuracies(made)
    assert table.text[("n = all", "log_eps")].tolist() == ["90.0 (1)"]
    assert table.text.columns[-1] == ("n = all", "log_learn")


def test_notes_tell_of_parts_changes_and_clips_without_a_score():
    made = records()
    made[0] |= {"notes": ["only fold 1"], "unscored_clips": 3, "dirty": True}
    runs, failures = runs_of(made)
    lost = "3 clips in 1 run had no finite score and count as wrong"
    assert notes_on(runs) == ["only fold 1", lost]
    metrics = {"metrics": {"map": 0.5, "auc": [0.5, None, None]}}
    (note,) = notes_on(runs_of([record(1, None, 1, "leaf", 0, **metrics)])[0])
    assert note.startswith("us8k: 2 of 3 classes are in none or in all of the test clips")
    facts = provenance(runs, failures)
    assert ("Commits", "c0ffee (9 runs); c0ffee with changes (1 run)") in facts
    without_git = [each | {"commit": None, "dirty": None} for each in records()]
    assert "Commits" not in dict(provenance(*runs_of(without_git)))


def test_results_are_loaded_as_a_table(tmp_path):
    made = [*records(), record(1, None, 1, "leaf", 0.5, metrics={"accuracy": 0.5, "f1": 0.25})]
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs/x.jsonl").write_text("".join(json.dumps(each) + "\n" for each in made))
    table = load(tmp_path)
    names = ["dataset", "fold", "model", "frontend", "n_per_class", "repeat"]
    assert list(table) == [*names, "accuracy", "f1", "seconds", "key"]
    assert len(table) == 11
    leaf = table[table["frontend"] == "leaf"].iloc[0]
    assert (leaf["f1"], leaf["seconds"]) == (0.25, 1.5)
    assert pd.isna(leaf["n_per_class"])
    assert set(load(tmp_path, settings=True)["optimizer.lr"]) == {0.1}
    code = f"import fewshot_audio, sys; fewshot_audio.results({str(tmp_path)!r}); "
    code += "sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_two_splits_under_one_name_are_refused():
    """As after a change of the data: the numbers are not of one question."""
    same, other = ({"split": split, "features": split} for split in ("a", "b"))
    one = record(1, 1, 1, "log_eps", 0.5, same)
    assert len(chosen([one, record(1, 1, 2, "log_eps", 0.5, same)]).runs) == 2
    assert len(chosen([one, record(2, 1, 1, "log_eps", 0.5, same | {"split": "b"})]).runs) == 2
    both = [one, record(1, 1, 2, "log_eps", 0.5, other)]
    with pytest.raises(StoreError, match="us8k, fold 1: runs with two different splits"):
        chosen(both)
    (alone,) = chosen(both, replace(SETTINGS, where={"split": "b"})).runs["repeat"]
    assert alone == 2
