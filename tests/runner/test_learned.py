"""A frontend that another run has learned, under a new classifier."""

import json
import shutil
from dataclasses import replace

import pytest
import torch

import kept
from fewshot_audio import config
from fewshot_audio.runner import execute
from fewshot_audio.runner.plan import Planner
from fewshot_audio.training.loading import load
from fewshot_audio.types import ConfigError, StoreError
from stored import lines

SIZES = ["sample_rate=16000", "n_fft=512", "hop=160", "n_bands=32"]
WHOLE = [
    "model=vgg",
    "model.width=4",
    "protocol=full",
    "repeats=1",
    "method.max_epochs=1",
    "method.crop=0.5",
]
RANDOM = ["frontend=leaf", "frontend/filters/init=random", "frontend.filters.n_filters=32"]
FEW = [
    *("model=timbre", "n_bands=108", "hop=512", "n_fft=1024", "method.max_epochs=2"),
    *("n_per_class=1", "repeats=1", "method.test_hop=16", "method.reestimate_batch_norm=true"),
]
NORMED = ["frontend=log1p_per_band"]


@pytest.fixture
def make(synthetic_root):
    def made(*words):
        data = [f"dataset.root={synthetic_root}", "dataset.groups=3", "dataset.clips_per_class=2"]
        return config.job(config.composed(["dataset=synthetic", *data, *SIZES, *words]))

    return made


@pytest.fixture
def trained(make, machine):
    """Do a job of one run; return its checkpoint and its record."""

    def done(*words, results="results"):
        own = replace(kept.keeping(machine), results=machine.results.parent / results)
        outcome = execute.run(make(*words), own)
        assert outcome.trained == 1, outcome.failed[0]["traceback"]
        return kept.folders(own)[0], lines(own)[0]

    return done


def from_(checkpoint, *words):
    return ["frontend=learned", f"frontend.checkpoint={checkpoint}", *words]


def same(one, other):
    first, second = load(one).frontend.state_dict(), load(other).frontend.state_dict()
    pairs = {name: (first[name], second[name]) for name in first if "engine" not in name}
    return all(torch.equal(*pair) for pair in pairs.values())


@pytest.mark.parametrize(("frontend", "rest"), [(RANDOM, WHOLE), (NORMED, FEW)])
def test_it_keeps_its_weights_or_learns_on(trained, frontend, rest):
    source, of_source = trained(*frontend, *rest)
    rest = [*rest, "seed=1"]  # other weights of the classifier
    frozen, record = trained(*rest, *from_(source), results="frozen")
    free, of_free = trained(*rest, *from_(source, "frontend.frozen=false"), results="free")
    assert same(frozen, source)
    assert not same(free, source)
    assert record["frontend_parameters"] == 0
    assert of_free["frontend_parameters"] == of_source["frontend_parameters"] > 0
    assert record["key"] != of_free["key"]
    assert str(source.parent) not in json.dumps([record["identity"], record["settings"]])
    shutil.rmtree(source)
    assert load(frozen).recipe.frontend.target == load(free).recipe.frontend.target


def test_a_key_holds_the_weights_and_not_their_folder(make, trained, machine, tmp_path):
    source, _ = trained(*RANDOM, *WHOLE)
    other, _ = trained(*RANDOM, *WHOLE, "seed=1", results="other")
    moved = shutil.copytree(source, tmp_path / "moved")
    found = [Planner().specs(make(*WHOLE, *from_(each)), machine)[0] for each in (source, moved)]
    assert found[0] == found[1]
    frontend = found[0].identity["frontend"]
    assert frontend.keys() == {"name", "type", "weights"}
    (third,) = Planner().specs(make(*WHOLE, *from_(other)), machine)
    assert third.identity["frontend"]["weights"] != frontend["weights"]


def test_what_cannot_be_used_says_why(make, trained, machine, tmp_path):
    source, _ = trained(*RANDOM, *WHOLE)

    def specs(folder, *words):
        return Planner().specs(make(*WHOLE, *from_(folder), *words), machine)

    with pytest.raises(StoreError, match="no checkpoint, expected checkpoint.json in it"):
        specs(tmp_path / "nowhere")
    text = "learned at other settings than sample_rate=8000, hop=80; add sample_rate=16000 hop=160"
    with pytest.raises(ConfigError, match=text):
        specs(source, "sample_rate=8000", "hop=80")
    file = source / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-10])
    with pytest.raises(StoreError, match="model.safetensors is truncated"):
        specs(source)
    settings = kept.about(source)["settings"]
    settings["frontend"]["_target_"] = "os.system"
    kept.change(source, settings=settings, files={})
    with pytest.raises(StoreError, match="does not list model.safetensors"):
        specs(source)
