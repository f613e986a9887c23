"""Benchmarks measure what they say, on the smallest cases; how long anything takes is not
tested."""

import json
from collections import Counter
from functools import wraps
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch
from benchmarks import (
    devices,
    features,
    fit,
    frontends,
    gpu,
    intervals,
    launchers,
    leaf,
    measure,
    projection,
    report,
    score,
    stacks,
    store,
    study,
)

from defaults import SGD
from fewshot_audio.models.base import patchwise
from fewshot_audio.training.methods.prototypical import Prototypical

ROOT = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def _threads_as_before():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def check(result, module, *words):
    """A result is JSON, names its machine, and is told in lines."""
    assert json.loads(json.dumps(result))["machine"]["processor"]
    text = "\n".join(module.lines(result))
    for word in words:
        assert word in text


@pytest.mark.slow
def test_runs_by_model_n_and_stack():
    result = fit.fit(["timbre"], [1], [1, 2], 2, 1, 1, "cpu")
    assert [
        (run["n_per_class"], run["stack_size"], "overhead" in run) for run in result["runs"]
    ] == [
        (1, 1, True),
        (1, 2, False),
    ]
    for run in result["runs"]:
        spent = sum(
            value for name, value in run["seconds"].items() if name not in ("plain loop", "train")
        )
        assert run["runs_per_hour"] == pytest.approx(
            3600 / (spent + 199 / 2 * run["seconds"]["train"]), abs=0.1
        )
    check(result, fit, "timbre", "runs per hour of 199 epochs")


def test_the_plain_loop_makes_the_updates_of_a_run():
    material = measure.noise_material(3, 2, 1, 140, 128)
    wanted = measure.job("timbre", "method.max_epochs=3", "n_per_class=2", "repeats=1")
    plain = fit._plain_loop(wanted, material, 2, torch.device("cpu"))
    run = fit.prepare_run(wanted, material, 2, 1)
    from fewshot_audio.training.loop import fit as ours

    ours([run.network], [run.method], SGD, "cpu")
    for one, other in zip(run.network.parameters(), plain.parameters(), strict=True):
        assert torch.equal(one, other)


@pytest.mark.slow
def test_scoring_is_compared_with_patch_by_patch(monkeypatch):
    monkeypatch.setattr(score, "FRAMES", (140,))
    monkeypatch.setattr(score, "SOUNDS", 4)
    calls = []
    monkeypatch.setattr(
        score, "patchwise", lambda *arguments: calls.append(arguments) or patchwise(*arguments)
    )
    result = score.score(["timbre"], 1, 1, 1)
    (case,) = result["models"]["timbre"]["clips"]
    assert calls
    assert case["difference"] < 1e-5
    assert case["ratio"] == pytest.approx(case["patchwise_ms"] / case["ms"], abs=0.06)
    check(
        result,
        score,
        "timbre",
        "bfloat16",
        f"{result['models']['timbre']['bf16']['clips']} answers moved",
    )
    assert result["models"]["timbre"]["bf16"]["clips"] == 20


@pytest.mark.slow
@pytest.mark.filterwarnings(
    "ignore:.* is deprecated and slated for removal:DeprecationWarning"
)  # of what librosa imports
def test_features_are_compared_with_librosa(monkeypatch):
    pytest.importorskip("librosa")
    monkeypatch.setattr(features, "GROUPS", 2)
    monkeypatch.setattr(features, "CLIPS", 1)
    monkeypatch.setattr(features, "cores", lambda: 1)
    result = features.features(1, 1)
    assert result["files"]["all"]["files"] == 10
    assert set(result["cache_s"]) == {"1"}
    check(result, features, "10 files (all)", "librosa")


@pytest.mark.slow
def test_the_store_benchmark_has_the_runs_of_the_whole_study(monkeypatch):
    assert len(store.FOLDS) * len(store.MODELS) * len(store.FRONTENDS) * 75 == 9900
    monkeypatch.setattr(store, "FOLDS", (1,))
    monkeypatch.setattr(store, "MODELS", ("timbre",))
    result = store.store()
    assert result["lines"] == 3 * 75
    check(result, store, "225 lines")


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
    check(result, study, "us8k    vgg    leaf", "at n = 100", "together")


def test_times_lie_on_the_lines_through_those_that_were_measured():
    runs = study.between({2: 10.0, 4: 14.0, 8: 30.0}, [1, 2, 3, 6, 10])
    assert runs == {1: 10.0, 2: 10.0, 3: 12.0, 6: 22.0, 10: 38.0}
    assert study.between({5: 7.0}, [1, 100]) == {1: 7.0, 100: 7.0}


@pytest.mark.parametrize("stack", [1, 2])
def test_a_short_run_gives_the_times_of_an_epoch_and_of_a_clip(stack):
    times = study.short(measure.job("timbre"), study.Data(2, 1, 100, 1), 1, stack, "cpu")
    assert min(times.begin, times.epoch, times.test) > 0
    assert times.of(3, 10) == pytest.approx(times.begin + 3 * times.epoch + 10 * times.test)


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
    assert [row["measured"] > 0 < row["projected"] for row in result["rows"]] == [True]
    check(result, projection, "timbre log_eps", "together")


