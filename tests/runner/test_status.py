"""What is said of a sweep that is not through."""

import pytest

from fewshot_audio import compose, config
from fewshot_audio.datasets.base import Fold
from fewshot_audio.record_fields import FAILED, FINISHED
from fewshot_audio.runner.identity import run_specs
from fewshot_audio.runner.messages import means
from fewshot_audio.runner.status import describe, plans, status, summary

ONE_MORE = "+metrics.same={_target_: torchmetrics.classification.MulticlassAccuracy}"


def test_failures_and_clips_without_a_score_are_listed(job):
    one, two = run_specs(job, Fold(1, (), ()), "features", None)
    finished = {
        "key": one.key,
        "status": FINISHED,
        "identity": one.identity,
        "seconds": {"train": 60.0},
        "unscored_clips": 2,
    }
    failed = {
        "key": two.key,
        "status": FAILED,
        "identity": two.identity,
        "error": "RuntimeError: out of luck",
    }
    told = describe([one, two], [finished, failed])
    assert "1 of 2 runs finished, 1 failed; left for one process: about 1 min" in told
    assert "failed 1 time: RuntimeError: out of luck" in told
    assert "no finite score for some clips of 1 finished run" in told
    assert "1/2" in told


def test_a_failure_that_was_mended_is_none(job):
    one, two = run_specs(job, Fold(1, (), ()), "features", None)
    lines = [
        {
            "key": one.key,
            "status": status,
            "identity": one.identity,
            "seconds": {"train": 1.0},
            "error": "RuntimeError: once",
        }
        for status in (FAILED, FINISHED)
    ]
    told = describe([one, two], lines)
    assert "1 of 2 runs finished, 0 failed" in told
    assert "once" not in told


def test_jobs_that_share_runs_count_them_once(synthetic_root, machine):
    words = ["dataset=synthetic", f"dataset.root={synthetic_root}", "n_per_class=[1]", "repeats=2"]
    words += ["dataset.groups=3", "dataset.clips_per_class=2", "fold=1"]
    jobs = [config.job(compose.composed(each)) for each in (words, [*words, ONE_MORE])]
    assert "0 of 2 runs finished" in status(jobs, machine)
    assert plans(jobs, machine).splitlines()[-1].startswith("2 jobs: 2 runs, 0 finished, 2 missing")
    assert "2 jobs: 0 of 2 runs finished, 0 failed, 2 left" in summary(jobs, machine, "again")


@pytest.mark.parametrize(
    ("metrics", "text"),
    [
        ({"recall": [0.1], "accuracy": 0.25}, "accuracy: n = 5 25.0 %"),
        ({"auc": [0.1], "d_prime": 1.7}, "d_prime: n = 5 1.7"),
        ({"auc": [0.1]}, "metrics: none"),
    ],
)
def test_means_are_of_the_first_number_in_its_unit(metrics, text):
    assert means([{"metrics": metrics, "identity": {"n_per_class": 5}}]) == text
