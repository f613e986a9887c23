"""The log family, against float64."""

import math

import numpy as np
import pytest
import torch

from fewshot_audio.components import build
from fewshot_audio.frontends.base import Frontend
from fewshot_audio.frontends.log import Log1pPerBand, LogFixed, LogLearn, LogPerBand
from small_leaf import component

STARTS = {  # alpha, beta, base, at the start of training
    "log_eps": (1, np.finfo(np.float64).eps, 10),
    "log_learn": (1096.6331584284585, 1.3132616875182228, math.e),
    "log_fixed": (1096.6331584284585, 1.3132616875182228, math.e),
    "log_10000": (10_000, 1, math.e),
    "log_per_band": (1096.6331584284585, 1.3132616875182228, math.e),
    "log1p_per_band": (1e5, 1, math.e),
}


def frontend(name, *settings):
    return build(component(f"frontend={name}", *settings), Frontend)


@pytest.mark.parametrize("name", STARTS)
def test_spectrograms_are_the_logarithm(name):
    alpha, beta, base = STARTS[name]
    power = 10.0 ** np.random.default_rng(0).uniform(-14, 6, (2, 7, 128))
    power[0, 0] = 0
    expected = np.log(alpha * power + beta) / math.log(base)
    ours = frontend(name).compute(torch.from_numpy(power.astype(np.float32))).detach().numpy()
    assert ours.dtype == np.float32
    np.testing.assert_allclose(ours, expected, rtol=5e-7, atol=5e-7)


def test_digital_silence_is_minus_15_65():
    silence = frontend("log_eps").compute(torch.zeros(1, 1, 128))
    assert silence.unique().item() == pytest.approx(-15.6536, abs=1e-4)


def test_log_learn_learns_alpha_and_beta():
    learn = frontend("log_learn")
    power = torch.rand(2, 5, 128, dtype=torch.float32)
    learn.compute(power).sum().backward()
    a, b = (torch.tensor(value, dtype=torch.float64, requires_grad=True) for value in (7.0, 1.0))
    torch.log(a.exp() * power.double() + torch.nn.functional.softplus(b)).sum().backward()
    assert learn.a.grad.item() == pytest.approx(a.grad.item(), rel=1e-5)
    assert learn.b.grad.item() == pytest.approx(b.grad.item(), rel=1e-5)
    assert [name for name, _ in learn.named_parameters()] == ["a", "b"]


def test_learned_scalars():
    alpha, beta = math.exp(2), math.log1p(math.exp(-1))
    expected = {"alpha": alpha, "beta": beta, "beta/alpha": beta / alpha}
    assert LogLearn(a=2.0, b=-1.0).learned_scalars() == pytest.approx(expected)
    medians = {f"median {name}": value for name, value in expected.items()}
    assert LogPerBand(2.0, -1.0, "e", 40).learned_scalars() == pytest.approx(medians)
    assert LogFixed(1, 1, "e").learned_scalars() == {}


@pytest.mark.parametrize("kind", [lambda: LogFixed(2, 3, 10), lambda: LogPerBand(0, 0, "e", 8)])
def test_the_share_below_the_floor_is_reported(kind):
    made = kind()
    floor = 1.5 if isinstance(made, LogFixed) else math.log(2)
    patches = torch.cat([torch.full((1, 3, 8), 0.9 * floor), torch.full((3, 3, 8), 1.1 * floor)])
    assert made.patch_statistics(patches) == {"below beta/alpha": 0.25}


def test_behind_an_input_norm_only_the_floor_is_learned():
    """dL/da = -(beta / sigmoid(b)) dL/db: -1.796 at the start."""
    learn = LogLearn().double()
    random = torch.Generator().manual_seed(0)
    power = 10.0 ** torch.empty(6, 128, 128, dtype=torch.float64).uniform_(-6, 1, generator=random)
    norm = torch.nn.BatchNorm2d(1, eps=1e-12).double()
    weights = torch.randn(6, 1, 128, 128, dtype=torch.float64, generator=random)
    (norm(learn.compute(power)[:, None]).tanh() * weights).sum().backward()
    expected = -1.3132616875182228 / (1 / (1 + math.exp(-1)))
    assert learn.a.grad.item() / learn.b.grad.item() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda: LogFixed(0, 1, "e"), "alpha=0: "),
        (lambda: LogFixed(1, -1, "e"), "beta=-1: "),
        (lambda: LogLearn(base=2), "base=2: expected one of 10, e"),
        (lambda: LogPerBand(1, 1, "e", 0), "n_bands=0: "),
        (lambda: Log1pPerBand(1, -1), "n_bands=-1: "),
    ],
)
def test_errors_name_the_setting(make, name):
    with pytest.raises(ValueError, match=f"^{name}"):
        make()
