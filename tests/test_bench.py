"""Benchmarks measure what they say, on the smallest cases; how long anything takes is not
tested."""

import msgspec
import numpy as np
import pytest
import torch
from benchmarks import (
    features,
    fit,
    frontends,
    intervals,
    launchers,
    leaf,
    measure,
    records,
    report,
    score,
    stacks,
    store,
)

from bench_checks import check
from defaults import SGD
from fewshot_audio.frontends import Leaf, LogLearn, LogMel
from fewshot_audio.models.base import patchwise
from fewshot_audio.record_fields import TYPES


@pytest.mark.slow
def test_runs_by_model_n_and_stack():
    result = fit.fit(["timbre"], [1], [1, 2], 2, 1, 1, "cpu")
    assert [
        (run["n_per_class"], run["stack_size"], "overhead" in run) for run in result["runs"]
    ] == [(1, 1, True), (1, 2, False)]
    for run in result["runs"]:
        spent = sum(
            value for name, value in run["seconds"].items() if name not in ("plain loop", "train")
        )
        assert run["runs_per_hour"] == pytest.approx(
            3600 / (spent + 199 / 2 * run["seconds"]["train"]), abs=0.1
        )
    check(result, "fit")


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
    check(result, "score")
    brief = result["models"]["timbre"]["bf16"]
    assert brief["clips"] == 20
    assert 0 <= brief["moved"] <= 20
    assert brief["time"] > 0


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
    assert set(result["cache_s"]["1"]) == {"librosa_2018", "torchaudio", "librosa"}
    check(result, "features")


@pytest.mark.slow
def test_the_store_benchmark_has_the_runs_of_the_whole_study(monkeypatch):
    assert len(store.FOLDS) * len(store.MODELS) * len(store.FRONTENDS) * 75 == 9900
    monkeypatch.setattr(store, "FOLDS", (1,))
    monkeypatch.setattr(store, "MODELS", ("timbre",))
    result = store.store()
    assert result["lines"] == 3 * 75
    check(result, "store")


@pytest.mark.slow
def test_reports_are_timed_on_a_grid_of_their_own(monkeypatch):
    monkeypatch.setattr(report, "DATASETS", {"us8k": (2, 10)})
    monkeypatch.setattr(report, "MODELS", ("timbre",))
    result = report.report(9900)
    assert result["lines"] == 2 * 3 * 75
    check(result, "report")


def test_made_up_records_have_the_fields_of_real_ones():
    random = np.random.default_rng(0)
    layers = {"log_eps": LogMel(), "log_learn": LogLearn(), "leaf": Leaf(48000, 128, window_ms=60)}
    for name in records.FRONTENDS:
        made, layer = records.fields(name, 10, random), layers[name]
        msgspec.convert(made, msgspec.defstruct("Record", [(each, TYPES[each]) for each in made]))
        scalars = layer.learned_scalars()
        assert list(made["history"]) == (["epoch", *scalars] if scalars else [])
        given, real = made.get("frontend_diagnostics", {}), layer.report()
        assert set(given) <= set(real)
        for part, sides in real.get("filters", {}).items():
            assert {side: len(values) for side, values in given["filters"][part].items()} == {
                side: len(values) for side, values in sides.items()
            }


def test_intervals_are_counted_in_simulations(monkeypatch):
    for name, values in {"FOLDS": (10,), "RUNS": (5,), "BETWEEN": (1.0,), "LEVELS": (0.5,)}.items():
        monkeypatch.setattr(intervals, name, values)
    result = intervals.intervals(200)
    case = result["cases"][0]
    for way in ("over_folds", "within_folds", "any_folds"):
        assert 0.9 <= case[way] <= 1
    assert case["false_sentence"] <= case["false_study"] <= 0.08
    check(result, "intervals")


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
    ports = [name for name in layers if name.startswith("port ")] or ["Leaf, conv"]
    for each in layers.values():
        for what in ("forward", "both"):
            fastest = min(layers[port][f"{what}_ms"] for port in ports)
            assert each[f"{what}_ratio"] == pytest.approx(fastest / each[f"{what}_ms"], abs=0.006)
    check(result, "frontends")
    monkeypatch.setattr(leaf, "CASES", ((8000, 4, 80),))
    monkeypatch.setattr(leaf, "SECONDS", 1)
    result = leaf.leaf(1, 1, 1)
    (case,) = result["cases"]
    assert set(case["engines"]) == {"conv", "exact", "fast"}
    assert case["engines"]["conv"]["forward_ratio"] == 1
    check(result, "leaf")


@pytest.mark.slow
def test_stacks_are_timed_and_their_launches_counted(monkeypatch):
    for name, value in {"SECONDS": 1, "CLASSES": 2}.items():
        monkeypatch.setattr(stacks, name, value)
    result = stacks.stacks([1, 2], 1, 1)
    alone, two = result["cases"]
    assert alone["together"]["launches"] == alone["run by run"]["launches"]
    assert two["together"]["launches"] < two["run by run"]["launches"]
    check(result, "stacks")


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
    check(result, "launchers", but=("start_s", "job_s"))
