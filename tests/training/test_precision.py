"""Training in TF32 and bfloat16: runs of their own, close to float32."""

import pytest
import torch

from fewshot_audio import compose, config
from fewshot_audio.components import build
from fewshot_audio.runner.identity import component_identity
from fewshot_audio.training.loop import fit, training_set
from fewshot_audio.training.methods.base import Generators, Method
from fewshot_audio.training.network import build_network
from marks import slow_but

EPOCHS = 2
FRAMES = (40, 130, 173, 300)


def trained(model, precision, runs=1):
    """The networks and histories of runs on noise whose level tells its class."""
    words = ["dataset=synthetic", f"model={model}", f"method.max_epochs={EPOCHS}"]
    words += ["model.width=8"] if model == "proto" else []
    job = config.job(
        compose.composed([*words, f"method.precision={precision}", "frontend=log_learn"])
    )
    random = torch.Generator().manual_seed(0)
    rows = [
        torch.rand(each, 128, generator=random) * 4**label for label in range(3) for each in FRAMES
    ]
    labels = [label for label in range(3) for _ in FRAMES]
    networks = [build_network(job, 3) for _ in range(runs)]
    methods = []
    for run, network in enumerate(networks):
        generators, data = (
            Generators.named(f"run {run}"),
            training_set(network.frontend, rows, labels),
        )
        methods.append(build(job.method, Method, data=data, generators=generators))
    return networks, fit(networks, methods, job.optimizer, "cpu")


def weights(network):
    return torch.cat([each.detach().flatten() for each in network.parameters()])


@pytest.mark.parametrize("runs", [1, 2])
@pytest.mark.parametrize("model", slow_but("timbre", of=["timbre", "sb_cnn", "vgg", "proto"]))
def test_bfloat16_trains_about_as_float32(model, runs):
    (exact, told), (mixed, found) = (
        trained(model, each, runs) for each in ("32-true", "bf16-mixed")
    )
    for one, other, first, second in zip(exact, mixed, told, found, strict=True):
        assert all(each.dtype == torch.float32 for each in other.parameters())
        assert model == "timbre" or not torch.equal(
            weights(one), weights(other)
        )  # whose best windows are often the same
        assert weights(other).isfinite().all()
        losses = [each.history["train loss"][1] for each in (first, second)]  # later ones drift
        assert losses[1] == pytest.approx(losses[0], rel=0.05)


def test_tf32_is_for_gpus_and_leaves_no_switch_behind():
    (exact,), (rounded,) = (trained("timbre", each)[0] for each in ("32-true", "tf32"))
    assert torch.equal(weights(exact), weights(rounded))
    assert not torch.backends.cudnn.allow_tf32
    assert torch.get_float32_matmul_precision() == "highest"


def test_each_precision_has_a_key_of_its_own():
    jobs = [
        config.job(compose.composed(["dataset=synthetic", f"method.precision={each}"]))
        for each in ("32-true", "tf32", "bf16-mixed")
    ]
    usual, *others = [component_identity(job.method) for job in jobs]
    assert "precision" not in usual
    assert [each["precision"] for each in others] == ["tf32", "bf16-mixed"]
