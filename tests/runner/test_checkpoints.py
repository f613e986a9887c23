"""Checkpoints that runs write: when, whole or not at all, and what predictions they give."""

import json
import multiprocessing
import os
import shutil
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import kept
from execute_cases import SMALL, VGG, changed, with_frontend
from fewshot_audio import compose, config
from fewshot_audio.report.checkpoints import answered_clips, embeddings
from fewshot_audio.runner import attempt, checkpoints, execute, status
from fewshot_audio.runner.inputs import Given
from fewshot_audio.runner.plan import Planner
from fewshot_audio.runner.predict import Windows, predictions
from fewshot_audio.training.loading import load
from fewshot_audio.types import StoreError
from marks import slow_but
from stored import lines


def prototypical(job):
    """A small prototypical network with a frontend of its own for supports."""
    other = config.job(compose.composed(["dataset=synthetic", "model=proto_original"]))
    method = replace(other.method, arguments={**other.method.arguments, "max_epochs": 2})
    model = replace(other.model, arguments={**other.model.arguments, "width": 4})
    return replace(with_frontend(job, "log_learn"), model=model, method=method)


def small_vgg(job):
    model = replace(job.model, name="vgg", target=VGG, arguments=SMALL)
    return changed(replace(job, model=model), "method", reestimate_batch_norm=True)


JOBS = {
    "supervised": small_vgg,
    "prototypical": prototypical,
    "whole clips": lambda job: with_frontend(job, "mel_pcen"),
}


@pytest.fixture
def root(dataset):
    return dataset.root


@pytest.mark.parametrize("name", slow_but("supervised", "whole clips", of=JOBS))
def test_predictions_for_the_test_clips_are_those_of_the_run(job, machine, root, name):
    checkpoint = kept.kept(JOBS[name](job), machine)
    (record,) = lines(machine)
    found = list(predictions(load(checkpoint), kept.clips(checkpoint, root), None, pytest.fail))
    numbers = np.array([each.probabilities for each in found])
    assert np.array_equal(numbers, kept.probabilities(checkpoint))
    rows, names = kept.test_rows(checkpoint), record["class_names"]
    assert [names[each.answer] for each in found] == [row["prediction"] for row in rows]
    right = [names[each.answer] == row["label"] for each, row in zip(found, rows, strict=True)]
    assert np.mean(right) == pytest.approx(record["metrics"]["accuracy"], abs=1e-7)
    assert [row["correct"] for row in rows] == [str(each).lower() for each in right]
    assert len(rows) == record["test_clips"]
    np.testing.assert_allclose(numbers.sum(1), 1, atol=1e-6)
    assert list(answered_clips(checkpoint)["is_wrong"]) == [not each for each in right]
    assert len(embeddings(checkpoint, len(rows))) == len(rows)


def test_parts_of_files_are_named_and_predicted_for(job, machine, dataset, tmp_path):
    files, rows = sorted((dataset.root / "audio/fold1").iterdir()), ["path,label,start,end,split"]
    for split, number in (("train", 0), ("test", 1)):
        for file in files[number::2]:
            shutil.copy(file, tmp_path / file.name)
            label = file.name.split("-")[1]
            rows += [f"{file.name},{label},{part},{split}" for part in ("0,0.2", "0.2,")]
    (tmp_path / "meta.csv").write_text("\n".join(rows))
    words = [f"dataset.root={tmp_path / 'meta.csv'}", "features=librosa_2018"]
    parts = config.job(compose.composed(["dataset=csv", *words])).dataset
    checkpoint = kept.kept(replace(small_vgg(job), dataset=parts), machine)
    assert [row["start"] for row in kept.test_rows(checkpoint)] == ["0.0", "0.2"] * 5
    assert [row["end"] for row in kept.test_rows(checkpoint)] == ["0.2", ""] * 5
    clips = kept.clips(checkpoint, tmp_path)
    found = list(predictions(load(checkpoint), clips, None, pytest.fail))
    numbers = np.array([each.probabilities for each in found])
    assert np.array_equal(numbers, kept.probabilities(checkpoint))
    assert [each.start for each in found] == [0, 0.2] * 5
    assert len(answered_clips(checkpoint)) == 10


def test_it_says_what_it_is(job, machine, dataset):
    checkpoint = kept.kept(job, machine)
    (record,) = lines(machine)
    assert checkpoint.name == f"synthetic-fold1-timbre-log_eps-n001-r1-{record['key']}"
    about = kept.about(checkpoint)
    same = ("key", "class_names", "metrics")
    assert [about[name] for name in same] == [record[name] for name in same]
    assert about["provenance"]["commit"] == record["commit"]
    assert (about["sample_rate"], about["multi_label"], about["schema"]) == (16000, False, 1)
    assert str(dataset.root) not in json.dumps(about)
    assert (checkpoint.stat().st_mode & 0o777) == 0o755


def test_records_are_the_same_with_checkpoints(job, machine, tmp_path):
    kept.kept(job, machine)
    execute.run(kept.one_run(job), replace(machine, results=tmp_path / "without"))
    (with_it,), (without,) = lines(machine), lines(replace(machine, results=tmp_path / "without"))
    same = ("key", "metrics", "confusion_matrix", "patch_statistics", "settings", "learned")
    assert [with_it[name] for name in same] == [without[name] for name in same]


@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_finished_run_trains_again_for_its_checkpoint_once(job, machine, monkeypatch, workers):
    machine = replace(machine, workers=workers)
    execute.run(job, machine)
    before = lines(machine)
    result = execute.run(job, kept.keeping(machine))
    assert (result.trained, result.failed) == (0, ())
    assert lines(machine) == before
    assert len(kept.folders(machine)) == 2
    monkeypatch.setattr(execute, "attempt", None)
    assert execute.run(job, kept.keeping(machine)).trained == 0
    kept.folders(machine)[0].joinpath("model.safetensors").unlink()
    monkeypatch.undo()
    execute.run(job, kept.keeping(machine))
    assert len(load(kept.folders(machine)[0]).class_names) == 5


