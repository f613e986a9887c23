"""Checkpoints for tests: made by runs, read without the code under test."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np

from fewshot_audio.runner import execute
from fewshot_audio.runner.inputs import listed


def keeping(machine):
    return replace(machine, checkpoint=True)


def one_run(job):
    return replace(job, repeats={1: 1})


def folders(machine):
    """The checkpoints, and whatever else lies beside them."""
    folder = machine.results / "checkpoints"
    return sorted(folder.iterdir()) if folder.exists() else []


def kept(job, machine):
    """The checkpoint of a job of one run."""
    result = execute.run(one_run(job), keeping(machine))
    assert not result.failed, result.failed[0]["traceback"]
    return folders(machine)[-1]


def about(checkpoint):
    return json.loads((checkpoint / "checkpoint.json").read_text())


def change(checkpoint, **values):
    """Write other values into checkpoint.json."""
    (checkpoint / "checkpoint.json").write_text(json.dumps({**about(checkpoint), **values}))


def test_rows(checkpoint):
    with (checkpoint / "test.csv").open(newline="") as file:
        return list(csv.DictReader(file))


test_rows.__test__ = False  # no test


def probabilities(checkpoint):
    """What test.csv says, float32 (clips, classes)."""
    rows = [[row[name] for name in row if name[:2] == "p_"] for row in test_rows(checkpoint)]
    return np.array(rows, np.float32)


def clips(checkpoint, root):
    """The test clips, as files to predict for."""
    return listed(checkpoint / "test.csv", Path(root))
