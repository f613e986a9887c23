"""Features of clips on a device."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

import numpy as np
import pytest
import torch
from memory_data import job_data

from fewshot_audio import compose, config
from fewshot_audio.features.cache import FeatureCache
from fewshot_audio.training import clips
from fewshot_audio.training.clips import ClipBatches
from fewshot_audio.training.run import train
from fewshot_audio.training.score import score
from fewshot_audio.types import Component

LENGTHS = (5, 900, 5, 40, 900, 40, 40, 2, 5, 300, 300, 300)
CPU = torch.device("cpu")
LABELS = [(0,), (1,), (2,)] * 4


def job():
    shapes = ["dataset=synthetic", "n_bands=40", "patch_frames=16", "frontend=log_learn"]
    made = config.job(compose.composed([*shapes, "method=supervised", "method.max_epochs=2"]))
    return replace(made, model=Component("model", "norms", "third_party.WithNorms", {}))


class Read(Sequence):
    """Features of clips that count how often each is read once lengths are known."""

    def __init__(self):
        random = np.random.default_rng(0)
        self.rows = [random.random((n, 3), dtype=np.float32) for n in LENGTHS]
        self.counts = [0] * len(self.rows)

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, number):
        self.counts[number] += 1
        return self.rows[number]


def means(batch):
    return batch.mean(1)


def doubled_rows(batch):
    return batch.repeat_interleave(2, dim=1)


@pytest.mark.parametrize("keep", [False, True])
def test_each_clip_has_its_own_result_whatever_its_length(keep):
    rows = Read().rows
    batches = ClipBatches(rows, int, CPU, keep)
    expected = np.stack([each.astype(np.float64).mean(0) for each in rows])
    for _ in range(2):
        np.testing.assert_allclose(batches.map(means), expected, rtol=1e-5)


@pytest.mark.parametrize("keep", [False, True])
def test_converted_clips_are_those_that_were_converted(keep):
    rows = Read().rows
    twice = ClipBatches(rows, int, CPU, keep).converted(doubled_rows)
    assert [len(each) for each in twice.rows] == [2 * n for n in LENGTHS]
    for row, found in zip(rows, twice.rows, strict=True):
        np.testing.assert_array_equal(found, np.repeat(row, 2, axis=0))
    np.testing.assert_allclose(twice.map(means), [each.mean(0) for each in rows], rtol=1e-5)


def test_batches_hold_clips_of_one_length_and_few_frames():
    sizes = [tuple(batch.shape[:2]) for _, batch in ClipBatches(Read().rows, int, CPU)]
    assert all(clips == 1 or clips * frames <= 700 for clips, frames in sizes)
    assert sum(clips for clips, _ in sizes) == len(LENGTHS)
    assert (2, 300) in sizes
    by_tenths = ClipBatches(Read().rows, lambda rows: max(1, rows // 10), CPU)
    assert (3, 300) in [tuple(batch.shape[:2]) for _, batch in by_tenths]


@pytest.mark.parametrize(("keep", "times"), [(False, 3), (True, 1)])
def test_a_device_that_keeps_clips_reads_them_once(keep, times):
    rows = Read()
    batches = ClipBatches(rows, int, CPU, keep)
    rows.counts = [0] * len(rows)
    results = [batches.map(means) for _ in range(3)]
    assert rows.counts == [times] * len(rows)
    assert torch.equal(results[0], results[2])


def test_a_pass_that_ends_early_keeps_what_it_has_read():
    rows = Read()
    batches = ClipBatches(rows, int, CPU, keep=True)
    rows.counts = [0] * len(rows)
    next(iter(batches))
    batches.map(means)
    assert rows.counts == [1] * len(rows)


class Counted(FeatureCache):
    """Features that count how often clips are read."""

    read: ClassVar[Counter] = Counter()

    def rows(self, clip_id, start, stop):
        self.read[clip_id] += 1
        return super().rows(clip_id, start, stop)


def test_runs_of_a_job_load_test_clips_once_if_kept(monkeypatch):
    found, made = [], job()
    for keep in (False, True):
        monkeypatch.setattr(clips, "_fits", lambda size, device, keep=keep: keep)
        data = job_data(LABELS, valid=False)
        features = data.features
        data = replace(data, features=Counted(features.key, features.features, features.spans))
        runs = train(made, data, 2, [1, 2, 3], "cpu")
        score(runs[0], data)
        Counted.read.clear()
        found.append([score(run, data)[0]["metrics"] for run in runs])
        tests = [Counted.read[clip.id] for clip in data.splits.fold.test]
        assert tests == [0 if keep else 3] * len(tests)
    assert found[0] == found[1]
