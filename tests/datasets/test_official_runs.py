"""Official datasets in the command: small trees from files to stored results."""

import pytest

from command_line import lines
from marks import slow_but
from official_trees import TREES

SEVERAL = ["method=multilabel", "metrics=multilabel"]
QUICK = [
    "model=timbre",
    "method.max_epochs=1",
    "method.test_hop=16",
    "accelerator=cpu",
    "workers=1",
]


def words(name, tmp_path, *more):
    where = [f"results={tmp_path / 'results'}", f"cache={tmp_path / 'cache'}"]
    several = SEVERAL if name in ("fsd50k", "audioset") else []
    data = [f"dataset={name}", f"dataset.root={tmp_path / 'tree'}"]
    return [*data, *several, *QUICK, *where, "n_per_class=1", "repeats=1", *more]


@pytest.mark.parametrize(
    ("name", "metric"), [("speech_commands", "balanced_accuracy"), ("fsd50k", "macro_auc")]
)
def test_a_run_is_stored(name, metric, tmp_path, in_process):
    TREES[name](tmp_path / "tree")
    done = in_process(words=words(name, tmp_path))
    assert done.returncode == 0, done.stderr
    (record,) = lines(tmp_path)
    assert record["identity"]["dataset"] == {"name": name}
    assert 0 <= record["metrics"][metric] <= 1


@pytest.mark.parametrize(
    "name",
    slow_but(
        "esc50",
        "bird_detection",
        "audioset",
        of=[name for name in TREES if name not in ("speech_commands", "fsd50k")],
    ),
)
def test_a_run_is_planned(name, tmp_path, in_process):
    TREES[name](tmp_path / "tree")
    done = in_process(words=words(name, tmp_path, "dry_run=true"))
    assert done.returncode == 0, done.stderr
    assert "1 run, 0 finished, 1 missing" in done.stdout
