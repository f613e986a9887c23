"""Whole-data runs as jobs: their records, their state on disk, kills at random moments."""

import random
import time
from dataclasses import replace
from itertools import count
from multiprocessing import get_context

import numpy as np
import pytest

import kept
from fewshot_audio import compose, config
from fewshot_audio.features.torchaudio_transforms import TorchaudioWaveform
from fewshot_audio.runner import execute
from fewshot_audio.runner.plan import Planner, transform_of
from fewshot_audio.training.loading import load
from fewshot_audio.types import ConfigError
from stored import lines, outcomes

SIZES = ["model=vgg", "sample_rate=16000", "n_fft=512", "hop=160", "n_bands=32"]
WHOLE = ["protocol=full", "repeats=1", "method.max_epochs=3", "method.crop=0.5"]


@pytest.fixture
def crops(synthetic_root):
    """A job of one run on all clips of the small dataset."""

    def make(*words):
        data = [f"dataset.root={synthetic_root}", "dataset.groups=3", "dataset.clips_per_class=2"]
        return config.job(compose.composed(["dataset=synthetic", *data, *SIZES, *WHOLE, *words]))

    return make


def test_a_record_of_a_run_on_crops(crops, machine):
    job = crops("frontend=leaf", "augmentation=[gain,spec_augment]")
    outcome = execute.run(job, machine)
    assert (outcome.trained, outcome.failed) == (1, ())
    (record,) = lines(machine)
    assert record["identity"]["method"]["type"] == "Crops"
    assert list(record["identity"]["augmentation"]) == ["gain", "spec_augment"]
    assert record["frontend_input"] == "waveform"
    assert record["epochs"] == 3
    assert record["updates"] == 3
    assert np.sum(record["confusion_matrix"]) == record["test_clips"] == 10
    assert np.isfinite(record["history"]["train loss"][1:]).all()
    assert record["frontend_diagnostics"]
    assert list((machine.results / "unfinished").iterdir()) == []
    again = execute.run(job, machine)
    assert (again.trained, len(lines(machine))) == (0, 1)


def test_crops_of_few_clips_keep_the_best_epoch(crops, machine):
    job = crops("protocol=few_shot", "n_per_class=[1]", "method=crops", "features=torchaudio")
    assert execute.run(job, machine).failed == ()
    (record,) = lines(machine)
    assert record["history"]["valid accuracy"]


@pytest.mark.parametrize("frontend", ["log_eps", "leaf"])
def test_every_frontend_reads_waveforms(crops, frontend):
    job = crops(f"frontend={frontend}", "features=torchaudio")
    assert transform_of(job) == TorchaudioWaveform(16000)


@pytest.mark.parametrize("name", ["crops", pytest.param("supervised", marks=pytest.mark.slow)])
def test_checkpoints_hold_no_tensors_of_augmentations(crops, machine, name):
    normed = "{_target_: torch.nn.InstanceNorm1d, num_features: 32, track_running_stats: true}"
    job = crops(f"+augmentation.normed={normed}")
    if name == "supervised":
        words = ["dataset=synthetic", "method.max_epochs=1"]
        job = replace(job, method=config.job(compose.composed(words)).method)
    assert execute.run(job, kept.keeping(machine)).trained == 1
    (folder,) = kept.folders(machine)
    assert load(folder).sample_rate == 16000


def test_workers_do_not_share_devices(crops, machine):
    with pytest.raises(ConfigError, match="workers=2: each would .* set workers=1"):
        execute.run(crops("method.devices=2"), replace(machine, workers=2))


def test_augmentations_are_checked_of_each_job(crops, machine):
    planner = Planner()
    planner.specs(crops(), machine)
    with pytest.raises(ConfigError, match="gain from low=9.0 to high=6.0"):
        planner.specs(crops("augmentation=gain", "augmentation.gain.low=9"), machine)


@pytest.mark.slow
@pytest.mark.parametrize("frontend", ["log_learn", "leaf"])
def test_killed_at_random_moments_it_ends_with_the_same_numbers(crops, machine, frontend, tmp_path):
    schedule = "{_target_: torch.optim.lr_scheduler.StepLR, step_size: 3}"
    words = [f"frontend={frontend}", "method.max_epochs=12", f"optimizer.scheduler={schedule}"]
    job = crops(*words, "model=sb_cnn", "method.crop=1", "augmentation=[gain,mixup]")
    undisturbed = replace(machine, results=tmp_path / "undisturbed")
    started = time.monotonic()
    execute.run(job, undisturbed)
    seconds, context = time.monotonic() - started, get_context("fork")
    dice, kills, trials = random.Random(0), 0, count()
    while kills < 10:
        own = replace(machine, results=tmp_path / str(next(trials)))
        for _ in range(2):
            process = context.Process(target=execute.run, args=(job, own))
            process.start()
            process.join(dice.uniform(0.1, 0.9) * seconds)
            if process.is_alive():
                kills += 1
            else:  # the machine is faster than it was
                seconds *= 0.8
            process.kill()
            process.join()
        execute.run(job, own)
        assert outcomes(lines(own)) == outcomes(lines(undisturbed))
