"""Training takes nothing from the environment, and proves that it was all there."""

import os
import signal
from dataclasses import replace
from functools import partial

import pytest
import pytorch_lightning as lightning
from whole_cases import job as on_crops
from whole_cases import tones, trained

from fewshot_audio.processes import heeding_sigterm, terminated
from fewshot_audio.runner import execute
from fewshot_audio.training import loop, whole
from fewshot_audio.training.history import Progress
from fewshot_audio.training.trainer import own_trainer
from stored import lines, outcomes

OF_LIGHTNING = {
    "PL_TRAINER_LIMIT_TRAIN_BATCHES": "0",
    "PL_TRAINER_MAX_TIME": "00:00:00:00",
    "PL_TRAINER_NUM_NODES": "2",
    "PL_GLOBAL_SEED": "5",
    "PL_SEED_WORKERS": "1",
}
SLURM = {
    "SLURM_NTASKS": "4",
    "SLURM_JOB_ID": "7",
    "SLURM_JOB_NAME": "train",
    "SLURM_NODELIST": "node[1-2]",
    "SLURM_PROCID": "2",
    "SLURM_LOCALID": "2",
}
ELASTIC = {
    "RANK": "1",
    "WORLD_SIZE": "2",
    "LOCAL_RANK": "1",
    "GROUP_RANK": "1",
    "MASTER_ADDR": "192.0.2.1",
    "MASTER_PORT": "1",
    "TORCHELASTIC_RUN_ID": "a",
    "TORCHELASTIC_USE_AGENT_STORE": "True",
}
KUBEFLOW = {
    "KUBERNETES_PORT": "tcp://192.0.2.1:443",
    "MASTER_ADDR": "192.0.2.1",
    "MASTER_PORT": "1",
    "WORLD_SIZE": "2",
    "RANK": "1",
}
LSF = {
    "LSB_JOBID": "1",
    "LSB_DJOB_RANKFILE": "/no/such/file",
    "JSM_NAMESPACE_LOCAL_RANK": "1",
    "JSM_NAMESPACE_SIZE": "2",
    "JSM_NAMESPACE_RANK": "1",
}
MPI = {"OMPI_COMM_WORLD_SIZE": "2", "OMPI_COMM_WORLD_RANK": "1", "PMI_RANK": "1"}
ALL = {**OF_LIGHTNING, **SLURM, **ELASTIC, **KUBEFLOW, **LSF, **MPI}


@pytest.fixture(scope="module")
def data():
    return tones()


@pytest.fixture(scope="module")
def undisturbed(data, tmp_path_factory):
    return trained(on_crops(), data, tmp_path_factory.mktemp("undisturbed") / "state.ckpt")


