"""Optimizers of torch in stacks against the same alone, and what the settings make of them."""

from dataclasses import replace

import pytest
import torch
from stack_cases import assert_same, job, runs

from fewshot_audio import compose, config
from fewshot_audio.training.loop import fit
from fewshot_audio.training.network import build_network
from fewshot_audio.training.optimizers import make_optimizer, make_scheduler
from fewshot_audio.types import ConfigError

COSINE = "optimizer.scheduler={_target_: torch.optim.lr_scheduler.CosineAnnealingLR, T_max: 3}"
SETTINGS = {
    "momentum": ["optimizer.momentum=0.9", "optimizer.lr=0.01"],
    "adam": ["optimizer=adam", "optimizer.max_grad_norm=1"],
    "adamw": ["optimizer=adamw", "optimizer.frontend={lr: 0.1, weight_decay: 0}"],
    "schedule": ["optimizer=adam", COSINE],
    "somebody's": [
        "optimizer=adam",
        "optimizer._target_=third_party.Sign",
        "~optimizer.weight_decay",
    ],
}


def settings_of(*settings):
    return config.job(compose.composed(["dataset=synthetic", *settings])).optimizer


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param(
            words, id=name, marks=[] if name in ("adamw", "somebody's") else pytest.mark.slow
        )
        for name, words in SETTINGS.items()
    ],
)
def test_a_stack_learns_what_single_runs_learn(settings):
    wanted = job("vgg", "log_learn", "method.max_epochs=4", *settings)
    together, methods = runs(wanted, 3)
    fit(together, methods, wanted.optimizer, "cpu")
    apart, methods = runs(wanted, 3)
    for network, method, other in zip(apart, methods, together, strict=True):
        fit([network], [method], wanted.optimizer, "cpu")
        assert_same(network, other, 1e-9)


def runs_of_different_lengths(wanted):
    networks, methods = runs(wanted, 3)
    patience = (0, 9, 0)
    pairs = zip(methods, patience, strict=True)
    return networks, [replace(method, patience=epochs) for method, epochs in pairs]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["momentum", "adamw"])
def test_a_finished_run_stays_still(name):
    """Momentum and Adam would move weights on, were they asked for another step."""
    wanted = job("proto", "log_learn", "method.max_epochs=4", *SETTINGS[name])
    together, methods = runs_of_different_lengths(wanted)
    histories = fit(together, methods, wanted.optimizer, "cpu")
    assert len({history.epochs for history in histories}) > 1
    apart, methods = runs_of_different_lengths(wanted)
    for network, method, history, other in zip(apart, methods, histories, together, strict=True):
        (alone,) = fit([network], [method], wanted.optimizer, "cpu")
        assert (history.epochs, history.updates) == (alone.epochs, alone.updates)
        assert_same(network, other, 1e-9)


def test_a_single_run_is_the_loop_of_torch():
    wanted = job("sb_cnn", "log_learn", "method.max_epochs=3", *SETTINGS["schedule"])
    (ours,), (method,) = runs(wanted, 1)
    fit([ours], [method], wanted.optimizer, "cpu")
    (plain,), (method,) = runs(wanted, 1)
    plain.classifier.initialise(method.generators.init)
    adam = torch.optim.Adam(plain.train().parameters(), lr=0.001)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(adam, 3)
    for _ in range(3):
        for batch in method.batches(plain.classifier.dropout_sizes):
            adam.zero_grad()
            patches = method.data.patches(batch)
            method.loss(plain, patches, method.data.labels[batch.clips], batch.noise).backward()
            adam.step()
        schedule.step()
    assert_same(plain, ours, 1e-9)


def test_groups_have_rates_and_decays_of_their_own():
    (network,), _ = runs(job("vgg", "leaf"), 1)
    optimizer = make_optimizer(network, settings_of(*SETTINGS["adamw"]))
    classifier, frontend = optimizer.param_groups
    assert (classifier["lr"], classifier["weight_decay"]) == (0.001, 0.01)
    assert (frontend["lr"], frontend["weight_decay"]) == (0.1, 0)
    assert {id(each) for each in frontend["params"]} == {
        id(each) for each in network.frontend.parameters()
    }


