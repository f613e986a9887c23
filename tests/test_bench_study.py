"""The hours of a study are projected from short runs, checked by whole ones, and simulated on
several devices."""

import json
import time
from collections import Counter
from functools import wraps
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from benchmarks import devices, gpu, measure, projection, study

from bench_checks import check
from fewshot_audio.training.methods.prototypical import Prototypical

ROOT = Path(__file__).parents[1]


@pytest.mark.slow
def test_the_projection_of_the_study_is_the_sum_of_its_runs(monkeypatch):
    """With a made-up clock, slower by a tenth in the second round: 5 s to begin, 2 s per epoch and
    clip, 1 s per epoch and 4 s more with LEAF, 3 s per clip to score."""
    calls = []

    def short(wanted, data, n_per_class, stack, accelerator):
        calls.append(n_per_class)
        slow = 1 + 0.1 * (len(calls) > 2 * 3 * 3)
        epoch = 1.0 + 4.0 * (wanted.frontend.name == "leaf") + 2.0 * n_per_class * data.classes
        return study.Times(5.0 * slow, epoch * slow, 3.0 * slow)

    monkeypatch.setattr(study, "short", short)
    monkeypatch.setattr(study, "DATA", {"us8k": study.Data(10, 4, 100, 2)})
    result = study.study(["vgg", "proto"], [1, 20, 50], [1], 2, 1, "cpu")
    clips = 10 * (20 * 1 + 20 * 2 + 10 * 5 + 10 * 10 + 5 * 20 + 5 * 50 + 5 * 100)
    hours = sum(
        2 * (75 * (5.0 + epochs * epoch + 100 * 3.0) + epochs * 2.0 * clips) / 3600
        for epochs in (199, 202)
        for epoch in (1.0, 1.0, 5.0)
    )
    half = 12.7062 * 0.05 * hours  # Student's t of one degree of freedom, 95 %
    found = [result[name] for name in ("hours", "low", "high")]
    assert found == pytest.approx(
        [1.05 * hours, 1.05 * hours - half, 1.05 * hours + half], rel=1e-5
    )
    check(result, "study")
    kinds = [(part["dataset"], part["model"], part["frontend"]) for part in result["parts"]]
    assert kinds == list(product(["us8k"], ["vgg", "proto"], ["log_eps", "log_learn", "leaf"]))
    assert result["parts"][2]["seconds"][100] > result["parts"][0]["seconds"][100]


def test_times_lie_on_the_lines_through_those_that_were_measured():
    runs = study.between({2: 10.0, 4: 14.0, 8: 30.0}, [1, 2, 3, 6, 10])
    assert runs == {1: 10.0, 2: 10.0, 3: 12.0, 6: 22.0, 10: 38.0}
    assert study.between({5: 7.0}, [1, 100]) == {1: 7.0, 100: 7.0}


@pytest.mark.parametrize("stack", [1, 2])
def test_a_short_run_gives_the_times_of_an_epoch_and_of_a_clip(stack, monkeypatch):
    monkeypatch.setattr(time, "perf_counter", time.process_time)  # what others do is no part of it
    times = study.short(measure.job("timbre"), study.Data(2, 1, 100, 1), 1, stack, "cpu")
    assert min(times.begin, times.epoch, times.test) > 0
    assert times.of(3, 10) == pytest.approx(times.begin + 3 * times.epoch + 10 * times.test)


