"""What jobs and sweeps would do, without doing it."""

import re
from dataclasses import replace

import pytest

from disturbing import disturbing
from fewshot_audio import config
from fewshot_audio.components import TARGET
from fewshot_audio.runner import execute, status
from fewshot_audio.runner.plan import Planner, classes_of
from fewshot_audio.types import ConfigError


def test_a_plan_trains_nothing_and_learns_from_finished_runs(job, machine):
    text = status.plans([job], machine)
    assert text == (
        "synthetic fold 1 timbre log_eps: 2 runs, 0 finished, 2 missing "
        "(0 of them failed before), 2 runs of unknown length"
    )
    assert not machine.results.exists()
    execute.run(job, machine)
    later = replace(job, repeats={1: 50, 2: 1})
    expected = "(0 of them failed before), about 0 min and 1 run of unknown length"
    assert expected in status.plans([later], machine)


def test_a_plan_says_which_classes_there_are_once(job, machine, caplog):
    caplog.set_level("INFO")
    dataset = Planner().dataset(job.dataset)
    status.plans([job, replace(job, fold=2)], machine)
    (line,) = (text for text in caplog.messages if "classes:" in text)
    sizes = [sum(clip.label == label for clip in dataset.clips) for label in (0, 1)]
    assert line.startswith(f"synthetic: {len(dataset.classes)} classes: ")
    assert f": {dataset.classes[0]} {sizes[0]}, {dataset.classes[1]} {sizes[1]}" in line
    many = replace(dataset, classes=tuple(f"c{i}" for i in range(30)))
    assert classes_of(many).endswith("c8 0, c9 0 and 20 more")


def test_a_plan_counts_failed_runs_as_work_unless_they_are_left(job, machine, tmp_path):
    flag, leaving = tmp_path / "flag", replace(machine, retry_failed=False)
    flag.touch()
    wanted = disturbing(replace(job, repeats={1: 3}), flag, "memory")
    assert len(execute.run(wanted, machine).failed) == 1
    assert "3 runs, 2 finished, 1 missing (1 of them failed before), about 0 min" in status.plans(
        [wanted], machine
    )
    assert (
        "3 runs, 2 finished, 1 missing (1 of them failed before, and are left), about 0 min"
        in status.plans([wanted], leaving)
    )
    assert (execute.run(wanted, leaving).trained, execute.run(wanted, machine).trained) == (0, 1)


def test_the_plan_of_a_sweep_has_a_line_per_job_and_their_sum(job, machine):
    one, other = status.plans([replace(job, fold=fold) for fold in (1, 2)], machine).splitlines()[
        :2
    ]
    assert (one[:16], other[:16]) == ("synthetic fold 1", "synthetic fold 2")
    sweep = [replace(job, fold=fold, repeats={1: 3, 2: 2}) for fold in (1, 2, 3)]
    assert "3 jobs: 15 runs, 0 finished, 15 missing" in status.plans(sweep, machine)
    planner = Planner()
    shared = [planner.specs(each, machine) for each in sweep]
    assert shared == [Planner().specs(each, machine) for each in sweep]


def test_lines_of_a_sweep_over_settings_say_which(job, machine):
    adam = config.optimizer_settings({"name": "adam", TARGET: "torch.optim.Adam", "lr": 0.1})
    slow = config.optimizer_settings({"name": "adam", TARGET: "torch.optim.Adam", "lr": 0.01})
    loud = replace(job, features=replace(job.features, arguments={"level": "loudness"}))
    jobs = [
        job,
        loud,
        *(replace(job, optimizer=each) for each in (adam, slow)),
        replace(job, fold=2),
    ]
    lines = status.plans(jobs, machine).splitlines()
    names = [line.partition(":")[0].removeprefix("synthetic fold ") for line in lines[:-1]]
    assert names == [
        "1 timbre log_eps optimizer=sgd optimizer.lr=0.1",
        "1 timbre log_eps optimizer=sgd optimizer.lr=0.1 level=loudness",
        "1 timbre log_eps optimizer=adam optimizer.lr=0.1",
        "1 timbre log_eps optimizer=adam optimizer.lr=0.01",
        "2 timbre log_eps",
    ]


def test_jobs_that_differ_in_their_clips_alone_have_digests(job, machine, tmp_path):
    other = {**job.dataset.arguments, "root": tmp_path / "data", "clips_per_class": 3}
    jobs = [job, replace(job, dataset=replace(job.dataset, arguments=other))]
    names = {line.partition(":")[0] for line in status.plans(jobs, machine).splitlines()[:-1]}
    assert len(names) == 2
    assert all(re.fullmatch(r"synthetic fold 1 timbre log_eps split=\w+", name) for name in names)


def test_missing_folds_are_skipped_where_that_is_set(job, machine):
    sweep = [replace(job, fold=fold) for fold in range(1, 6)]  # of three
    with pytest.raises(ConfigError, match="fold=4: synthetic has the folds 1, 2, 3"):
        status.plans(sweep, machine)
    passing = replace(machine, missing_folds="skip")
    *plans, together = status.plans(sweep, passing).splitlines()
    assert [text.split(" timbre")[0] for text in plans] == [
        f"synthetic fold {fold}" for fold in (1, 2, 3)
    ]
    assert "3 jobs: 6 runs" in together
    assert execute.run(sweep[3], passing) == execute.JobResult()
    assert "6 runs finished" in status.status(sweep, passing)
