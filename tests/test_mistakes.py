"""What is said of mistakes in settings."""

import re

import pytest
from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException

from fewshot_audio import compose, config, mistakes, sweep
from fewshot_audio.components import build
from fewshot_audio.frontends.base import Frontend
from fewshot_audio.training.methods.base import Method
from fewshot_audio.training.network import build_network
from fewshot_audio.types import ConfigError


def composed(*overrides):
    return compose.composed(["dataset=synthetic", *overrides])


def error_of(*overrides) -> str:
    """What a user reads after a mistake in the command."""
    kinds = (ConfigError, HydraException, OmegaConfBaseException, ValueError)
    with pytest.raises(kinds) as caught:
        cfg = composed(*overrides)
        compose.check_names(cfg, overrides)
        config.job(cfg)
        config.machine(cfg)
    return mistakes.explain(caught.value, ["dataset=synthetic", *overrides])


@pytest.mark.parametrize(
    ("override", "text"),
    [
        ("model=vggg", "model=vggg: no such model; did you mean vgg?"),
        ("frontend=log_esp", "no such frontend; did you mean log_eps"),
        ("dataset=urbansound", "no such dataset; there are "),
        ("method.lr=1", "method.lr: no such setting with these choices; did you mean optimizer.lr"),
        ("epochs=3", "epochs: no such setting with these choices; did you mean method.max_epochs?"),
        ("dataset=synthetic dataset.fold=3", "with these choices; did you mean fold?"),
        ("method.patience=3", "no such setting with these choices; there are method.batch_size, "),
        ("method.optimizer=1", "did you mean optimizer?"),
        ("model.wdth=3", "no such setting with these choices; did you mean model.width"),
        ("model=timbre model.width=3", "model.width: no such setting with these choices"),
        ("hop=0", "hop: found 0; expected a whole number from 1 to 65,536"),
        ("pad_mode=mirror", "pad_mode: found 'mirror'; Input should be 'reflect' or 'constant'"),
        ("dataset.root=~/data", "write folders in full, and quote what holds other signs"),
        (
            "sample_rat=1",
            "sample_rat: no such setting with these choices; did you mean sample_rate",
        ),
        ("+modle=3", "modle: no such setting; did you mean model"),
        ("fold=one", "fold: found 'one'; Input should be a valid integer"),
        ("n_per_class=3", "n_per_class=3: the protocol has n = 1, 2, 5, 10, 20, 50, 100"),
        ("n_per_class=[1,b]", "n_per_class: found [1, 'b']; Input should be a valid integer"),
        (
            "repeats=many",
            "repeats: found 'many'; expected a whole number from 1 to 10,000, or null",
        ),
        ("n_per_class=0 repeats=1", "n_per_class: found 0; Input should be greater than 0"),
        ("repeats=0", "repeats: found 0; expected a whole number from 1 to 10,000, or null"),
        ("dataset=us8k", "dataset.root is not set; add dataset.root=... to the command"),
        ("~model.name", "model: name must be set"),
        ("n_per_class=[]", "n_per_class=[]: expected at least one number"),
        (
            "frontend.name=a/b",
            "frontend.name=a/b: expected letters, digits and the signs _ . + - only",
        ),
        ("model=null", "model=null: expected a choice; there are cnn14, conv_net, "),
        ("frontend=leaf frontend/filters=3", "frontend/filters=3: expected a choice; there are "),
        ("cache=null", "cache: found None; Input is not a valid path"),
        ("sampling=null", "sampling: found None; expected a group of settings"),
        ("optimizer.scheduler=3", "optimizer.scheduler: found 3; expected a group of settings"),
        ("metrics.recall=null", "metrics.recall: found None; expected a group of settings"),
        ("protocol.repeats=null", "protocol.repeats: found None; Input should be a valid dict"),
        ("~model", "model is not set; remove ~model from the command"),
        ("~hop", "hop is not set; remove ~hop from the command"),
        ("frontend.name=1e3", "frontend.name=1000.0: expected text, found a float; quote it"),
        ("frontend.name=true", "frontend.name=True: expected text, found a bool; quote it"),
        ("model._target_=3", "model._target_=3: expected package.module.name"),
        ("optimizer.lr=inf", "optimizer.lr=inf: expected a finite number"),
        ("frontend=log_learn frontend.a=nan", "frontend.a=nan: expected a finite number"),
        ("n_fft=100000000", "n_fft: found 100000000; expected a multiple of 2 from 2 to 65,536"),
        ("n_fft=511", "n_fft: found 511; expected a multiple of 2 from 2 to 65,536"),
        ("sample_rate=1", "sample_rate: found 1; expected a whole number from 1,000 to 1,000,000"),
        ("sample_rate=10000000", "expected a whole number from 1,000 to 1,000,000"),
        ("optimizer.max_grad_norm=0", "optimizer.max_grad_norm: found 0; Input should be greater"),
        ("study=demo", "study: not part of every command; write +study=... to add it"),
    ],
)
def test_a_mistake_is_named_with_what_was_meant(override, text):
    assert text in error_of(*override.split())


