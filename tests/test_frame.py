"""Runs that are missing, doubled, failed or not comparable: found before any table is made."""

import pytest

from fewshot_audio.report.records import found
from fewshot_audio.report.tables import cost
from fewshot_audio.report.write import notes_on, provenance, readme, run_commands
from fewshot_audio.runner.identity import digest_of
from fewshot_audio.types import NoRunsError, StoreError
from synthetic_records import ASKED, PARTIAL, accuracies, differences, frame, line, store


@pytest.mark.parametrize("lost", range(10))
def test_a_missing_run_is_an_error_or_leaves_its_pair_out(lost):
    lines = store()
    gone = lines.pop(lost)["identity"]
    name = f"dataset=us8k fold={gone['fold']} model=sb_cnn frontend={gone['frontend']['name']} n_per_class={gone['n_per_class']}"
    for make in (accuracies, differences):
        with pytest.raises(
            StoreError,
            match=f"1 runs are missing:\n  {name} repeat={gone['repeat']} key={digest_of(gone)}\n",
        ):
            make(lines)
    assert differences(lines, PARTIAL).cells["count"].sum() == 4
    assert accuracies(lines, PARTIAL).cells["count"].sum() == 9


def test_a_missing_run_comes_with_the_command_that_does_it():
    lines = [
        {**each, "command": "python scripts/run.py +study=s fold=1 'model=sb_cnn' repeats=1 seed=3"}
        for each in store()
    ]
    without = [
        each
        for each in lines
        if (each["identity"]["fold"], each["identity"]["frontend"]["name"]) != (2, "log_learn")
    ]
    with pytest.raises(StoreError) as caught:
        differences(without)
    assert str(caught.value).splitlines()[3:] == [
        "do them with",
        "  python scripts/run.py +study=s seed=3 fold=2 model=sb_cnn frontend=log_learn 'n_per_class=[1]' repeats=2",
        "or print what is there: partial=true",
    ]
    with pytest.raises(
        StoreError,
        match=r"run.py dataset=us8k dataset.root=... fold=2 model=sb_cnn frontend=log_learn",
    ):
        differences([{**each, "command": None} for each in without])


def test_the_command_of_another_frontend_is_taken_without_its_settings():
    lines = [
        {
            **each,
            "command": f"python scripts/run.py frontend={each['identity']['frontend']['name']} frontend.base=2 model.width=3",
        }
        for each in store()
        if each["identity"]["frontend"]["name"] == "log_eps" or each["identity"]["fold"] == 2
    ]
    lines += [{**line(1, 1, 1, "log_fixed", 0.5), "command": None}]
    with pytest.raises(StoreError) as caught:
        differences(lines, pairs=[("log_fixed", "log_eps")])
    assert (
        "\n  python scripts/run.py -m model.width=3 fold=1,2 model=sb_cnn frontend=log_fixed 'n_per_class=[1,10]'"
        in str(caught.value)
    )


def test_partners_on_other_clips_are_refused():
    lines = [
        *store()[2:],
        line(1, 1, 1, "log_eps", 0.25),
        line(1, 1, 1, "log_learn", 0.5, draw="other"),
    ]
    with pytest.raises(
        StoreError, match="partners saw different clips:\n  dataset=us8k fold=1 model=sb_cnn"
    ):
        differences(lines)


def test_the_same_run_twice_counts_once_and_two_results_are_an_error():
    lines = store()
    assert len(frame([*lines, *lines])) == 10
    one, other = (
        {**lines[3], "where": "a/runs/x.jsonl:4"},
        {**lines[3], "accuracy": 0.1, "where": "b/runs/x.jsonl:1"},
    )
    complaint = r"run log_learn112 has two results: .*'accuracy': 0.5.* in a/runs/x.jsonl:4 and .*'accuracy': 0.1.* in b/runs/x.jsonl:1"
    with pytest.raises(StoreError, match=complaint):
        frame([*lines[:3], one, *lines[4:], other])
    with pytest.raises(
        StoreError, match="has two results"
    ):  # which agree in all but the accuracy with stored statistics
        frame([*lines, {**lines[3], "stored_batch_norm": {"accuracy": 0.1}}])