@pytest.mark.slow
def test_reports_are_timed_on_a_grid_of_their_own(monkeypatch):
    monkeypatch.setattr(report, "DATASETS", {"us8k": (2, 10)})
    monkeypatch.setattr(report, "MODELS", ("timbre",))
    result = report.report(9900)
    assert result["lines"] == 2 * 3 * 75
    check(result, report, "450 lines", "tables", "page")


def test_intervals_are_counted_in_simulations(monkeypatch):
    for name, values in {"FOLDS": (10,), "RUNS": (5,), "BETWEEN": (1.0,), "LEVELS": (0.5,)}.items():
        monkeypatch.setattr(intervals, name, values)
    result = intervals.intervals(200)
    case = result["cases"][0]
    for way in ("over_folds", "within_folds", "any_folds"):
        assert 0.9 <= case[way] <= 1
    assert case["false_sentence"] <= case["false_study"] <= 0.08
    check(result, intervals, "any_folds")


def in_this_process(action, *arguments):
    return action(*arguments)


@pytest.mark.slow
def test_layers_and_engines_are_compared(monkeypatch):
    for module in (frontends, leaf):
        monkeypatch.setattr(module, "apart", in_this_process)
    monkeypatch.setattr(frontends, "CASES", {"small": (8000, 4, 80, 1, 1)})
    result = frontends.frontends(1, 1)
    layers = result["cases"]["small"]
    assert {"LogMel", "Leaf, conv", "Leaf, exact", "Leaf, fast"} <= set(layers)
    check(result, frontends, "small", "Leaf, exact", "times as long")
    monkeypatch.setattr(leaf, "CASES", ((8000, 4, 80),))
    monkeypatch.setattr(leaf, "SECONDS", 1)
    check(leaf.leaf(1, 1, 1), leaf, "8000 Hz, 4 filters", "exact")


@pytest.mark.slow
def test_stacks_are_timed_and_their_launches_counted(monkeypatch):
    for name, value in {"SECONDS": 1, "CLASSES": 2}.items():
        monkeypatch.setattr(stacks, name, value)
    result = stacks.stacks([1, 2], 1, 1)
    alone, two = result["cases"]
    assert alone["together"]["launches"] == alone["run by run"]["launches"]
    assert two["together"]["launches"] < two["run by run"]["launches"]
    check(result, stacks, "2 runs: together", "run by run", "times as fast")


@pytest.mark.parametrize("count", [1, 2, 3])
def test_longest_first_is_within_four_thirds_of_the_best(count):
    random = np.random.default_rng(count)
    tasks = random.integers(1, 20, 7).tolist()
    best = min(
        max(sum(t for t, on in zip(tasks, places, strict=True) if on == d) for d in range(count))
        for places in product(range(count), repeat=len(tasks))
    )
    span = devices.makespan(devices.longest_first(tasks), count)
    assert best <= span <= 4 / 3 * best
    assert devices.makespan(tasks, 1) == sum(tasks)
    assert devices.makespan([2.0, 1.0, 3.0], 2) == 4.0  # the second device takes the third task


@pytest.mark.slow
def test_the_study_on_devices_takes_the_projected_hours(tmp_path):
    file = ROOT / "results/bench/gpu_study.json"
    result = devices.devices(file, [1, 64])
    check(result, devices, "64 devices, stacks, longest first")
    one, *_ = result["rows"]
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
    monkeypatch.setattr(study, "paper_schedule", lambda: schedule)
    result = gpu.gpu(["timbre"], [2], 1, 1, "cpu")
    assert all(check["difference"] < 1e-6 for check in result["checks"])
    taken = {cell["n"]: cell["seconds"] for cell in result["cells"]}
    hours = 3 * (3 * taken[1] + 2 * taken[2]) / 3600
    assert result["hours"] == {"us8k timbre log_eps": pytest.approx(hours)}
    assert result["left"] == []
    check(json.loads(json.dumps(result)), gpu, "timbre log_eps n 2, 2 together", "1 parts")
    monkeypatch.setattr(gpu, "CHECKED", ())
    monkeypatch.setattr(gpu, "LAUNCHES", ())
    assert len(gpu.gpu(["timbre"], [2], 0, 1, "cpu")["left"]) == 2


@pytest.mark.slow
def test_what_a_launcher_costs_is_told_by_sweep_and_by_job(monkeypatch):
    monkeypatch.setattr(
        launchers, "LAUNCHERS", {"none": [], "joblib": launchers.LAUNCHERS["joblib"]}
    )
    monkeypatch.setattr(launchers, "JOBS", (1, 2))
    result = launchers.launchers(1)
    for found in result["launchers"].values():
        ((one, two),) = found["sweeps_s"]
        assert found["start_s"] + found["job_s"] == pytest.approx(one)
        assert found["start_s"] + 2 * found["job_s"] == pytest.approx(two)
    check(result, launchers, "joblib", "s for each job")
