"""A frontend that another run has learned, under a new classifier."""

import json
import shutil

import pytest
import torch

import kept
from fewshot_audio import compose, config
from fewshot_audio.runner import execute
from fewshot_audio.runner.plan import Planner
from fewshot_audio.training.loading import load
from fewshot_audio.types import ConfigError, StoreError
from marks import slow_but
from stored import lines

SIZES = ["sample_rate=16000", "n_fft=512", "hop=160", "n_bands=32"]
WHOLE = ["model=vgg", "model.width=4", "protocol=full", "repeats=1", "method.max_epochs=1"]
RANDOM = ["frontend=leaf", "frontend/filters/init=random", "frontend.filters.n_filters=32"]
FEW = [
    *("model=timbre", "n_bands=108", "hop=512", "n_fft=1024", "method.max_epochs=2"),
    *("n_per_class=1", "repeats=1", "method.test_hop=16", "method.reestimate_batch_norm=true"),
]
NORMED = ["frontend=log1p_per_band"]  # with batch norm
LEARNED = {"crops": (RANDOM, WHOLE), "patches": (NORMED, FEW)}


@pytest.fixture(scope="module")
def make(synthetic_root):
    def made(*words):
        data = [f"dataset.root={synthetic_root}", "dataset.groups=3", "dataset.clips_per_class=2"]
        return config.job(compose.composed(["dataset=synthetic", *data, *SIZES, *words]))

    return made


@pytest.fixture(scope="module")
def trained(make, cache, tmp_path_factory):
    """Do a job of one run; return its checkpoint and its record."""

    def done(*words):
        where = [f"results={tmp_path_factory.mktemp('results')}", f"cache={cache}", "workers=1"]
        machine = config.machine(compose.composed(["checkpoint=true", "accelerator=cpu", *where]))
        outcome = execute.run(make(*words), machine)
        assert outcome.trained == 1, outcome.failed[0]["traceback"]
        return kept.folders(machine)[0], lines(machine)[0]

    return done


@pytest.fixture(scope="module")
def sources(trained):
    return {name: trained(*frontend, *rest) for name, (frontend, rest) in LEARNED.items()}


@pytest.fixture
def source(sources, tmp_path):
    """A checkpoint that a test may change."""
    return shutil.copytree(sources["crops"][0], tmp_path / "source")


def from_(checkpoint, *words):
    return ["frontend=learned", f"frontend.checkpoint={checkpoint}", *words]


def same(one, other):
    first, second = load(one).frontend.state_dict(), load(other).frontend.state_dict()
    return all(torch.equal(first[name], second[name]) for name in first if "engine" not in name)


@pytest.mark.parametrize("name", slow_but("patches", of=LEARNED))
def test_it_keeps_its_weights_or_learns_on(trained, sources, tmp_path, name):
    (checkpoint, of_source), rest = sources[name], [*LEARNED[name][1], "seed=1"]
    source = shutil.copytree(checkpoint, tmp_path / "source")
    frozen, record = trained(*rest, *from_(source))
    free, of_free = trained(*rest, *from_(source, "frontend.frozen=false"))
    assert same(frozen, source)
    assert not same(free, source)
    assert record["frontend_parameters"] == 0
    assert of_free["frontend_parameters"] == of_source["frontend_parameters"] > 0
    assert record["warnings"] == of_source["warnings"]
    assert record["key"] != of_free["key"]
    assert str(tmp_path) not in json.dumps([record["identity"], record["settings"]])
    shutil.rmtree(source)
    assert load(frozen).recipe.frontend == load(checkpoint).recipe.frontend


def test_a_key_holds_the_weights_and_not_their_folder(make, source, machine, tmp_path):
    def spec(folder):
        return Planner().specs(make(*WHOLE, *from_(folder)), machine)[0]

    first, moved = spec(source), spec(shutil.copytree(source, tmp_path / "moved"))
    assert first == moved
    assert first.identity["frontend"].keys() == {"name", "type", "weights"}
    settings = kept.about(source)["settings"]
    settings["frontend"]["align"] = "valid"
    kept.change(source, settings=settings)
    other = spec(source).identity["frontend"]
    assert other["weights"] != first.identity["frontend"]["weights"]


def test_what_cannot_be_used_says_why(make, source, machine, tmp_path):
    def specs(folder, *words):
        return Planner().specs(make(*WHOLE, *from_(folder), *words), machine)

    with pytest.raises(StoreError, match="no checkpoint, expected checkpoint.json in it"):
        specs(tmp_path / "nowhere")
    text = "learned at other settings than sample_rate=8000, hop=80; add sample_rate=16000 hop=160"
    with pytest.raises(ConfigError, match=text):
        specs(source, "sample_rate=8000", "hop=80")
    about = kept.about(source)
    evil = {**about["settings"], "frontend": {"_target_": "os.system", "name": "x"}}
    kept.change(source, settings=evil)
    with pytest.raises(ConfigError, match="os.system is not of this program"):
        specs(source)
    kept.change(source, **about)
    file = source / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-10])
    with pytest.raises(StoreError, match="model.safetensors is truncated"):
        specs(source)