def test_a_frontends_rate_is_scaled_by_its_factor():
    (network,), _ = runs(job("timbre", "log_learn"), 1)
    network.frontend.learning_rate_factor = 0.1
    _, frontend = make_optimizer(network, settings_of("optimizer.lr=0.5")).param_groups
    assert frontend["lr"] == pytest.approx(0.05)
    fixed = settings_of("optimizer.frontend={lr: 0.3}")
    assert make_optimizer(network, fixed).param_groups[1]["lr"] == 0.3


def rates_of(settings):
    """The classifier's learning rate in four epochs."""
    (network,), _ = runs(job("timbre", "log_learn"), 1)
    optimizer = make_optimizer(network, settings)
    schedule = make_scheduler(optimizer, settings)
    rates = []
    for _ in range(4):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return rates


def test_a_schedule_of_torch():
    settings = settings_of("optimizer=adam", COSINE)
    assert rates_of(settings) == pytest.approx([0.001, 0.00075, 0.00025, 0], abs=1e-12)


def test_schedules_put_together_and_parts_that_are_partial():
    of = "_target_: torch.optim.lr_scheduler"
    parts = [
        f"{{{of}.LinearLR, start_factor: 0.5, total_iters: 2}}",
        f"{{{of}.ExponentialLR, gamma: 0.1}}",
    ]
    both = f"{{{of}.SequentialLR, milestones: [2], schedulers: [{','.join(parts)}]}}"
    settings = settings_of(
        "optimizer=adam",
        "optimizer.lr=1",
        "+optimizer._partial_=true",
        f"optimizer.scheduler={both}",
    )
    assert rates_of(settings) == pytest.approx([0.5, 0.75, 1, 0.1])


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        (["optimizer.lr=-1"], "optimizer: Invalid learning rate"),
        (["optimizer.frontend={rate: 1}"], "optimizer.frontend: rate is no option of sgd"),
        (
            ["optimizer.scheduler={_target_: torch.optim.lr_scheduler.ReduceLROnPlateau}"],
            "needs a metric after each epoch",
        ),
    ],
)
def test_options_that_torch_does_not_take(settings, text):
    (network,), _ = runs(job("timbre", "log_learn"), 1)
    with pytest.raises(ConfigError, match=text):
        made = settings_of(*settings)
        make_scheduler(make_optimizer(network, made), made)


def test_gradients_are_clipped_only_where_a_norm_is_set():
    wanted = job("vgg", "log_eps", "method.max_epochs=1", "optimizer.max_grad_norm=0.01")
    moved = []
    for norm in (0.01, None):
        (network,), (method,) = runs(wanted, 1)
        fit([network], [method], replace(wanted.optimizer, max_grad_norm=norm), "cpu")
        (start,), (method,) = runs(wanted, 1)
        start.classifier.initialise(method.generators.init)
        pairs = zip(network.parameters(), start.parameters(), strict=True)
        moved.append(torch.stack([(one - other).norm() for one, other in pairs]).norm().item())
    assert moved[0] == pytest.approx(0.1 * 0.01, rel=1e-3)
    assert moved[1] > 2 * moved[0]


@pytest.mark.parametrize("frontend", ["leaf", "sincnet", "mel_pcen"])
def test_in_runs_nothing_beyond_a_bound_has_a_gradient(frontend):
    """As in the source, whose clamps are plain; `project` brings filters back."""
    composed = compose.composed(["dataset=synthetic", "model=timbre", f"frontend={frontend}"])
    made = build_network(config.job(composed), 5).frontend
    if frontend == "sincnet":
        beyond, values = made.filters.band, lambda: made.filters.edges()[1]
    else:
        beyond, values = made.compression.smooth, lambda: made.compression.bounded()["smooth"]
    with torch.no_grad():
        beyond.fill_(20.0)
    for sign in (1, -1):
        (sign * values()).sum().backward()
        assert beyond.grad.abs().max() == 0
