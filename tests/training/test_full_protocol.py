"""All training clips, and the weights of the epoch that is best on the clips that validate."""

from dataclasses import replace

import pytest
import torch
from memory_data import job_data

from fewshot_audio import compose, config
from fewshot_audio.training.checks import check_job
from fewshot_audio.training.evaluate import clip_batches, score_clips
from fewshot_audio.training.metrics import ClipScores
from fewshot_audio.training.prepare import prepare_run, targets_of
from fewshot_audio.training.run import train
from fewshot_audio.training.score import score
from fewshot_audio.types import Component, ConfigError

LABELS = [(0,), (1,), (2,), (0,), (0,)] * 3


def job(*settings, frontend="log_learn"):
    shapes = ["dataset=synthetic", "n_bands=40", "patch_frames=16", "method.max_epochs=6"]
    quick = [f"frontend={frontend}", "protocol=full", "method=supervised", "optimizer.lr=0.05"]
    made = config.job(compose.composed([*shapes, *quick, "method.keep_best=accuracy", *settings]))
    return replace(made, model=Component("model", "norms", "third_party.WithNorms", {}))


def test_the_protocol_is_all_clips_seeds_and_the_best_epoch():
    made = job()
    assert made.repeats == {None: 3}
    assert made.method.arguments["keep_best"] == "accuracy"
    run = prepare_run(made, job_data(LABELS), None, 2)
    assert len(run.split.train) == 15
    assert score(train(made, job_data(LABELS), None, [2], "cpu")[0], job_data(LABELS))[0][
        "clips_per_class"
    ] == [9, 3, 3]


def validation_accuracy(trained, data):
    run, clips = trained.run, data.dataset.fold(1).valid
    rows = [data.features[clip.path] for clip in clips]
    batches = clip_batches(run.network, rows)
    scores = score_clips(run.network, run.method, run.method.data, batches)
    return ClipScores(scores, targets_of(clips, data.dataset)).accuracy


@pytest.mark.parametrize("repeats", [pytest.param([1], marks=pytest.mark.slow), [1, 2, 3]])
def test_the_weights_are_those_of_the_first_best_epoch(repeats):
    data = job_data(LABELS)
    for trained in train(job(), data, None, repeats, "cpu"):
        history = trained.history.history
        values = history["valid accuracy"]
        best = values.index(max(values[1:]))
        assert history["epoch"] == list(range(7))
        assert values[0] is None
        assert trained.stack == len(repeats)
        assert (
            trained.history.stop_reason == f"6 epochs, the number set; weights of epoch {best} kept"
        )
        assert validation_accuracy(trained, data) == values[best]
        learned = trained.run.network.learned_scalars()
        assert learned == {name: history[name][best] for name in learned}
        shorter = job(f"method.max_epochs={best}", "method.keep_best=null")
        (plain,) = train(shorter, data, None, [trained.run.split.repeat], "cpu")
        pairs = zip(trained.run.network.parameters(), plain.run.network.parameters(), strict=True)
        assert all(torch.allclose(one, other, atol=1e-4) for one, other in pairs)


def test_another_metric_can_choose():
    (trained,) = train(job("method.keep_best=macro_f1"), job_data(LABELS), None, [1], "cpu")
    assert len(trained.history.history["valid macro_f1"]) == 7


def test_a_fixed_frontend_has_the_metric_in_its_history():
    (trained,) = train(job(frontend="log_eps"), job_data(LABELS), None, [1], "cpu")
    assert set(trained.history.history) == {"epoch", "train loss", "valid accuracy"}


def test_the_same_run_twice_is_the_same_to_the_bit():
    data = job_data(LABELS)
    made = replace(job(), model=Component("model", "d", "third_party.WithDropout", {}))
    made = replace(made, mel=replace(made.mel, n_bands=40), patch_frames=20)
    found = [train(made, data, None, [1], "cpu")[0] for _ in range(2)]
    assert found[0].history == found[1].history
    assert score(found[0], data)[0]["metrics"] == score(found[1], data)[0]["metrics"]


def test_without_clips_that_validate_it_says_what_to_do():
    with pytest.raises(ConfigError, match="no clips that validate; .*method.keep_best=null"):
        check_job(job(), job_data(LABELS, valid=False).dataset)
    check_job(job("method.keep_best=null"), job_data(LABELS, valid=False).dataset)


def test_an_unknown_metric_has_its_near_matches():
    with pytest.raises(ConfigError, match="did you mean accuracy"):
        check_job(job("method.keep_best=acuracy"), job_data(LABELS).dataset)
