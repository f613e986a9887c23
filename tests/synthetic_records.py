"""A small hand-made store of results, for tests of what is reported."""

from dataclasses import replace
from pathlib import Path

from fewshot_audio.report.records import found
from fewshot_audio.report.tables import accuracy, difference
from fewshot_audio.types import ReportSettings, Statistics

HOW = Statistics("fold", "t", "t", 0.95, 0.01)
ASKED = ReportSettings(
    Path("results"), (), False, None, frozenset({"tables", "figures", "page"}), HOW, {1: 2, 10: 1}
)
PARTIAL = replace(ASKED, partial=True)
PAIRS = [("log_learn", "log_eps")]
ACCURACIES = {  # (fold, n, repeat): log-EPS, log-learn
    (1, 1, 1): (0.25, 0.5),
    (1, 1, 2): (0.5, 0.5),
    (2, 1, 1): (0.25, 0.25),
    (2, 1, 2): (0.5, 0.75),
    (1, 10, 1): (0.75, 0.5),
}


def line(fold, n, repeat, frontend, accuracy, **more):
    """A finished run's line."""
    identity = {
        "dataset": {"name": "us8k"},
        "model": {"name": "sb_cnn"},
        "frontend": {"name": frontend, "base": 10},
    }
    identity |= {"fold": fold, "n_per_class": n, "repeat": repeat, "seed": 0}
    fields = {
        "key": f"{frontend}{fold}{n}{repeat}",
        "status": "finished",
        "few_shot_split": f"{fold}{n}{repeat}",
        "commit": "c0ffee",
    }
    return {
        **fields,
        "identity": identity,
        "metrics": {"accuracy": accuracy},
        "seconds": {"train": 1.5},
        **more,
    }


def store():
    """Lines of two arms on two folds, n = 1 and 10."""
    return [
        line(*task, frontend, value)
        for task, values in ACCURACIES.items()
        for frontend, value in zip(("log_eps", "log_learn"), values, strict=True)
    ]


def frame(lines):
    """Lines to the table of their finished runs."""
    return found(lines).runs


def accuracies(lines, asked=ASKED, spread="std", side_by_side=True, frontends=None):
    return accuracy(frame(lines), "accuracy", "Accuracy", frontends, spread, side_by_side, asked)


def differences(lines, asked=ASKED, pairs=PAIRS):
    return difference(frame(lines), "difference", "Difference", pairs, asked)
