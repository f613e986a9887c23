"""The logarithms, against float64."""

import math

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf

from fewshot_audio import config
from fewshot_audio.components import build
from fewshot_audio.frontends.log_learn import LogLearn
from fewshot_audio.training.network import check_maps
from fewshot_audio.types import ConfigError

NAMES = sorted(file.stem for file in (config.CONF / "frontend").glob("*.yaml"))
STARTS = {  # alpha, beta, base, at the start of training
    "log_eps": (1, np.finfo(np.float64).eps, 10),
    "log_learn": (1096.6331584284585, 1.3132616875182228, math.e),
    "log_fixed": (1096.6331584284585, 1.3132616875182228, math.e),
    "log_10000": (10_000, 1, math.e),
}


def frontend(name):
    return build(
        config.component(
            OmegaConf.to_container(OmegaConf.load(config.CONF / "frontend" / f"{name}.yaml")),
            "frontend",
        )
    )


def test_every_logarithm_of_all_bands_is_known_here():
    files = {name: (config.CONF / "frontend" / f"{name}.yaml").read_text() for name in NAMES}
    assert {
        name for name, text in files.items() if "LogFixed" in text or "LogLearn" in text
    } == set(STARTS)


@pytest.mark.parametrize("name", STARTS)
def test_maps_are_the_logarithm_of_the_article(name):
    alpha, beta, base = STARTS[name]
    power = 10.0 ** np.random.default_rng(0).uniform(-14, 6, (2, 7, 128))
    power[0, 0] = 0
    expected = np.log(alpha * power + beta) / math.log(base)
    found = frontend(name)(torch.from_numpy(power.astype(np.float32))).detach().numpy()
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=3e-7, atol=5e-7)


def test_digital_silence_becomes_minus_15_65():
    assert frontend("log_eps")(torch.zeros(1, 1, 128)).unique().item() == pytest.approx(
        -15.6536, abs=1e-4
    )


def test_log_learn_learns_alpha_and_beta():
    learn = frontend("log_learn")
    power = torch.rand(2, 5, 128, dtype=torch.float32)
    learn(power).sum().backward()
    a, b = (torch.tensor(value, dtype=torch.float64, requires_grad=True) for value in (7.0, 1.0))
    torch.log(a.exp() * power.double() + torch.nn.functional.softplus(b)).sum().backward()
    assert learn.a.grad.item() == pytest.approx(a.grad.item(), rel=1e-5)
    assert learn.b.grad.item() == pytest.approx(b.grad.item(), rel=1e-5)
    assert [name for name, _ in learn.named_parameters()] == ["a", "b"]


def test_what_was_learned_is_told_in_the_article_s_words():
    told = LogLearn(2.0, -1.0, "e").learned_scalars()
    alpha, beta = math.exp(2), math.log1p(math.exp(-1))
    assert told == pytest.approx({"alpha": alpha, "beta": beta, "beta/alpha": beta / alpha})
    assert frontend("log_eps").learned_scalars() == {}


def test_behind_an_input_norm_only_the_floor_is_learned():
    """dL/da = -(beta / sigmoid(b)) dL/db: -1.796 at the start."""
    learn = LogLearn(7, 1, "e").double()
    power = 10.0 ** torch.empty(6, 128, 128, dtype=torch.float64).uniform_(
        -6, 1, generator=torch.Generator().manual_seed(0)
    )
    norm = torch.nn.BatchNorm2d(1, eps=1e-12).double()
    weights = torch.randn(
        6, 1, 128, 128, dtype=torch.float64, generator=torch.Generator().manual_seed(1)
    )
    (norm(learn(power)[:, None]).tanh() * weights).sum().backward()
    assert learn.a.grad.item() / learn.b.grad.item() == pytest.approx(
        -1.3132616875182228 / (1 / (1 + math.exp(-1))), rel=1e-6
    )


class LessMean(LogLearn):
    """Each value depends on the others of its band; says that it is pointwise."""

    def forward(self, *inputs):
        maps = super().forward(*inputs)
        return maps - maps.mean(1, keepdim=True)


class Half(LogLearn):
    """Every other band."""

    def forward(self, *inputs):
        return super().forward(*inputs)[..., ::2]


def test_what_a_frontend_says_of_its_maps_is_checked():
    check_maps(LogLearn(2.0, -1.0, "e"), "good")
    with pytest.raises(
        ConfigError,
        match="frontend=mine: a value of its map depends on other values; set pointwise = False",
    ):
        check_maps(LessMean(2.0, -1.0, "e"), "mine")
    with pytest.raises(
        ConfigError, match=r"frontend=mine: maps of shape \(1, 8, 64\), expected .* \(1, 8, 128\)"
    ):
        check_maps(Half(2.0, -1.0, "e"), "mine")