@pytest.mark.parametrize(
    ("overrides", "text"),
    [
        ("model=vgg,timbre method.lr=1", "method.lr: no such setting with these choices; did you"),
        ("model=timbre,vgg frontend=log_eps,leaf model.wdth=3", "did you mean model.width?"),
        ("optimizer.lrr=1,2", "optimizer.lrr: no such setting with these choices; did you mean"),
        ("frontend=log_eps,leaf optimizer.lrr=1,2", "did you mean optimizer.lr?"),
    ],
)
def test_a_mistake_in_a_sweep_is_named_too(overrides, text):
    words = ["dataset=synthetic", *overrides.split()]
    with pytest.raises((HydraException, OmegaConfBaseException)) as caught:
        list(sweep.swept(words))
    assert text in mistakes.explain(caught.value, words)


def test_components_report_missing_or_ill_typed_settings():
    with pytest.raises(
        ConfigError, match="frontend.alpha: found 'much'; Input should be a valid number"
    ):
        build(config.job(composed("frontend.alpha=much")).frontend, Frontend)
    with pytest.raises(ConfigError, match="frontend.betta: no such setting; did you mean beta?"):
        build(config.job(composed("+frontend.betta=3")).frontend, Frontend)
    with pytest.raises(
        ConfigError, match="method.max_epochs: found -1; Input should be greater than 0"
    ):
        build(
            config.job(composed("method.max_epochs=-1")).method, Method, data=None, generators=None
        )
    with pytest.raises(
        ConfigError, match="accelerator: found 'tpu'; Input should be 'auto', 'cpu' or 'gpu'"
    ):
        config.machine(composed("accelerator=tpu"))
    with pytest.raises(ConfigError, match="threads: found 0; expected a whole number from 1 to "):
        config.machine(composed("threads=0"))
    with pytest.raises(
        ConfigError, match="_target_: fewshot_audio.frontends.nothing.No cannot be found"
    ):
        build(
            config.job(composed("frontend._target_=fewshot_audio.frontends.nothing.No")).frontend,
            Frontend,
        )


@pytest.mark.parametrize(
    ("target", "text"),
    [
        ("fewshot_audio.models.vgg.VGGG", "did you mean fewshot_audio.models.vgg.VGG?"),
        ("fewshot_audio.models.vvg.VGG", "did you mean fewshot_audio.models.vgg?"),
        ("fewshot_audio.modls.vgg.VGG", "did you mean fewshot_audio.models?"),
        ("nowhere.vgg.VGG", "No module named 'nowhere'); expected package.module.name"),
        ("VGG", "expected package.module.name"),
    ],
)
def test_a_misspelt_class_is_named_with_what_was_meant(target, text):
    """Its setting is named, too."""
    with pytest.raises(ConfigError, match=re.escape(text)) as found:
        build_network(config.job(composed(f"model._target_={target}")), 3)
    assert str(found.value).startswith(f"model._target_: {target} cannot be found (")


def test_a_file_that_a_dataset_does_not_find_is_named(tmp_path):
    with pytest.raises(FileNotFoundError) as found:
        (tmp_path / "metadata.csv").read_text()
    text = f"{tmp_path}/metadata.csv: no such file; check the settings that name it or its folder"
    assert mistakes.explain(found.value) == text


def test_a_full_disk_says_the_next_step():
    assert "free space and run the same command again" in mistakes.explain(
        OSError(28, "No space left on device")
    )


def test_a_study_that_sets_nothing_is_an_error(tmp_path):
    (tmp_path / "study").mkdir()
    (tmp_path / "study/mine.yaml").write_text("results: results/mine\n")
    overrides = compose.with_searchpath(["+study=mine"], str(tmp_path))
    assert (
        error_of(*overrides)
        == "study: its yaml sets nothing; let its first line be '# @package _global_'"
    )
