"""Training on crops where something is wrong or at odds: states, devices, disks, precisions."""

import errno
import zipfile

import pytest
import pytorch_lightning as lightning
import torch
from torch.nn.functional import one_hot
from whole_cases import job, tones, trained

from fewshot_audio.training import whole
from fewshot_audio.training.waveform_network import build_waveform_network
from fewshot_audio.types import ConfigError
from marks import slow_but


@pytest.fixture(scope="module")
def data():
    return tones()


def test_a_full_disk_leaves_the_state_before_it_and_no_draft(data, tmp_path, monkeypatch):
    save, calls = lightning.Trainer.save_checkpoint, []

    def full(trainer, draft):
        save(trainer, draft)
        calls.append(draft)
        if len(calls) == 2:
            raise OSError(errno.ENOSPC, "No space left on device")

    state = tmp_path / "state.ckpt"
    undisturbed = trained(job(), data, tmp_path / "other.ckpt")
    monkeypatch.setattr("fewshot_audio.training.whole.SAVING_SHARE", 1e9)
    monkeypatch.setattr(lightning.Trainer, "save_checkpoint", full)
    with pytest.raises(OSError, match="No space left"):
        trained(job(), data, state)
    assert sorted(tmp_path.iterdir()) == [tmp_path / "other.ckpt", state]
    assert torch.load(state, weights_only=True)["progress"]["updates"] == 4
    assert trained(job(), data, state).history == undisturbed.history


def test_a_state_is_on_the_disk_before_it_takes_its_place(data, tmp_path, monkeypatch):
    state, seen = tmp_path / "state.ckpt", []
    monkeypatch.setattr(whole, "sync", lambda draft: seen.append((draft.name, state.exists())))
    trained(job(), data, state)
    assert seen[0] == ("state.draft", False)


@pytest.mark.parametrize(
    "damage",
    slow_but(
        "truncated", "byte", "fields", of=["truncated", "empty", "other", "byte", "list", "fields"]
    ),
)
def test_a_state_that_cannot_be_taken_up_is_left(data, tmp_path, damage, caplog):
    state = tmp_path / "state.ckpt"
    undisturbed = trained(job(), data, state)
    content = state.read_bytes()
    if damage == "other":
        trained(job("n_bands=20"), data, tmp_path / "other.ckpt")
        content = (tmp_path / "other.ckpt").read_bytes()
    with zipfile.ZipFile(state) as members:  # between them are bytes that nothing reads
        longest = members.read(max(members.infolist(), key=lambda member: member.file_size))
    changed = bytearray(content)
    changed[content.find(longest) + len(longest) // 2] ^= 255
    damaged = {"truncated": content[:-100], "empty": b"", "byte": changed}
    saved = torch.load(state, weights_only=True)
    state.write_bytes(damaged.get(damage, content))
    if damage in ("list", "fields"):
        saved["progress"]["of_another_version"] = 1
        torch.save([1] if damage == "list" else saved, state)
    again = trained(job(), data, state)
    assert "the run starts anew" in caplog.text
    assert again.history == undisturbed.history


@pytest.mark.slow
def test_devices_with_other_metrics_stop_together(data, tmp_path, monkeypatch):
    labels, epochs = torch.arange(6) % 3, []  # of the clips that validate

    def one_more_is_right_on_the_second_device(*_):
        epochs.append("one more")
        right = torch.arange(6) < len(epochs) * torch.distributed.get_rank()
        return one_hot(torch.where(right, labels, (labels + 1) % 3), 3).float()

    monkeypatch.setattr(whole, "score_windows", one_more_is_right_on_the_second_device)
    words = "method.max_epochs=6", "method.patience=2", "method.devices=2"
    one = trained(job(*words, "method.strategy=ddp_fork"), data, tmp_path / "a.ckpt")
    assert one.history.history["valid accuracy"] == [None, 0, 0, 0]
    assert one.history.stop_reason.endswith("weights of epoch 1 kept")


@pytest.mark.parametrize("precision", ["16-true", "bf16-true", "64-true", "half"])
def test_impossible_precision(precision):
    with pytest.raises(ConfigError, match=r"method\.precision.*32-true"):
        build_waveform_network(job(f"method.precision={precision}"), "abc")
