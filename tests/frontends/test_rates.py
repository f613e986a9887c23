"""Frontends under the optimizers that people use, without `project`."""

from math import pi

import pytest
import torch

from fewshot_audio.frontends import Leaf, LogLearn, Mel, MelPCEN, SincNet, Wavegram
from fewshot_audio.frontends.bounds import use_plain_clamps, within
from fewshot_audio.frontends.filterbank.filters import WIDTH

TAPS = 201  # of 25 ms at 8 kHz
BEYOND = {  # below and above the bounds of each parameter, and the bounds
    "filters.centres": (-0.1, 0, 3.3, pi),
    "filters.widths": (1.0, 4 * WIDTH, 90.0, TAPS * WIDTH),
    "pooling.widths": (0.001, 2 / TAPS, 0.6, 0.5),
    "compression.alpha": (-2.5, -2, 1.2, 1),
    "compression.delta": (-0.1, 1e-12, None, None),
    "compression.root": (0.9, 1, None, None),
    "compression.smooth": (-0.1, 0, 1.1, 1),
}
OPTIMIZERS = {
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "sgd": lambda parameters, lr: torch.optim.SGD(parameters, lr, momentum=0.9),
}
CASES = [(name, end) for name, ends in BEYOND.items() for end in (0, 2) if ends[end] is not None]


def small_leaf():
    return Leaf(8000, 4, engine="conv")


def test_inside_its_bounds_it_is_a_plain_clamp_to_the_bit():
    random = torch.Generator().manual_seed(0)
    values = torch.rand(1000, generator=random).mul(4).sub(2)
    values[:2] = torch.tensor([-1.0, 2.0])  # at the bounds
    inside = (values >= -1) & (values <= 2)
    gradients = torch.randn(1000, generator=random)
    ours, plain = values.clone().requires_grad_(), values.clone().requires_grad_()
    for each, clamped in ((ours, within(ours, -1, 2)), (plain, plain.clamp(-1, 2))):
        clamped.backward(gradients)
        assert torch.equal(clamped, values.clamp(-1, 2))
        assert torch.equal(each.grad[inside], gradients[inside])
    assert plain.grad[~inside].abs().max() == 0
    below = ~inside & (gradients < 0)  # a step against the gradient leads upwards
    assert torch.equal(ours.grad[~inside], torch.where(below, gradients, 0.0)[~inside])


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize(("name", "end"), CASES)
def test_parameters_beyond_a_bound_come_back(name, end, optimizer):
    """The loss asks for values inside, through what the frontend computes with."""
    made = small_leaf()
    parameter = made.get_parameter(name)
    part, key = name.split(".")
    start, bound = BEYOND[name][end : end + 2]
    with torch.no_grad():
        parameter.fill_(start)
    made_optimizer = OPTIMIZERS[optimizer]([parameter], lr=0.01 * max(1, abs(start)))

    def bounded():
        module = getattr(made, part)
        if part == "compression":
            return module.bounded()[key]
        return module.bounded()[key == "widths"] if part == "filters" else module.bounded()

    assert bounded().tolist() == pytest.approx([bound] * 4)
    towards = 1 if end == 0 else -1
    for _ in range(200):
        made_optimizer.zero_grad()
        (-towards * bounded()).sum().backward()
        made_optimizer.step()
        if (towards * (parameter - bound)).min() > 0:
            return
    pytest.fail(f"{name} stays at {parameter.tolist()}")


def test_a_filter_beyond_its_bound_learns_from_sound():
    made = small_leaf()
    with torch.no_grad():
        made.filters.widths.fill_(1e3)
    noise = torch.randn(2, 1600, generator=torch.Generator().manual_seed(0))
    for sign in (1, -1):
        made.zero_grad()
        (sign * made(noise)).mean().backward()
        assert (made.filters.widths.grad >= 0).all()  # a step makes no filter wider still
    made.zero_grad()
    energies = made.energies(*made.prepare(noise[..., None], torch.tensor([1600] * 2))[1:])
    (-energies).mean().backward()  # broader filters hear more noise
    assert (made.filters.widths.grad > 0).all()
    use_plain_clamps(made)
    made.zero_grad()
    made(noise).mean().backward()
    assert made.filters.widths.grad.abs().max() == 0


