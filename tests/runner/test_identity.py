"""What a run's key depends on."""

import hashlib
from dataclasses import replace

import pytest
from omegaconf import OmegaConf

from fewshot_audio import compose, config
from fewshot_audio.components import defaults_of, locate
from fewshot_audio.datasets.base import Clip, Fold
from fewshot_audio.runner.identity import canonical, component_identity, missing, run_specs
from fewshot_audio.seeding import digest_of
from fewshot_audio.types import Component

FOLD = Fold(1, (), ())
VGG = "fewshot_audio.models.vgg.VGG"


def keys(job, features="b", splits=None, fold=FOLD):
    return [spec.key for spec in run_specs(job, fold, features, splits)]


def test_a_plan_has_every_repeat_of_every_n_once(job):
    specs = run_specs(replace(job, repeats={5: 2, 1: 3}), FOLD, "b", None)
    assert [(spec.n_per_class, spec.repeat) for spec in specs] == [
        (1, 1),
        (1, 2),
        (1, 3),
        (5, 1),
        (5, 2),
    ]
    assert len({spec.key for spec in specs}) == 5
    assert missing(specs, {specs[0].key, specs[3].key}) == [specs[1], specs[2], specs[4]]


def test_a_key_changes_with_the_order_of_augmentations():
    def made(names):
        words = ["dataset=synthetic", "protocol=full", f"augmentation=[{names}]"]
        return config.job(compose.composed(words))

    assert keys(made("gain,mixup")) != keys(made("mixup,gain"))
    (spec, *_) = run_specs(made("gain,mixup"), FOLD, "b", None)
    assert "augmentation_order" not in spec.identity  # as in records of version 1


def test_a_key_changes_with_all_that_can_change_a_result(job):
    def changed(part, **arguments):
        component = getattr(job, part)
        return replace(
            job, **{part: replace(component, arguments={**component.arguments, **arguments})}
        )

    others = [
        changed("method", max_epochs=3),
        changed("frontend", beta=1e-3),
        replace(job, fold=2),
        replace(job, seed=1),
        replace(job, model=replace(job.model, target="fewshot_audio.models.vgg.VGG")),
        replace(job, mel=replace(job.mel, pad_mode="constant")),
        replace(job, mel=replace(job.mel, n_bands=64)),
        replace(job, patch_frames=64),
        changed("features", level=-20),
    ]
    other_fold = Fold(1, (Clip("a.wav", (0,), 1, "a"),), ())
    found = [keys(job), keys(job, "c"), keys(job, splits="d"), keys(job, fold=other_fold)]
    found += map(keys, others)
    assert len({key for each in found for key in each}) == 2 * len(found)


def test_a_key_ignores_where_data_lie_and_number_formats(job):
    moved = replace(
        job, dataset=replace(job.dataset, arguments={**job.dataset.arguments, "root": "/elsewhere"})
    )
    floats = replace(
        job, method=replace(job.method, arguments={**job.method.arguments, "test_hop": 16.0})
    )
    turned = replace(
        job, method=replace(job.method, arguments=dict(reversed(job.method.arguments.items())))
    )
    assert keys(moved) == keys(floats) == keys(turned) == keys(job)


def test_clips_at_their_own_level_have_the_keys_of_earlier_runs(job):
    def levelled(level):
        return replace(job, features=replace(job.features, arguments={"level": level}))

    bare = replace(job, features=replace(job.features, arguments={}))
    assert keys(levelled("none")) == keys(levelled(0)) == keys(bare)
    assert keys(levelled(-20)) == keys(levelled(-20.0))


def test_a_key_is_the_start_of_a_sha256_over_sorted_json():
    digest = hashlib.sha256(b'{"a": [1, "x"], "b": 0.5}').hexdigest()
    assert digest_of(canonical({"b": 0.5, "a": (1.0, "x")})) == digest[:16]


def test_sizes_of_the_study_are_no_part_of_an_identity(job):
    identity = run_specs(job, FOLD, "b", None)[0].identity
    assert "n_bands" not in identity["mel"]
    assert "patch_frames" not in identity


def test_defaults_are_left_out_and_off_is_not_absent():
    def identity(**arguments):
        target = "fewshot_audio.models.vgg.VGG"
        return component_identity(Component("model", "vgg", target, arguments))

    for name, default in defaults_of("fewshot_audio.models.vgg.VGG").items():
        assert identity(**{name: default}) == identity() == {"name": "vgg", "type": "VGG"}
    assert identity(width=False) != identity() != identity(width=None)


