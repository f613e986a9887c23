"""What is said of a sweep that is not through."""

from datetime import datetime

from fewshot_audio.datasets.base import Fold
from fewshot_audio.records import FAILED, FINISHED
from fewshot_audio.runner.identity import run_specs
from fewshot_audio.runner.status import describe


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
    told = describe([one, two], [finished | {"stopped": datetime(2026, 1, 1)}, failed])
    assert (
        "1 of 2 runs finished, 1 failed; 1 in the last hour of work; "
        "left for one process: about 1 min" in told
    )
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
