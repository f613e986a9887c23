"""Checkpoints that are damaged, of other versions or classes, or that would run other code."""

import re
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from memory_data import job_data
from test_multilabel import LABELS, MULTI
from test_multilabel import job as multi_label_job

import kept
from fewshot_audio import load
from fewshot_audio.compose import CONF
from fewshot_audio.training.checkpoint import is_whole, write
from fewshot_audio.training.recipe import as_settings, check_trusted, from_settings, recipe_of
from fewshot_audio.training.run import train
from fewshot_audio.training.score import score, trained_model
from fewshot_audio.types import Component, ConfigError, StoreError
from marks import slow_but

LEARNED = "fewshot_audio.training.learned.learned"
SETTINGS = {"key": "k", "dataset": "noise"}


@pytest.fixture
def checkpoint(job, machine):
    return kept.kept(job, machine)


def test_another_version_says_what_to_do(checkpoint):
    kept.change(checkpoint, schema=2)
    with pytest.raises(StoreError, match=r"schema 2, this program reads 1; update this program"):
        load(checkpoint)
    kept.change(checkpoint, schema=0)
    with pytest.raises(StoreError, match=r"schema 0, this program reads 1; train it again"):
        load(checkpoint)


@pytest.mark.parametrize(
    "name", slow_but("model.safetensors", of=["model.safetensors", "test.csv", "checkpoint.json"])
)
def test_truncated_files_are_named(checkpoint, name):
    file = checkpoint / name
    file.write_bytes(file.read_bytes()[:-50])
    with pytest.raises(StoreError, match=rf"{name} is (truncated|damaged).*copy the checkpoint"):
        load(checkpoint)
    assert not is_whole(checkpoint)


def test_changed_weights_are_noticed(checkpoint):
    file = checkpoint / "model.safetensors"
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)
    with pytest.raises(StoreError, match="was changed: its hash is not the one"):
        load(checkpoint)


def test_missing_weights_and_missing_folders(checkpoint, tmp_path):
    (checkpoint / "test.csv").unlink()  # names of clips may be private
    load(checkpoint)
    (checkpoint / "model.safetensors").unlink()
    with pytest.raises(StoreError, match="model.safetensors is missing"):
        load(checkpoint)
    with pytest.raises(StoreError, match=r"no checkpoint, expected checkpoint.json in it"):
        load(tmp_path / "nowhere")


def test_weights_of_another_network_do_not_fit(checkpoint):
    kept.change(checkpoint, class_names=["a", "b"])
    with pytest.raises(StoreError, match="its weights do not fit its settings"):
        load(checkpoint)


def test_another_list_of_classes_is_refused(checkpoint):
    names = kept.about(checkpoint)["class_names"]
    assert load(checkpoint, class_names=names).class_names == tuple(names)
    with pytest.raises(StoreError, match="5 classes, expected 5: in another order"):
        load(checkpoint, class_names=names[::-1])
    with pytest.raises(StoreError, match="without dog, whale and with chirp"):
        load(checkpoint, class_names=[*names[1:], "whale", "dog"])


EVIL = {"_target_": "os.system", "command": "touch {flag}"}
INSIDE = {
    "_target_": "fewshot_audio.components.build",
    "component": {
        "_target_": "fewshot_audio.types.Component",
        "group": "",
        "name": "x",
        "target": "os.system",
        "arguments": {"command": "touch {flag}"},
    },
}
IMPORTED = {"_target_": "fewshot_audio.models.base.ABC.register", "command": "touch {flag}"}


def poisoned(value, flag):
    if isinstance(value, dict):
        return {name: poisoned(each, flag) for name, each in value.items()}
    return value.format(flag=flag)


@pytest.mark.parametrize("evil", [EVIL, INSIDE, IMPORTED], ids=["plain", "builder", "imported"])
def test_code_of_a_checkpoint_does_not_run(checkpoint, tmp_path, evil):
    original, flag = kept.about(checkpoint)["settings"], tmp_path / "flag"
    bad = poisoned(evil, flag)
    for part in ("model", "frontend", "method", "features"):
        for extra in (bad, {"extra": bad}, {"extra": [{"deep": bad}]}):
            settings = {**original, part: {**original[part], **extra}}
            kept.change(checkpoint, settings=settings)
            with pytest.raises(ConfigError):
                load(checkpoint)
            assert not flag.exists()