def part(module, **arguments):
    return {"_target_": f"fewshot_audio.models.{module}.VGG", **arguments}


@pytest.mark.parametrize(
    ("nested", "named"),
    [
        (lambda one: one, {"type": "VGG", "a": 1}),
        (lambda one: [one, "b"], [{"type": "VGG", "a": 1}, "b"]),
        (lambda one: {"x": {"y": (one,)}}, {"x": {"y": [{"type": "VGG", "a": 1}]}}),
    ],
    ids=["direct", "list", "dict"],
)
def test_no_module_is_in_a_key_however_deep_a_component_lies(nested, named, monkeypatch):
    moved = "fewshot_audio.models.sb_cnn"
    monkeypatch.setattr(f"{moved}.VGG", locate(VGG), raising=False)
    found = [
        component_identity(Component("model", "m", VGG, {"parts": nested(part(module, a=1))}))
        for module in ("vgg", "sb_cnn")
    ]
    assert found == [{"name": "m", "type": "VGG", "parts": named}] * 2


def test_settings_without_components_are_in_a_key_as_they_are():
    settings = {"a": [1, {"b": None}], "c": {"d": [False, "x"]}}
    identity = component_identity(Component("model", "m", VGG, settings))
    assert identity == {"name": "m", "type": "VGG", **settings}


def test_a_class_of_another_package_is_another_class(tmp_path, monkeypatch):
    (tmp_path / "own_models").mkdir()
    for module in ("__init__", "nets", "moved"):
        code = "class VGG:\n    def __init__(self, width=1, relu=False): ..."
        (tmp_path / f"own_models/{module}.py").write_text(code)
    monkeypatch.syspath_prepend(str(tmp_path))

    def identity(target, **arguments):
        return component_identity(Component("model", "vgg", target, arguments))

    own = identity("own_models.nets.VGG")
    assert own == {"name": "vgg", "type": "own_models.VGG"} == identity("own_models.moved.VGG")
    assert own != identity(VGG)
    assert own == identity("own_models.nets.VGG", width=1.0, relu=False)
    assert identity("own_models.nets.VGG", width=True)["width"] is True
    assert identity("own_models.nets.VGG", relu=0)["relu"] == 0


def test_a_file_is_in_a_key_by_what_it_holds(tmp_path):
    def identity(path):
        return component_identity(Component("model", "m", VGG, {"parts": [{"weights": str(path)}]}))

    for name, content in (("a", b"1"), ("b", b"1"), ("c", b"2")):
        (tmp_path / name).write_bytes(content)
    one, same, other = (identity(tmp_path / name) for name in "abc")
    assert one == same != other
    assert str(tmp_path) not in str(one)
    assert identity("weights/a.pt")["parts"] == [{"weights": "weights/a.pt"}]


def method_of(job, keep_best, **metrics):
    method = replace(job.method, arguments={**job.method.arguments, "keep_best": keep_best})
    every = {
        name: config.component({"name": name, **settings}, f"metrics.{name}")
        for name, settings in metrics.items()
    }
    wanted = replace(job, method=method, metrics=every)
    return run_specs(wanted, FOLD, "b", None)[0].identity["method"]


@pytest.mark.parametrize("choice", ["multiclass", "multilabel"])
def test_metrics_of_conf_are_in_a_key_by_name(job, choice):
    metrics = OmegaConf.to_container(compose.composed([f"metrics={choice}"]).metrics)
    numbers = {name: each for name, each in metrics.items() if each.get("average") != "none"}
    for name in [*numbers, "accuracy"]:
        assert "keep_best_metric" not in method_of(job, name, **numbers)


def test_a_metric_that_chooses_the_epoch_is_in_the_key(job):
    """What another metric is, not its name alone, is in the key."""
    target = "torchmetrics.classification.MulticlassAccuracy"
    top = {"_target_": target, "top_k": 2}
    assert method_of(job, "top", top=top)["keep_best_metric"] == {
        "name": "top",
        "type": "MulticlassAccuracy",
        "top_k": 2,
    }
    once = method_of(job, "top", top={"_target_": target})
    assert once["keep_best_metric"] == {"name": "top", "type": "MulticlassAccuracy"}
    assert "keep_best_metric" in method_of(job, "macro_f1", macro_f1=top)
    assert "keep_best_metric" not in method_of(job, None, top=top)