def test_one_name_for_two_settings_is_an_error():
    other = line(3, 1, 1, "log_eps", 0.5)
    other["identity"]["frontend"]["base"] = "e"
    with pytest.raises(
        StoreError,
        match=r"us8k, sb_cnn, log_eps stands for different settings: frontend.base 10 and e;",
    ):
        frame([*store(), other])


def test_a_frontend_that_reads_waveforms_has_a_bank_of_its_own_and_others_share_theirs():
    lines = store()
    for each in lines:
        each["identity"]["bank"] = "mel"
    leaf = line(1, 1, 1, "leaf", 0.5)
    leaf["identity"] |= {"bank": "waveforms", "frontend": {"name": "leaf", "sample_rate": 44100}}
    assert set(frame([*lines, leaf])["frontend_input"]) == {"mel", "waveform"}
    for each in lines[::2]:
        each["identity"]["bank"] = "another"
    with pytest.raises(StoreError, match="not trained alike for every frontend: bank"):
        frame([*lines, leaf])


def test_arms_that_were_trained_differently_are_refused():
    lines = store()
    for each in lines:
        each["identity"]["seed"] = int(each["identity"]["frontend"]["name"] == "log_learn")
    with pytest.raises(
        StoreError,
        match="us8k, sb_cnn was not trained alike for every frontend: seed 0 and 1; give each",
    ):
        frame(lines)


def test_failed_runs_do_not_count_are_told_and_an_empty_store_says_so():
    failed = {
        "key": "x",
        "status": "failed",
        "identity": store()[0]["identity"],
        "error": "out of memory",
    }
    again = {**failed, "key": store()[0]["key"]}  # failed once, finished later
    here = found([failed, failed, again, *store()])
    assert len(here.runs) == 10
    assert here.failures == {"out of memory": 1}
    assert ("Failed runs", "out of memory (1 runs)") in provenance(here)
    for make in (accuracies, differences):
        with pytest.raises(
            NoRunsError,
            match=r"the store has no finished runs (for it|of log_eps, log_learn); scripts/run.py",
        ):
            make([failed])


def test_old_lines_without_new_fields_and_lines_with_unknown_ones_do():
    bare = [
        {name: each[name] for name in ("key", "status", "identity", "accuracy", "draw")}
        for each in store()
    ]
    assert differences(bare).cells["mean"].tolist() == [0.125, -0.25]
    assert (
        accuracies([{**each, "new": {"field": [1]}} for each in store()]).cells["count"].sum() == 10
    )
    with pytest.raises(NoRunsError, match="table cost"):
        cost(frame(bare), "cost", "Cost", ASKED)
    assert provenance(found(bare)) == [
        ("Finished runs", "10"),
        ("Data", "us8k"),
        ("Commits", "None (10 runs)"),
    ]


def test_notes_tell_of_parts_changes_and_clips_without_a_score():
    lines = store()
    lines[0] |= {
        "notes": ["only fold 1"],
        "unscored_clips": 3,
        "dirty": True,
        "command": "python scripts/run.py fold=1",
    }
    here = found(lines)
    assert notes_on(here.runs) == [
        "only fold 1",
        "3 clips in 1 runs had no finite score and count as wrong",
    ]
    assert ("Commits", "c0ffee (9 runs); c0ffee with changes (1 runs)") in provenance(here)
    assert run_commands(here.runs) == [("Do 1 of the runs", "python scripts/run.py fold=1")]
    assert "- Commits: c0ffee (9 runs); c0ffee with changes (1 runs)\n- only fold 1\n" in readme(
        [], here, ["only fold 1"], "command"
    )