def test_names_of_the_environment_are_not_looked_up(checkpoint):
    settings = kept.about(checkpoint)["settings"]
    settings["model"]["name"] = "${oc.env:HOME}"
    kept.change(checkpoint, settings=settings)
    with pytest.raises(ConfigError, match=r"settings.model.name: found '\$\{oc.env:HOME\}'"):
        load(checkpoint)


def test_nothing_is_imported_before_it_is_trusted(tmp_path, monkeypatch):
    (tmp_path / "sly.py").write_text("raise SystemExit('ran')")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ConfigError, match="add --trust sly"):
        check_trusted({"model": {"_target_": "sly.Network"}}, ())
    check_trusted({"model": {"_target_": "sly.Network"}}, ("sly",))
    with pytest.raises(ConfigError, match="add --trust slyer"):
        check_trusted({"model": {"_target_": "slyer.Network"}}, ("sly",))


@pytest.mark.parametrize("group", ["model", "frontend", "method", "features"])
def test_every_choice_of_this_program_is_trusted(group):
    files = [file.read_text() for file in (CONF / group).rglob("*.yaml")]
    targets = {target for text in files for target in re.findall(r"^ *_target_: (\S+)", text, re.M)}
    assert targets
    for target in targets - {LEARNED}:
        check_trusted({"_target_": target}, ())


def test_a_checkpoint_may_not_name_another_one():
    """Nor may it name whom that one trusts."""
    with pytest.raises(ConfigError, match="learned is not of this program"):
        check_trusted({"_target_": LEARNED, "checkpoint": "/elsewhere", "trust": ["sly"]}, ())


def test_a_network_of_ones_own_needs_trust(machine, job):
    model = Component("model", "norms", "third_party.WithNorms", {})
    checkpoint = kept.kept(replace(job, model=model), machine)
    with pytest.raises(ConfigError, match=r"model._target_: third_party.WithNorms is not of this"):
        load(checkpoint)
    assert load(checkpoint, trust=["third_party"])(torch.zeros(1, 4000)).shape == (1, 5)


def test_folders_of_the_machine_are_left_out(job):
    arguments = {**job.model.arguments, "weights": "/home/me/weights.pt", "more": ["~/a/b.pt"]}
    model = replace(job.model, arguments=arguments)
    settings = as_settings(recipe_of(replace(job, model=model)))
    assert (settings["model"]["weights"], settings["model"]["more"]) == ("weights.pt", ["b.pt"])
    bad = replace(job.model, arguments={"rate": float("nan")})
    with pytest.raises(ConfigError, match="model.rate=nan cannot be kept"):
        as_settings(recipe_of(replace(job, model=bad)))


def test_pretrained_weights_are_not_loaded_again(job):
    arguments = {"architecture": "test_resnet", "pretrained": True}
    model = Component("model", "timm", "fewshot_audio.models.timm_model.Timm", arguments)
    stored = as_settings(recipe_of(replace(job, model=model)))
    assert stored["model"]["pretrained"]
    assert from_settings(stored).model.arguments == {**arguments, "pretrained": False}


def test_several_labels_per_clip(tmp_path):
    data = job_data(LABELS, multi_label=True)
    job = multi_label_job(*MULTI)
    (trained,) = train(job, data, None, [1], "cpu")
    fields, tested = score(trained, data)
    made = trained_model(trained, data)
    write(tmp_path / "c", made, tested, tested.embeddings(), fields["metrics"], SETTINGS, {})
    model = load(tmp_path / "c", trust=["third_party"])
    clips = data.dataset.fold(1).test
    scores = model.scores([data.features[clip.path] for clip in clips])
    assert model.multi_label
    assert np.array_equal(scores.numpy(), kept.probabilities(tmp_path / "c"))
    torch.testing.assert_close(model.method.logits(scores).sigmoid(), scores)
    for row, clip, probable in zip(kept.test_rows(tmp_path / "c"), clips, scores, strict=True):
        names = data.dataset.classes
        assert row["label"] == ";".join(names[label] for label in clip.labels)
        said = [name for name, each in zip(names, probable, strict=True) if each > 0.5]
        assert row["prediction"] == ";".join(said)
        assert row["correct"] == str(row["label"] == row["prediction"]).lower()


def test_a_checkpoint_can_be_moved(checkpoint, tmp_path):
    shutil.move(checkpoint, tmp_path / "elsewhere")
    assert load(str(tmp_path / "elsewhere")).sample_rate == 16000
