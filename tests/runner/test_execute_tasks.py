"""Several datasets in one job: their folders, caches and records, and its checkpoint."""

import json
from dataclasses import replace

import numpy as np
import pytest

import kept
from fewshot_audio import compose, config
from fewshot_audio.datasets.synthetic import synthetic
from fewshot_audio.runner import execute
from fewshot_audio.runner.plan import Planner, prepare
from fewshot_audio.training.loading import load
from stored import lines

SIZES = ["model=vgg", "model.width=4", "sample_rate=16000", "n_fft=512", "hop=160", "n_bands=32"]
WHOLE = ["protocol=full", "repeats=1", "method=crops_tasks", "method.max_epochs=2"]
CHOICES = ["+dataset@dataset.tasks.scenes=synthetic", "+dataset@dataset.tasks.sounds=synthetic"]


@pytest.fixture(scope="module")
def others(tmp_path_factory):
    """Another folder with the same names of files, fewer of them."""
    root = tmp_path_factory.mktemp("others")
    synthetic("sounds", root, "us8k", 3, 1, "next", ())
    return root


@pytest.fixture
def tasks(synthetic_root, others):
    """A job of one run on two datasets in two folders."""

    def make(*words):
        data = [
            f"dataset.tasks.scenes.root={synthetic_root}",
            f"dataset.tasks.sounds.root={others}",
        ]
        sizes = [f"dataset.tasks.{name}.groups=3" for name in ("scenes", "sounds")]
        clips = ["dataset.tasks.scenes.clips_per_class=2", "dataset.tasks.sounds.clips_per_class=1"]
        settings = [*CHOICES, *data, *sizes, *clips, *SIZES, *WHOLE, *words]
        return config.job(compose.composed(["dataset=tasks", *settings]))

    return make


@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_job_of_two_folders_has_metrics_of_both(tasks, machine, others, workers):
    machine = replace(kept.keeping(machine), workers=workers)
    job = replace(tasks("frontend=leaf"), repeats={None: workers})
    outcome = execute.run(job, machine)
    assert (outcome.trained, outcome.failed) == (workers, ())
    record = lines(machine)[0]
    of_tasks = [record["metrics"][f"{task} accuracy"] for task in ("scenes", "sounds")]
    assert record["metrics"]["accuracy"] == pytest.approx(np.mean(of_tasks))
    assert record["test_clips"] == 15
    assert record["identity"]["dataset"] == {"name": "tasks"}
    assert str(others) not in json.dumps(record)
    assert execute.run(job, machine).trained == 0
    assert len(lines(machine)) == workers
    checkpoint = kept.folders(machine)[0]
    assert load(checkpoint).class_names == tuple(record["class_names"])
    rows, probabilities = kept.test_rows(checkpoint), kept.probabilities(checkpoint)
    assert all(row["prediction"].split("/")[0] == row["path"].split("/")[0] for row in rows)
    np.testing.assert_allclose(probabilities.sum(1), 1, atol=1e-6)


def test_tasks_read_the_caches_of_the_datasets_alone(tasks, machine, synthetic_root):
    cache, before = prepare(tasks(), machine), set(machine.cache.iterdir())
    words = [f"dataset.root={synthetic_root}", "dataset.groups=3", "dataset.clips_per_class=2"]
    alone = ["dataset=synthetic", "dataset.name=scenes", *words, "protocol=full", *SIZES]
    own = prepare(config.job(compose.composed(alone)), machine)
    assert set(machine.cache.iterdir()) == before
    assert own.key == cache.files[0].key
    for clip in own.spans:
        np.testing.assert_array_equal(cache[f"scenes/{clip}"], own[clip])
    assert [len(file.spans) for file in cache.files] == [30, 15]


def test_a_key_depends_on_the_files_and_splits_of_every_task(tasks, machine):
    def key(*words):
        return Planner().specs(tasks(*words), machine)[0].key

    keys = [
        key(),
        key("dataset.tasks.sounds.validation=none", "method.keep_best=null"),
        key("method.keep_best=null"),
        key("method.sampling=proportional"),
    ]
    assert len(set(keys)) == len(keys)
    assert key("method.sampling=even") == keys[0]