def test_other_numbers_than_the_record_has_are_not_kept(job, machine):
    execute.run(kept.one_run(job), machine)
    (file,) = (machine.results / "runs").glob("*.jsonl")
    record = json.loads(file.read_text())
    record["metrics"]["accuracy"] = 0.987
    file.write_text(json.dumps(record) + "\n")
    result = execute.run(kept.one_run(job), kept.keeping(machine))
    (failed,) = result.failed
    assert "its record has {'accuracy': 0.987" in failed["error"]
    assert f"remove the line of key {record['key']}" in failed["error"]
    assert [each["metrics"]["accuracy"] for each in lines(machine)] == [0.987]
    assert kept.folders(machine) == []


def test_the_state_of_other_numbers_is_not_gone_on_from(job, machine):
    (spec, *_) = Planner().specs(kept.one_run(job), machine)
    state = checkpoints.state_file(machine, spec)
    state.parent.mkdir(parents=True)
    state.touch()
    checkpoints.check_same(machine, spec, {"metrics": {"accuracy": 0.5}}, {"accuracy": 0.5})
    assert state.exists()
    with pytest.raises(StoreError, match="trained again"):
        record = {"metrics": {"accuracy": 0.25}, "key": spec.key}
        checkpoints.check_same(machine, spec, record, {"accuracy": 0.5})
    assert not state.exists()


def contents(folder):
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def test_a_full_disk_leaves_the_old_checkpoint(job, machine, monkeypatch):
    old = kept.kept(job, machine)
    before = contents(old)
    for file in (machine.results / "runs").glob("*.jsonl"):
        file.unlink()
    write = Path.write_bytes

    def full(self, data):
        write(self, data[:100])
        if self.name == "test.csv":
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    result = execute.run(kept.one_run(job), kept.keeping(machine))
    assert [each["cause"] for each in result.failed] == ["disk full"]
    assert "its checkpoint cannot be written: No space left" in result.failed[0]["error"]
    assert str(machine.results) not in json.dumps(result.failed[0])
    assert kept.folders(machine) == [old]
    assert contents(old) == before
    monkeypatch.undo()
    assert execute.run(kept.one_run(job), kept.keeping(machine)).trained == 1
    assert kept.folders(machine) == [old]
    assert contents(old)["test.csv"] == before["test.csv"]


def _killed_on_the_way(opened, specs):
    os.fsync = lambda _: os.kill(os.getpid(), signal.SIGKILL)
    attempt.attempt(opened, specs, {})


def test_a_kill_in_the_middle_leaves_the_old_checkpoint(job, machine):
    old = kept.kept(job, machine)
    before = contents(old)
    opened = attempt.open_job(kept.one_run(job), kept.keeping(machine))
    context = multiprocessing.get_context("fork")
    process = context.Process(target=_killed_on_the_way, args=(opened, opened.specs))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    drafts = [each for each in kept.folders(machine) if each != old]
    assert len(drafts) == 1
    assert drafts[0].name.startswith(".")
    assert contents(old) == before
    load(old)
    attempt.attempt(opened, opened.specs, {})
    assert kept.folders(machine) == [old]


def test_windows_cover_a_clip():
    windows = Windows(seconds=4, hop=2)
    starts = {seconds: [start for start, _ in windows.of(seconds, 1)] for seconds in (3, 8, 9)}
    assert starts == {3: [0], 8: [0, 2, 4], 9: [0, 2, 4, 6]}
    assert list(windows.of(9, 1))[-1] == (6, 9)
    assert list(Windows(1, 1).of(2500, 1000)) == [(0, 1000), (1000, 2000), (2000, 2500)]


def test_a_window_is_scored_as_a_clip_of_its_own(job, machine, root, tmp_path):
    import soundfile

    model = load(kept.kept(with_frontend(job, "mel_pcen"), machine))
    random = np.random.default_rng(0)
    samples = (0.1 * random.standard_normal(16000)).astype(np.float32)
    soundfile.write(tmp_path / "whole.wav", samples, 16000, subtype="FLOAT")
    soundfile.write(tmp_path / "part.wav", samples[4000:12000], 16000, subtype="FLOAT")
    whole = predictions(
        model, [Given("a", tmp_path / "whole.wav")], Windows(0.5, 0.25), pytest.fail
    )
    (alone,) = predictions(model, [Given("b", tmp_path / "part.wav")], None, pytest.fail)
    found = list(whole)
    assert [(each.start, each.end) for each in found] == [(0, 0.5), (0.25, 0.75), (0.5, 1)]
    np.testing.assert_allclose(found[1].probabilities, alone.probabilities, rtol=1e-5)


def test_blocks_give_what_all_at_once_gives(job, machine, root, monkeypatch):
    checkpoint = kept.kept(job, machine)
    monkeypatch.setattr("fewshot_audio.runner.predict.AT_ONCE", 10_000)
    found = predictions(load(checkpoint), kept.clips(checkpoint, root), None, pytest.fail)
    numbers = np.array([each.probabilities for each in found])
    np.testing.assert_allclose(numbers, kept.probabilities(checkpoint), rtol=1e-5)


def test_a_dry_run_counts_what_is_missing(job, machine):
    execute.run(job, machine)
    asked = kept.keeping(machine)
    assert status.plans([job], asked).endswith("; 2 finished runs to train again for a checkpoint")
    assert "checkpoint" not in status.plans([job], machine)
    kept.kept(job, machine)
    assert status.plans([job], asked).endswith("; 1 finished run to train again for a checkpoint")