def put(environment, monkeypatch, folder):
    """Set variables, and go where an earlier requeued job has left its state."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    (folder / "hpc_ckpt_1.ckpt").write_text("of another run")
    monkeypatch.chdir(folder)
    return dict(os.environ)


@pytest.mark.parametrize(
    "environment",
    [
        pytest.param(OF_LIGHTNING, id="lightning"),
        pytest.param(SLURM, id="slurm"),
        pytest.param(ELASTIC, id="elastic"),
        pytest.param(KUBEFLOW, id="kubeflow", marks=pytest.mark.slow),
        pytest.param(LSF, id="lsf", marks=pytest.mark.slow),
        pytest.param(MPI, id="mpi", marks=pytest.mark.slow),
    ],
)
def test_a_run_is_the_same_in_every_environment(
    data, undisturbed, tmp_path, monkeypatch, environment
):
    monkeypatch.setattr("lightning_fabric.plugins.environments.MPIEnvironment.detect", lambda: True)
    monkeypatch.setattr("lightning_fabric.utilities.rank_zero.rank_zero_only.rank", 1)
    before = put(environment, monkeypatch, tmp_path)
    seen = []

    def watched(save, training, last):
        handlers = [signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGUSR1)]
        seen.append((handlers, training.trainer.world_size, training.trainer.global_rank))
        save(training, last)

    save = whole.CropTraining._save
    monkeypatch.setattr(whole.CropTraining, "_save", lambda *given: watched(save, *given))
    again = trained(on_crops(), data, tmp_path / "state" / "state.ckpt")
    assert again.history == undisturbed.history
    assert seen == [([signal.SIG_DFL, signal.SIG_DFL], 1, 0)] * 4
    assert lightning.utilities.rank_zero_only.rank == 0
    assert dict(os.environ) == before
    assert sorted(each.name for each in tmp_path.iterdir()) == ["hpc_ckpt_1.ckpt", "state"]


def test_few_shot_runs_are_the_same_too(job, machine, tmp_path, monkeypatch):
    undisturbed = replace(machine, results=tmp_path / "undisturbed")
    execute.run(job, undisturbed)
    before = put({**SLURM, **ELASTIC, **LSF, "PL_GLOBAL_SEED": "5"}, monkeypatch, tmp_path)
    assert execute.run(job, machine).trained == 2
    assert dict(os.environ) == before
    assert outcomes(lines(machine)) == outcomes(lines(undisturbed))


@pytest.mark.slow
def test_several_devices_find_each_other_in_every_environment(data, tmp_path, monkeypatch):
    words = "method.devices=2", "method.batch_size=2", "method.strategy=ddp_fork"
    plain = trained(on_crops(*words), data, tmp_path / "state.ckpt")
    put(ALL, monkeypatch, tmp_path)
    assert trained(on_crops(*words), data, tmp_path / "other.ckpt").history == plain.history


@pytest.mark.parametrize("module", [loop, whole])
def test_a_run_that_left_updates_out_has_failed(job, machine, data, tmp_path, monkeypatch, module):
    less = partial(own_trainer, limit_train_batches=0 if module is loop else 2)
    monkeypatch.setattr(module, "own_trainer", less)
    if module is loop:
        (first, _) = execute.run(job, machine).failed
        assert "expected 2 epochs of 1 updates, as the method says" in first["error"]
    else:
        with pytest.raises(RuntimeError, match="4 epochs of 4 updates.* found 4 epochs and 8"):
            trained(on_crops(), data, tmp_path / "state.ckpt")
        assert not (tmp_path / "state.ckpt").exists()


@pytest.mark.parametrize(
    ("epochs", "updates", "reason", "counts"),
    [
        (3, 6, None, True),
        (2, 4, "no better", True),
        (2, 4, None, False),
        (3, 5, None, False),
        (2, 5, "no better", False),
        (0, 0, "no better", False),
    ],
)
def test_only_a_reason_ends_training_early(epochs, updates, reason, counts):
    progress = Progress([{}] * (epochs + 1), updates=updates, stop_reason=reason)
    if counts:
        assert progress.history(3, 2).updates == updates
        return
    with pytest.raises(RuntimeError, match=f"found {epochs} epochs and {updates} updates"):
        progress.history(3, 2)


@pytest.mark.parametrize("devices", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_sigterm_keeps_the_state_of_a_training(data, undisturbed, tmp_path, monkeypatch, devices):
    """Of two epochs; the processes of other devices end at once."""
    monkeypatch.setattr(whole, "SAVING_SHARE", float("inf"))
    state, score = tmp_path / "state.ckpt", whole.score_windows
    words = ("method.devices=2", "method.batch_size=2", "method.strategy=ddp_fork") * (devices - 1)

    def preempted(*given):
        if state.exists():
            os.kill(command, signal.SIGTERM)
        return score(*given)

    command = os.getpid()
    monkeypatch.setattr(whole, "score_windows", preempted)
    with heeding_sigterm(), pytest.raises(KeyboardInterrupt):
        trained(on_crops(*words), data, state)
    assert terminated()
    monkeypatch.undo()
    again = trained(on_crops(*words), data, state)
    if devices == 1:
        assert again.history == undisturbed.history
    assert again.history.epochs == 4