def test_times_by_a_clock_without_noise(monkeypatch):
    """With a made-up clock: 3 s to begin, 0.5 per epoch and 0.2 more in every fifth, and to score
    1 s and 0.3 per clip."""

    def trained(job, material, *_):
        epochs, clips = job.method.arguments["max_epochs"], len(material.dataset.fold(1).test)
        train = 3.0 + 0.5 * epochs + 0.2 * (epochs // 5)
        return [{"device": "cpu", "seconds": {"train": train, "filter": 1.0, "score": 0.3 * clips}}]

    monkeypatch.setattr(study, "train_and_score", trained)
    data = study.Data(2, 1, 100, 1)
    times = study.short(measure.job("timbre"), data, 1, 1, "cpu", limit=100.0)
    assert times.epoch == pytest.approx(0.5 + 0.2 / 5)
    assert times.test == pytest.approx(0.3)
    whole = 3.0 + 50 * 0.5 + 10 * 0.2 + 1.0 + 10 * 0.3
    assert times.of(50, 10) == pytest.approx(whole, abs=0.2 / 5 + 1e-9)  # the first epoch's share


def test_short_prototypical_runs_score_their_training_clips(monkeypatch):
    done = Counter()
    for name in ("stop_reason", "scorer"):
        monkeypatch.setattr(Prototypical, name, counted(done, getattr(Prototypical, name)))
    wanted = measure.job("timbre", "method=prototypical")
    study.short(wanted, study.Data(2, 1, 100, 1), 1, 1, "cpu", limit=0.0)
    assert done == {"stop_reason": 4, "scorer": 3 + 3}  # of three runs: all are right at once


def counted(done, function):
    """Return a function that does the same, and counts its calls."""

    @wraps(function)
    def counting(*arguments):
        done[function.__name__] += 1
        return function(*arguments)

    return counting


def test_a_small_study_is_projected_and_done(monkeypatch):
    for name, value in {"MODELS": ("timbre",), "FRONTENDS": ("log_eps",), "EPOCHS": 2}.items():
        monkeypatch.setattr(projection, name, value)
    monkeypatch.setattr(projection, "SCHEDULE", {1: 2})
    result = projection.projection(1, 1, "cpu")
    check(result, "projection")
    (row,) = result["rows"]
    assert (row["model"], row["frontend"]) == ("timbre", "log_eps")
    assert row["ratio"] == row["projected"] / row["measured"] > 0
    assert result["together"]["ratio"] == row["ratio"]


@pytest.mark.parametrize("count", [1, 2, 3])
def test_longest_first_is_within_four_thirds_of_the_best(count):
    random = np.random.default_rng(count)
    tasks = random.integers(1, 20, 7).tolist()
    best = min(
        max(sum(t for t, on in zip(tasks, places, strict=True) if on == d) for d in range(count))
        for places in product(range(count), repeat=len(tasks))
    )
    span = devices.makespan(sorted(tasks, reverse=True), count)
    assert best <= span <= 4 / 3 * best
    assert devices.makespan(tasks, 1) == sum(tasks)
    assert devices.makespan([2.0, 1.0, 3.0], 2) == 4.0  # the second device takes the third task


@pytest.mark.slow
def test_the_study_on_devices_takes_the_projected_hours(tmp_path):
    file = ROOT / "results/bench/gpu_study.json"
    result = devices.devices(file, [1, 64])
    check(result, "devices")
    one, *_, last = result["rows"]
    assert (last["devices"], last["order"]) == (64, "stacks, longest first")
    assert one["hours"] == pytest.approx(json.loads(file.read_text())["hours"], abs=0.05)
    assert all(row["bound"] <= (1 + 1e-9) * row["hours"] for row in result["rows"])
    assert all(row["idle"] < 1e-9 for row in result["rows"] if row["devices"] == 1)


@pytest.mark.slow
def test_the_script_for_gpus_measures_what_there_is_time_for(monkeypatch):
    monkeypatch.setattr(gpu, "NS", (1, 2))
    monkeypatch.setattr(gpu, "LAUNCHES", (1,))
    monkeypatch.setattr(gpu, "CHECKED", ("timbre",))
    monkeypatch.setattr(gpu, "LIMIT", 0.01)
    monkeypatch.setattr(study, "DATA", {"us8k": study.Data(2, 1, 10, 3)})
    monkeypatch.setattr(study, "FRONTENDS", ("log_eps",))
    schedule = {1: 3, 2: 2}
    monkeypatch.setattr(study, "few_shot_schedule", lambda: schedule)
    result = gpu.gpu(["timbre"], [2], 1, 1, "cpu")
    assert all(check["difference"] < 1e-6 for check in result["checks"])
    taken = {cell["n"]: cell["seconds"] for cell in result["cells"]}
    hours = 3 * (3 * taken[1] + 2 * taken[2]) / 3600
    assert result["hours"] == {"us8k timbre log_eps": pytest.approx(hours)}
    assert result["left"] == []
    check(result, "gpu")
    assert [(cell["frontend"], cell["stack"]) for cell in result["cells"]] == [("log_eps", 2)] * 2
    monkeypatch.setattr(gpu, "CHECKED", ())
    monkeypatch.setattr(gpu, "LAUNCHES", ())
    assert len(gpu.gpu(["timbre"], [2], 0, 1, "cpu")["left"]) == 2
