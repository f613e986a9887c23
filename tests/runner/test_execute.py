"""A job from its configuration to its lines."""

import logging
from collections import Counter
from dataclasses import replace

import pytest
from benchmarks.memory import write_tut_asc_names

from execute_cases import changed, steep, with_frontend
from fewshot_audio import compose, config
from fewshot_audio.datasets.splits import draw_split, split_digest
from fewshot_audio.datasets.tut2017 import verify as verify_tut_asc
from fewshot_audio.record_fields import FAILED
from fewshot_audio.runner import execute
from fewshot_audio.runner.identity import run_specs
from fewshot_audio.runner.plan import Planner, export_splits, prepare
from fewshot_audio.runner.store import Store
from fewshot_audio.training import run as running
from fewshot_audio.types import ConfigError, DataError, StoreError
from stored import lines


def test_a_job_stores_every_run_and_a_second_call_trains_nothing(job, machine, monkeypatch):
    outcome = execute.run(job, machine)
    assert (outcome.trained, outcome.failed) == (2, ())
    first = lines(machine)
    for line in first:
        assert line["test_clips"] == 10
        assert sum(map(sum, line["confusion_matrix"])) == 10
        correct = sum(line["confusion_matrix"][i][i] for i in range(5))
        assert line["metrics"]["accuracy"] == correct / 10
        assert set(line["seconds"]) == {"prepare", "train", "filter", "score", "measure"}
        assert line["threads"] == 1
        assert line["versions"]["torch"].startswith("2.")
    monkeypatch.setattr(running, "fit", None)
    again = execute.run(job, machine)
    assert again.trained == 0
    assert lines(machine) == first


def test_more_repeats_add_runs_and_change_none(job, machine):
    execute.run(replace(job, repeats={1: 1}), machine)
    before = lines(machine)
    outcome = execute.run(replace(job, repeats={1: 3, 2: 1}), machine)
    assert outcome.trained == 3
    after = lines(machine)
    assert after[0] == before[0]
    assert [(x["identity"]["n_per_class"], x["identity"]["repeat"]) for x in after] == [
        (1, 1),
        (1, 2),
        (1, 3),
        (2, 1),
    ]


def test_the_same_job_elsewhere_gives_the_same_numbers(job, machine, tmp_path):
    other = replace(machine, results=tmp_path / "other", cache=tmp_path / "cache")
    execute.run(job, machine)
    execute.run(job, other)
    same = ("key", "metrics", "confusion_matrix", "few_shot_split", "identity")
    assert [[x[k] for k in same] for x in lines(machine)] == [
        [x[k] for k in same] for x in lines(other)
    ]


def test_failed_runs_can_be_left_alone(job, machine, monkeypatch):
    def failing(*_):
        raise RuntimeError("made to fail")

    with monkeypatch.context() as patched:
        patched.setattr(running, "fit", failing)
        execute.run(replace(job, repeats={1: 1}), machine)
    leaving = replace(machine, retry_failed=False)
    outcome = execute.run(job, leaving)
    assert (outcome.trained, len(outcome.left)) == (1, 1)
    again = execute.run(job, machine)
    assert (again.trained, again.left) == (1, ())
    assert len(lines(machine)) == 3  # the failed one, and each finished once
    assert execute.run(job, leaving).left == ()  # it has been finished since


def test_a_failed_run_is_recorded_and_retried_next_time(job, machine, monkeypatch, caplog):
    """The other runs go on; the next call retries it."""
    real, calls = running.fit, []

    def failing(*arguments):
        calls.append(1)
        if len(calls) == 1:
            raise RuntimeError("made to fail")
        return real(*arguments)

    monkeypatch.setattr(running, "fit", failing)
    outcome = execute.run(job, machine)
    assert outcome.trained == 1
    (line,) = outcome.failed
    assert (line["status"], line["error"]) == (FAILED, "RuntimeError: made to fail")
    assert line["warnings"] == []
    assert line["seconds"].keys() == {"train"}
    assert "in failing" in line["traceback"]
    assert "in failing" in caplog.text
    again = execute.run(job, machine)
    assert (again.trained, again.failed) == (1, ())
    assert Counter(x["status"] for x in lines(machine)) == {"finished": 2, "failed": 1}
    assert {x["few_shot_split"] for x in lines(machine) if x["key"] == line["key"]} == {
        line["few_shot_split"]
    }  # that of the finished one too


def test_an_impossible_job_stops_before_anything_is_built(job, machine):
    with pytest.raises(
        ConfigError,
        match="n_per_class=3 is more than synthetic, test fold 1, has to train on: chirp has 2",
    ):
        execute.run(replace(job, repeats={1: 1, 3: 1}), machine)
    with pytest.raises(ConfigError, match="method.max_epochs: found 'many'"):
        execute.run(changed(job, "method", max_epochs="many"), machine)
    with pytest.raises(ConfigError, match="fold=4: synthetic has the folds 1, 2, 3"):
        execute.run(replace(job, fold=4), machine)
    assert lines(machine) == []