def test_sinc_filters_come_back_from_half_the_rate():
    made = SincNet(8000, 4)
    with torch.no_grad():
        made.filters.band.fill_(2.0)
    made.filters.edges()[1].sum().backward()
    assert (made.filters.band.grad > 0).all()


@pytest.mark.parametrize("kind", [Leaf, SincNet, LogLearn, MelPCEN, Wavegram])
def test_groups_hold_what_learns_once(kind):
    made = kind(8000)
    grouped = [name for group in made.param_groups(1e-3) for name in group["names"]]
    assert sorted(grouped) == sorted(name for name, each in made.named_parameters())
    torch.optim.AdamW([*made.param_groups(1e-3), {"params": [torch.zeros(1)]}], lr=1e-3)


def test_frozen_parts_are_in_no_group():
    names = [name for group in Leaf(learn=["pooling"]).param_groups(1) for name in group["names"]]
    assert names == ["pooling.widths"]


@pytest.mark.parametrize("rate", [8000, 44100])
def test_a_step_changes_every_parameter_by_the_same_share(rate):
    made = Leaf(rate, 12, engine="conv")
    before = {name: each.detach().clone() for name, each in made.named_parameters()}
    sizes = before | {"filters.centres": 1 / before["filters.widths"]}
    optimizer = torch.optim.AdamW(made.param_groups(1e-3), lr=1.0, weight_decay=0.1)
    made(torch.randn(1, rate // 10, generator=torch.Generator().manual_seed(0))).sum().backward()
    optimizer.step()
    for name, each in made.named_parameters():
        moved = (each.detach() - before[name]).abs().median() / sizes[name].median()
        assert moved.item() == pytest.approx(1e-3, rel=0.02), name


def distances(made, target):
    """Medians over filters, relative to the target's; of centres in bandwidths."""
    with torch.no_grad():
        sizes = dict(target.named_parameters()) | {"filters.centres": 1 / target.filters.widths}
        return {
            name: ((each - target.get_parameter(name)) / sizes[name]).abs().median().item()
            for name, each in made.named_parameters()
        }


@pytest.mark.slow
def test_widths_learn_in_groups_and_hardly_without():
    """A filterbank learns what another one computes; its widths are 30 % too large."""
    random = torch.Generator().manual_seed(0)
    left = {}
    for grouped in (True, False):
        target, made = (Leaf(16000, 6, init=Mel(100, 1000)) for _ in range(2))
        with torch.no_grad():
            target.filters.centres.add_(0.3 / target.filters.widths)
            target.filters.widths.div_(1.3)
            target.pooling.widths.div_(1.3)
        start = distances(made, target)
        groups = made.param_groups(0.01) if grouped else made.parameters()
        optimizer = torch.optim.Adam(groups, lr=0.01)
        for _ in range(40):
            noise = torch.randn(4, 1600, generator=random)
            with torch.no_grad():
                wanted = target(noise)
            optimizer.zero_grad()
            (made(noise) - wanted).square().mean().backward()
            optimizer.step()
        end = distances(made, target)
        left[grouped] = {name: end[name] / start[name] for name in start if start[name] > 0.01}
    assert max(left[True].values()) < 0.5, left
    assert left[False]["filters.widths"] > 0.8, left


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_ten_thousand_steps_of_noise_without_nan(optimizer):
    random = torch.Generator().manual_seed(0)
    made, classifier = small_leaf(), torch.nn.Linear(4, 3)
    learned = [*made.parameters(), *classifier.parameters()]
    made_optimizer = OPTIMIZERS[optimizer](learned, lr=1e-2)
    for step in range(10_000):
        level = 10 ** (4 * torch.rand(4, 1, generator=random) - 4)
        values = made(level * torch.randn(4, 320, generator=random))
        labels = torch.randint(3, (4,), generator=random)
        made_optimizer.zero_grad()
        torch.nn.functional.cross_entropy(classifier(values.mean(2)), labels).backward()
        made_optimizer.step()
        assert all(each.isfinite().all() for each in learned), step
