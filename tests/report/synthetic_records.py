"""A small synthetic store of results, for tests of what is reported."""

from dataclasses import replace
from pathlib import Path

from fewshot_audio.report.records import runs_of
from fewshot_audio.report.selection import select
from fewshot_audio.report.tables import accuracy, difference
from fewshot_audio.types import ReportSettings, Statistics

HOW = Statistics("fold", 0.95, 0.01)
SHOW = frozenset({"tables", "figures", "page"})
SETTINGS = ReportSettings(Path("results"), (), False, None, SHOW, HOW)
PARTIAL = replace(SETTINGS, partial=True)
PAIRS = [("log_learn", "log_eps")]
ACCURACIES = {  # (fold, n, repeat): log-EPS, log-learn
    (1, 1, 1): (0.25, 0.5),
    (1, 1, 2): (0.5, 0.5),
    (2, 1, 1): (0.25, 0.25),
    (2, 1, 2): (0.5, 0.75),
    (1, 10, 1): (0.75, 0.5),
}


def record(fold, n, repeat, frontend, value, identity=None, **more):
    """A finished run's record; `identity` changes that of the run."""
    names = {"dataset": {"name": "us8k"}, "model": {"name": "sb_cnn"}}
    names["frontend"] = {"name": frontend, "base": 10}
    names |= {"fold": fold, "n_per_class": n, "repeat": repeat, "seed": 0, "optimizer": {"lr": 0.1}}
    names |= identity or {}
    return {
        "schema": 1,
        "key": f"{frontend}{fold}{n}{repeat}",
        "status": "finished",
        "identity": names,
        "few_shot_split": f"{fold}{n}{repeat}",
        "commit": "c0ffee",
        "metrics": {"accuracy": value},
        "seconds": {"train": 1.5},
        **more,
    }


def failed(error="out of memory", **more):
    """A failed run's record."""
    fields = {"schema": 1, "key": "x", "status": "failed", "identity": records()[0]["identity"]}
    return {**fields, "error": error, **more}


def records():
    """Records of two frontends on two folds, n = 1 and 10."""
    made = []
    for run, values in ACCURACIES.items():
        for frontend, value in zip(("log_eps", "log_learn"), values, strict=True):
            made.append(record(*run, frontend, value))
    return made


def chosen(made, settings=SETTINGS):
    """Records to the selection of their finished runs."""
    return select(runs_of(made)[0], settings)


def accuracies(made, settings=SETTINGS, spread="std", side_by_side=True, frontends=None):
    selection = chosen(made, settings)
    return accuracy(selection, "accuracy", "{metric}", frontends, spread, side_by_side)


def differences(made, settings=SETTINGS, pairs=PAIRS):
    return difference(chosen(made, settings), "difference", "Difference", pairs)