def test_a_results_folder_that_is_a_file_stops_the_job(job, machine, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="give another: results="):
        execute.run(job, replace(machine, results=tmp_path / "file"))


def test_splits_can_be_exported_and_used(job, machine, tmp_path):
    path = tmp_path / "draws.csv"
    with pytest.raises(ConfigError, match=r"splits is not set; add splits=FILE.csv"):
        export_splits(job)
    assert export_splits(replace(job, splits=path)) == 2 * 3  # of every fold
    execute.run(job, machine)
    execute.run(replace(job, splits=path), machine)
    seeded, read = lines(machine)[:2], lines(machine)[2:]
    assert {x["few_shot_split"] for x in seeded} == {x["few_shot_split"] for x in read}
    assert sorted(x["metrics"]["accuracy"] for x in seeded) == sorted(
        x["metrics"]["accuracy"] for x in read
    )
    assert not {x["key"] for x in seeded} & {
        x["key"] for x in read
    }  # a file of draws is part of the identity


def test_a_job_waits_then_trains_only_what_is_missing(job, machine, caplog, monkeypatch):
    """The other process is played by a lock that is let go of as soon as the job waits."""
    caplog.set_level(logging.INFO)
    store = Store(machine.results)
    store.prepare()
    dataset, _ = Planner().data(job)
    key = prepare(job, machine).key
    (spec, *_) = run_specs(job, dataset.fold(1), key, None)
    lock = store.lock(store.file_of(spec))
    lock.acquire()
    line = {
        "schema": 1,
        "status": "finished",
        "identity": spec.identity,
        "metrics": {"accuracy": 0.5},
        "seconds": {},
    }
    real = logging.Logger.info

    def let_go(self, text, *arguments, **options):
        if text.startswith("waiting"):
            store.append(store.file_of(spec), [{**line, "key": spec.key}])
            lock.release()
        real(self, text, *arguments, **options)

    monkeypatch.setattr(logging.Logger, "info", let_go)
    outcome = execute.run(job, machine)
    assert outcome.trained == 1
    assert Counter(line["key"] for line in lines(machine))[spec.key] == 1
    assert "waiting for another process that works on" in caplog.text
    assert (
        split_digest(draw_split(dataset, dataset.fold(1), 1, 2, 0, job.sampling))
        == lines(machine)[1]["few_shot_split"]
    )


def test_a_run_that_diverges_is_a_result_and_the_next_goes_on(job, machine, caplog):
    learn = with_frontend(job, "log_learn").frontend
    outcome = execute.run(replace(job, frontend=learn, optimizer=steep(5)), machine)
    assert outcome.trained == 2
    for line in lines(machine):
        assert (line["metrics"]["accuracy"], line["unscored_clips"]) == (0, 10)
        assert set(line["learned"].values()) == {None}
    assert "repeat 2: no finite score for 10 clips" in caplog.text


@pytest.mark.slow
def test_tut_asc_runs_from_verification_to_a_result(machine, tmp_path):
    """All 6,300 official names with short noises for sounds."""
    write_tut_asc_names(tmp_path / "data", 0.05)
    report = verify_tut_asc(tmp_path / "data", False, 2)
    assert (report.ok, report.expected, report.missing, report.extra) == (True, 6300, (), ())
    settings = [
        "dataset=tut_asc",
        f"dataset.root={tmp_path / 'data'}",
        "model=timbre",
        "method.max_epochs=2",
        "method.test_hop=16",
    ]
    machine = replace(machine, results=tmp_path / "results", cache=tmp_path / "cache", workers=2)
    outcome = execute.run(
        config.job(compose.composed([*settings, "n_per_class=5", "repeats=1"])), machine
    )
    assert outcome.failed == ()
    (line,) = lines(machine)
    assert (line["test_clips"], line["parameters"]) == (1620, 11_357)
    assert line["clips_per_class"] == [5] * 15
    assert [sum(row) for row in line["confusion_matrix"]] == [108] * 15
    assert all(1 <= count <= 5 for count in line["groups_per_class"])
    drawn = Planner().data(config.job(compose.composed(settings)))[1].split(5, 1)
    assert {clip.path.split("/")[0] for clip in drawn.train} == {
        "TUT-acoustic-scenes-2017-development"
    }
    assert {clip.path.split("/")[0] for clip in drawn.test} == {
        "TUT-acoustic-scenes-2017-evaluation"
    }


def test_bad_audio_stops_the_job_before_training(job, machine, tmp_path):
    other = changed(job, "dataset", root=str(tmp_path / "data"))
    dataset, _ = Planner().data(other)
    (dataset.root / dataset.clips[0].path).write_bytes(b"")
    with pytest.raises(DataError, match=f"1 bad file;.*\n.*{dataset.clips[0].path}: is empty"):
        execute.run(other, machine)
    assert lines(machine) == []
