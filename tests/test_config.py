"""conf/ to frozen types: each file there."""

import hydra
import pytest
import torch
import yaml
from omegaconf import OmegaConf

from fewshot_audio import compose, config
from fewshot_audio.components import build
from fewshot_audio.frontends.base import Frontend
from fewshot_audio.training.methods.base import Method
from fewshot_audio.training.network import build_network
from fewshot_audio.types import ConfigError
from marks import slow_but

GROUPS = {
    group.name: sorted(file.stem for file in group.glob("*.yaml"))
    for group in compose.CONF.iterdir()
    if group.is_dir()
}
OWN_ROOT = ("synthetic", "tasks")
CHOICES = [
    (group, name)
    for group in ("dataset", "model", "frontend", "method", "protocol")
    for name in GROUPS[group]
]


def composed(*overrides):
    return compose.composed(["dataset=synthetic", *overrides])


@pytest.mark.parametrize(("group", "name"), CHOICES)
def test_every_choice_makes_a_job(group, name):
    job = config.job(
        composed(
            f"{group}={name}",
            *(["dataset.root=/data"] if group == "dataset" and name not in OWN_ROOT else []),
            *(["frontend.checkpoint=/data"] if name == "learned" else []),
        )
    )
    part = getattr(job, group, None)
    assert part is None or part.name == {"timm": "efficientnet_b0"}.get(name, name)
    assert job.repeats


@pytest.mark.parametrize(
    "name", slow_but("leaf", "log_eps", "log_learn", of=compose.complete("frontend"))
)
def test_every_frontend_can_be_built(name):
    assert isinstance(build(config.job(composed(f"frontend={name}")).frontend, Frontend), Frontend)


def leaves(settings, above=()):
    """The settings of a yaml by their full names."""
    for key, value in settings.items():
        yield from (
            leaves(value, (*above, key))
            if isinstance(value, dict)
            else [("".join(f"[{each}]" for each in (*above, key)), value)]
        )


STUDIES = (
    "audioset",
    "demo",
    "leaf_article",
    "leaf_multitask",
    "three_frontends",
    "tut_asc",
    "us8k",
)


@pytest.mark.parametrize("name", slow_but(*STUDIES, of=GROUPS["study"]))
def test_every_study_makes_jobs_of_what_it_says(name):
    overrides = ["dataset=synthetic", f"+study={name}", "dataset.root=/data"]
    with hydra.initialize_config_dir(str(compose.CONF), version_base="1.3"):
        found = hydra.compose("config", overrides, return_hydra_config=True)
    said = yaml.safe_load((compose.CONF / "study" / f"{name}.yaml").read_text())
    said.pop("defaults", None)
    assert said
    assert {key: OmegaConf.select(found, key) for key, _ in leaves(said)} == dict(leaves(said))
    cfg = compose.composed(overrides)
    compose.check_names(cfg, overrides)
    assert config.job(cfg).repeats


@pytest.mark.parametrize("size", ["", "_small"])
def test_several_tasks_learn_by_the_settings_of_one(size):
    one, several = (
        OmegaConf.to_container(
            compose.composed(
                ["dataset=synthetic", f"+study={name}{size}", "model=vgg", "frontend=leaf"]
            )
        )
        for name in ("leaf_article", "leaf_multitask")
    )
    for cfg in one, several:
        for name in ("name", "_target_", "sampling", "max_epochs"):
            cfg["method"].pop(name, None)
    assert one == several


def test_the_few_shot_schedule_has_75_runs_per_fold():
    assert config.job(composed()).repeats == {1: 20, 2: 20, 5: 10, 10: 10, 20: 5, 50: 5, 100: 5}


def test_n_and_repeats_cut_the_schedule():
    assert config.job(composed("n_per_class=5")).repeats == {5: 10}
    assert config.job(composed("n_per_class=[1,3]", "repeats=2")).repeats == {1: 2, 3: 2}


@pytest.mark.parametrize("name", slow_but("proto", "sb_cnn", "timbre", "vgg", of=GROUPS["model"]))
def test_every_model_is_trained_by_a_method_that_can(name):
    job = config.job(composed(f"model={name}"))
    network = build_network(job, 5)
    build(job.method, Method, data=None, generators=None).adapt(network)
    assert network(torch.zeros(2, 128, 128)).shape == (2, 10 if network.classifier.embeds else 5)


def test_prototypical_models_choose_their_method():
    """The command line overrules them."""
    assert config.job(composed("model=proto")).method.name == "prototypical"
    original = config.job(composed("model=proto_original"))
    assert (original.method.name, original.method.arguments["own_frontend"]) == (
        "prototypical_original",
        True,
    )
    supervised = config.job(composed("model=proto", "method=supervised"))
    with pytest.raises(
        ConfigError,
        match="gives embeddings, not one output per class: train it with method=prototypical",
    ):
        build(supervised.method, Method, data=None, generators=None).adapt(
            build_network(supervised, 5)
        )
    with pytest.raises(
        ConfigError, match="method.max_epochs=null: this method ends after a number of epochs"
    ):
        endless = config.job(composed("method.max_epochs=null"))
        build(endless.method, Method, data=None, generators=None).adapt(build_network(endless, 5))


def test_a_way_to_draw_that_is_none_says_which_there_are():
    with pytest.raises(
        ConfigError, match=r"sampling.by: found 'clips'; Input should be 'clip' or 'group'"
    ):
        config.job(composed("sampling.by=clips"))
