"""Jobs with frontends on waveforms, and what statistics change."""

from dataclasses import replace

import pytest

from execute_cases import SMALL, VGG, changed, steep, with_frontend
from fewshot_audio import compose, config
from fewshot_audio.runner import execute
from stored import lines


def test_re_estimated_statistics_change_the_score(job, machine):
    """Both scores are stored."""
    one = replace(job, repeats={2: 1}, model=replace(job.model, target=VGG, arguments=SMALL))
    execute.run(one, machine)
    execute.run(changed(one, "method", reestimate_batch_norm=True), machine)
    plain, other = lines(machine)
    assert plain["key"] != other["key"]
    assert "metrics_stored_batch_norm" not in plain
    assert other["metrics_stored_batch_norm"] == plain["metrics"]
    assert other["confusion_matrix"] != plain["confusion_matrix"]
    assert other["learned"] == plain["learned"]
    assert 0 <= plain["patch_statistics"]["below beta/alpha"] < 1
    assert set(other["seconds"]) == {
        "prepare",
        "train",
        "filter",
        "score stored",
        "reestimate",
        "score",
        "measure",
    }


def test_scoring_in_bfloat16_is_another_run_nearly_the_same(job, machine):
    """Coarse numbers: some scores change, by no more than their eight bits can."""
    one = replace(job, repeats={2: 1}, model=replace(job.model, target=VGG, arguments=SMALL))
    execute.run(one, machine)
    execute.run(changed(one, "method", score_in_bfloat16=True), machine)
    plain, brief = lines(machine)
    assert plain["key"] != brief["key"]
    assert plain["learned"] == brief["learned"]
    accuracies = [line["metrics"]["accuracy"] for line in (plain, brief)]
    assert accuracies[0] == pytest.approx(accuracies[1], abs=2.5 / plain["test_clips"])


@pytest.mark.slow
@pytest.mark.parametrize(("name", "times"), [("leaf", 1), ("efficient_leaf", 2)])
def test_clips_are_filtered_anew_after_new_statistics(job, machine, monkeypatch, name, times):
    """Else they would pass the frontend's old statistics and the classifier's new ones."""
    from fewshot_audio.training import score

    calls = []
    plain = score.dense_inputs
    monkeypatch.setattr(
        score, "dense_inputs", lambda *arguments: calls.append(arguments) or plain(*arguments)
    )
    quick = replace(with_frontend(job, name, "frontend/engine=exact"), repeats={1: 1})
    execute.run(changed(quick, "method", reestimate_batch_norm=True), machine)
    assert len(calls) == times


@pytest.mark.slow
def test_leaf_learns_on_the_splits_of_the_other_frontends(job, machine):
    execute.run(replace(job, repeats={2: 1}), machine)
    outcome = execute.run(replace(with_frontend(job, "leaf"), repeats={2: 1}), machine)
    assert (outcome.trained, outcome.failed) == (1, ())
    leaf, mel = lines(machine)
    assert (leaf["few_shot_split"], leaf["test_clips"]) == (
        mel["few_shot_split"],
        mel["test_clips"],
    )
    assert leaf["identity"]["features"] != mel["identity"]["features"]
    assert leaf["parameters"] == mel["parameters"] + 896
    told = leaf["frontend_diagnostics"]
    assert told["engine"]["error"] <= told["engine"]["tolerance"] == 1e-3
    assert {"centre", "bandwidth", "pooling, ms", "alpha", "delta", "root", "smooth"} == set(
        told["filters"]
    )
    assert told["filters"]["alpha"]["before"] != told["filters"]["alpha"]["after"]
    assert leaf["history"]["median drift, Hz"][0] == 0 < leaf["history"]["median drift, Hz"][-1]
    assert execute.run(replace(with_frontend(job, "leaf"), repeats={2: 1}), machine).trained == 0


@pytest.mark.slow
def test_a_leaf_run_that_diverges_is_stored(job, machine):
    diverging = replace(with_frontend(job, "leaf"), optimizer=steep(1e30))
    outcome = execute.run(replace(diverging, repeats={2: 1}), machine)
    (line,) = lines(machine)
    assert (outcome.trained, line["unscored_clips"]) == (1, line["test_clips"])
    assert (
        f"no finite score for {line['test_clips']} clips, which count as wrong" in line["warnings"]
    )
    assert line["frontend_diagnostics"]["summary"]["median drift, Hz"] is None


@pytest.mark.slow
@pytest.mark.parametrize("model", ["vgg", "proto_original"])
def test_models_take_leaf(job, machine, model):
    small = ["model.width=2"] if "vgg" in model or "proto" in model else []
    composed = config.job(
        compose.composed(
            [
                "dataset=synthetic",
                f"model={model}",
                "method.max_epochs=1",
                "method.test_hop=16",
                *small,
            ]
        )
    )
    narrow = with_frontend(
        job, "leaf", "frontend.learning_rate_factor=0.01", "frontend/engine=exact"
    )  # faster for so little
    outcome = execute.run(
        replace(narrow, model=composed.model, method=composed.method, repeats={2: 1}), machine
    )
    assert (outcome.trained, outcome.failed) == (1, ())


def test_every_frontend_has_the_same_split(job, machine):
    execute.run(job, machine)
    execute.run(changed(job, "frontend", beta=1e-3), machine)
    execute.run(replace(job, model=replace(job.model, target=VGG, arguments=SMALL)), machine)
    draws = {(x["identity"]["repeat"], x["few_shot_split"]) for x in lines(machine)}
    assert len(lines(machine)) == 6
    assert len(draws) == 2
