"""What loggers are told of a run, and that it changes nothing."""

import csv
from dataclasses import replace

import numpy as np
import pytest
import torch
from picture_logger import Pictures
from pytorch_lightning.loggers import CSVLogger
from stack_cases import job as small_job
from stack_cases import runs

from defaults import SGD
from fewshot_audio import compose, config
from fewshot_audio.runner import execute
from fewshot_audio.runner.store import Store
from fewshot_audio.training.loop import fit
from fewshot_audio.training.methods.supervised import Supervised
from fewshot_audio.training.watch import Watch, check_logger
from fewshot_audio.types import Component, ConfigError
from marks import slow_but

LOGGERS = sorted(file.stem for file in (compose.CONF / "logger").glob("*.yaml"))
SAME = ("key", "metrics", "confusion_matrix", "history", "learned", "warnings")


class Needy(CSVLogger):
    """A logger whose package is not installed."""

    def __init__(self, save_dir: str):
        raise ModuleNotFoundError("Requirement 'wandb>=0.12.10' not met.\nTry pip")


class Recorded(Supervised):
    """Supervised training that keeps its losses."""

    losses: list = []  # noqa: RUF012

    def loss(self, *inputs):
        value = super().loss(*inputs)
        self.losses.append(value.item())
        return value


def logger(name):
    return config.machine(compose.composed(["dataset=synthetic", f"logger={name}"])).logger


def records(job, machine):
    assert execute.run(job, machine).failed == ()
    return sorted(Store(machine.results).records(), key=lambda record: record["key"])


def rows(file):
    with file.open() as lines:
        return list(csv.DictReader(lines))


@pytest.mark.parametrize("name", slow_but("csv", "none", of=LOGGERS))
def test_every_logger_is_a_setting_of_the_machine(name):
    chosen = logger(name)
    assert (chosen is None) == (name == "none")
    assert chosen is None or chosen.target.startswith("pytorch_lightning.loggers.")
    job = config.job(compose.composed(["dataset=synthetic", f"logger={name}"]))
    assert job == config.job(compose.composed(["dataset=synthetic"]))


@pytest.mark.parametrize("stack", [pytest.param(1, marks=pytest.mark.slow), 2])
def test_watching_changes_no_run_and_writes_its_numbers(job, machine, stack):
    """Each run has a file of its own."""
    wanted = replace(job, repeats={2: 2})
    machine = replace(machine, stack=stack)
    plain = records(wanted, machine)
    watched = replace(machine, results=machine.results / "watched", logger=logger("csv"))
    found = records(wanted, watched)
    assert [[each[name] for name in SAME] for each in plain] == [
        [each[name] for name in SAME] for each in found
    ]
    for record in found:
        repeat, start = record["identity"]["repeat"], record["key"][:8]
        folder = watched.results / "logs/synthetic-fold1-timbre-log_eps"
        logged = rows(folder / f"n2-r{repeat}-{start}" / "metrics.csv")
        steps = [each["step"] for each in logged if each["loss"]]
        assert steps == [str(number + 1) for number in range(record["updates"])]
        means = [float(each["train loss"]) for each in logged if each["epoch"]]
        assert means == pytest.approx(record["history"]["train loss"][1:], rel=1e-4)


@pytest.mark.parametrize("count", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_the_loss_of_an_epoch_is_the_mean_over_its_updates(count):
    """Of every run; three clips each of three classes are updates of 4, 4 and 1."""
    wanted = small_job("timbre", "log_learn", "method.max_epochs=4", "method.batch_size=4")
    networks, methods = runs(wanted, count, clips=3)
    histories = fit(networks, methods, SGD, "cpu")
    for run, history in enumerate(histories):
        networks, methods = runs(wanted, count, clips=3)
        alone = Recorded(**vars(methods[run]))
        alone.losses.clear()
        fit([networks[run]], [alone], SGD, "cpu")
        expected = np.reshape(alone.losses, (4, 3)).mean(1)
        assert history.history["epoch"] == [0, 1, 2, 3, 4]
        assert history.history["train loss"][0] is None
        assert history.history["train loss"][1:] == pytest.approx(expected, rel=1e-4)


@pytest.mark.slow
def test_histories_stay_small():
    wanted = small_job("timbre", "log_eps", "method.max_epochs=60")
    (history,) = fit(*runs(wanted, 1, clips=1), SGD, "cpu")
    losses = history.history["train loss"]
    assert len(losses) == 25
    assert all(float(f"{loss:.5g}") == loss for loss in losses[1:])


@pytest.mark.slow
def test_pictures_at_the_start_and_the_end(tmp_path):
    wanted = small_job("timbre", "leaf", "method.max_epochs=2")
    networks, methods = runs(wanted, 1, torch.float32, clips=1)
    made = Pictures(tmp_path)
    watch = Watch(made)
    fit(networks, methods, SGD, "cpu", None, [watch])
    watch.close()
    assert made.status == "success"
    names = [(name, step) for name, step, _ in made.pictures]
    assert names == [(name, step) for step in (0, 2) for name in ("spectrogram", "filters")]
    for _, _, pixels in made.pictures:
        assert pixels.dtype == np.uint8
        assert pixels.ndim == 3
        assert pixels.std() > 0
    start, end = (made.pictures[place][2] for place in (1, 3))
    assert not np.array_equal(start, end)  # the filters have moved


def test_a_run_that_fails_is_marked(tmp_path):
    networks, methods = runs(small_job("timbre", "log_eps"), 1, torch.float32)
    made = Pictures(tmp_path)
    watch = Watch(made)
    labels = methods[0].data.labels + 99
    methods = [replace(methods[0], data=methods[0].data._replace(labels=labels))]
    with pytest.raises(IndexError):
        fit(networks, methods, SGD, "cpu", None, [watch])
    watch.close()
    assert made.status == "failed"


def test_what_is_not_installed_is_named_before_anything_is_read(job, machine):
    needy = Component("logger", "Needy", f"{__name__}.Needy", {"save_dir": "{folder}"})
    with pytest.raises(ConfigError) as error:
        execute.run(job, replace(machine, logger=needy))
    assert str(error.value) == (
        "logger: Requirement 'wandb>=0.12.10' not met.; pip install 'fewshot-audio[loggers]'"
    )


def test_a_job_on_several_devices_is_not_shown(job, machine):
    method = replace(job.method, arguments={**job.method.arguments, "devices": 2})
    with pytest.raises(ConfigError, match="expected method.devices=1, found 2"):
        check_logger(replace(job, method=method), replace(machine, logger=logger("csv")))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["tensorboard", "wandb", "mlflow"])
def test_loggers_with_a_package_of_their_own(job, machine, name, monkeypatch):
    pytest.importorskip(name)
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    wanted = replace(job, repeats={1: 2})
    found = records(wanted, replace(machine, stack=2, logger=logger(name)))
    assert [each["warnings"] for each in found] == [[], []]
    files = {
        "tensorboard": "logs/synthetic-fold1-timbre-log_eps/n1-r*/events.*",
        "wandb": "logs/wandb/offline-run-*/files/media/images/spectrogram_0_*",
        "mlflow": "logs/mlruns/*/*/metrics/train loss",
    }
    assert len(list(machine.results.glob(files[name]))) == 2
