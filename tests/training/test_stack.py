"""Stacks of runs against the same runs one by one."""

from dataclasses import replace

import pytest
import torch
from stack_cases import CLASSES, MODELS, PAIRS, REST, assert_same, job, runs
from torch.nn import functional

from defaults import SGD
from fewshot_audio.components import build
from fewshot_audio.frontends.base import Frontend
from fewshot_audio.training.batchnorm import reestimate
from fewshot_audio.training.loop import fit, updates_of
from fewshot_audio.training.methods.base import Batch
from fewshot_audio.training.stack import SingleRun, StackedRuns, make_stack
from fewshot_audio.training.stack_limits import bytes_of_run


@pytest.mark.parametrize(
    ("model", "frontend"),
    [
        pytest.param(*pair, marks=pytest.mark.slow) if pair[0] in ("sb_cnn", "timm") else pair
        for pair in PAIRS
    ]
    + REST,
)
def test_a_stack_of_three_equals_three_of_one(model, frontend):
    """In double precision: in single, maxima change place by rounding."""
    whole = not build(job(model, frontend).frontend, Frontend).pointwise  # slow
    wanted = job(model, frontend, f"method.max_epochs={1 if whole else 2}")
    together, methods = runs(wanted, 3)
    histories = fit(together, methods, SGD, "cpu")
    apart, methods = runs(wanted, 3)
    for network, method, history, other in zip(apart, methods, histories, together, strict=True):
        (alone,) = fit([network], [method], SGD, "cpu")
        assert_same(network, other, 1e-9)
        assert (history.epochs, history.updates, history.stop_reason) == (
            alone.epochs,
            alone.updates,
            alone.stop_reason,
        )
        for name, path in alone.history.items():
            start = 1 if name == "train loss" else 0  # no epoch before the first
            assert history.history[name][start:] == pytest.approx(path[start:], rel=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize(("model", "frontend"), [(model, "log_learn") for model in MODELS])
def test_a_stack_equals_single_runs_in_single_precision(model, frontend):
    """To 1e-5; prototypical networks in 99 of 100 numbers, where maxima change place."""
    wanted = job(model, frontend, "method.max_epochs=1")
    together, methods = runs(wanted, 3, torch.float32)
    fit(together, methods, SGD, "cpu")
    apart, methods = runs(wanted, 3, torch.float32)
    for network, method, other in zip(apart, methods, together, strict=True):
        fit([network], [method], SGD, "cpu")
        found = other.state_dict()
        pairs = [
            (each.flatten().double(), found[name].flatten().double())
            for name, each in network.state_dict().items()
        ]
        one, two = (torch.cat(each) for each in zip(*pairs, strict=True))
        off = (one - two).abs() / (1 + one.abs())
        prototypical = model.startswith("proto")
        assert off.quantile(0.99 if prototypical else 1) < 1e-5
        assert off.max() < 1e-3


def test_a_run_that_ends_holds_still_while_others_go_on():
    """Prototypical runs end when their accuracy on the training clips says so."""
    wanted = job("proto", "log_learn", "method.max_epochs=8", "method.patience=0")
    together, methods = runs(wanted, 3)
    histories = fit(together, methods, SGD, "cpu")
    assert len({history.epochs for history in histories}) > 1
    apart, methods = runs(wanted, 3)
    for network, method, history, other in zip(apart, methods, histories, together, strict=True):
        (alone,) = fit([network], [method], SGD, "cpu")
        assert (history.epochs, history.updates, history.stop_reason) == (
            alone.epochs,
            alone.updates,
            alone.stop_reason,
        )
        assert_same(network, other, 1e-9)


def test_a_run_that_diverges_spoils_no_other():
    wanted = job("vgg", "log_learn", "method.max_epochs=2")
    together, methods = runs(wanted, 3)
    bad = methods[1].data.inputs[0].clone()
    bad[0] = torch.nan
    methods[1] = replace(methods[1], data=methods[1].data._replace(inputs=(bad,)))
    fit(together, methods, SGD, "cpu")
    assert not any(each.isfinite().all() for each in together[1].parameters())
    apart, methods = runs(wanted, 3)
    for run in (0, 2):
        fit([apart[run]], [methods[run]], SGD, "cpu")
        assert_same(apart[run], together[run], 1e-9)


def test_each_run_of_a_stack_is_clipped_by_its_own_norm():
    """One gradient is far longer than allowed, the others are not; torch clips each alone."""
    wanted = job("sb_cnn", "log_eps")
    networks, methods = runs(wanted, 3)
    methods = [
        replace(each, weight_decay=decay)
        for each, decay in zip(methods, (0.0, 0.0, 10.0), strict=True)
    ]
    stack = make_stack(networks, methods)
    gradients = {}
    for run, network in enumerate(networks):
        torch.manual_seed(run)
        for name, each in network.named_parameters():
            each.grad = torch.randn_like(each) * (0.001 if run == 0 else 1)
            gradients.setdefault(name, []).append(each.grad.clone())
        torch.nn.utils.clip_grad_norm_(network.parameters(), 0.5)
    for name, each in stack.all.named_parameters():
        each.grad = torch.stack(gradients[name])
    expected = [[each.grad for each in network.parameters()] for network in networks]
    stack.gradients(0.5)
    for network, gradients in zip(networks, expected, strict=True):
        torch.testing.assert_close([each.grad for each in network.parameters()], gradients)


def test_batch_norm_is_re_estimated_in_stacks():
    wanted = job("vgg", "log_eps", "method.max_epochs=2", "method.reestimate_batch_norm=true")
    together, methods = runs(wanted, 2)
    fit(together, methods, SGD, "cpu")
    for network, method in zip(together, methods, strict=True):
        reestimate(network, method, method.data)
    apart, methods = runs(wanted, 2)
    for network, method, other in zip(apart, methods, together, strict=True):
        fit([network], [method], SGD, "cpu")
        stored = network.classifier.input_norm.running_mean.clone()
        reestimate(network, method, method.data)
        assert (network.classifier.input_norm.running_mean - stored).abs().item() > 1e-3
        assert_same(network, other, 1e-9)


@pytest.mark.parametrize("frontend", ["log_eps", "leaf"])
def test_one_run_trains_alone_and_several_as_one_network(frontend):
    assert type(make_stack(*runs(job("timbre", frontend), 1))) is SingleRun
    networks, methods = runs(job("timbre", frontend), 2)
    stack = make_stack(networks, methods)
    assert type(stack) is StackedRuns
    batches = {
        run: next(method.batches(networks[run].classifier.dropout_sizes))
        for run, method in enumerate(methods)
    }
    (update,) = updates_of(batches)
    stack.losses(update).sum().backward()
    for name, each in stack.all.named_parameters():
        assert each.shape == (2, *networks[0].get_parameter(name).shape)
        assert each.grad.flatten(1).any(1).all(), name


@pytest.mark.parametrize(("count", "by_cudnn"), [(1, True), (3, False)])
def test_batch_norm_of_stacks_alone_leaves_cudnn_out(count, by_cudnn):
    """cuDNN takes no layout that vmap gives it, as only a GPU would show."""
    seen = set()

    class Watched(torch.overrides.TorchFunctionMode):
        def __torch_function__(self, function, types, args=(), kwargs=None):
            if function in (functional.batch_norm, functional.conv2d):
                seen.add((function.__name__, torch.backends.cudnn.enabled))
            return function(*args, **(kwargs or {}))

    networks, methods = runs(job("vgg", "log_learn", "method.max_epochs=1"), count)
    with Watched():
        fit(networks, methods, SGD, "cpu")
    assert seen == {("batch_norm", by_cudnn), ("conv2d", True)}
    assert torch.backends.cudnn.enabled


@pytest.mark.slow
def test_stacked_supports_of_own_frontends_see_whole_clips():
    wanted = job("proto", "leaf", "method.own_frontend=true", "method.max_epochs=1")
    together, methods = runs(wanted, 2)
    fit(together, methods, SGD, "cpu")
    apart, methods = runs(wanted, 2)
    for network, method, other in zip(apart, methods, together, strict=True):
        fit([network], [method], SGD, "cpu")
        assert_same(network, other, 1e-9)
        pairs = zip(other.frontend.parameters(), other.support_frontend.parameters(), strict=True)
        assert any((one - support).abs().max() > 1e-9 for one, support in pairs)


@pytest.mark.slow
def test_approximate_engines_report_the_same_in_a_stack():
    wanted = job("timbre", "leaf", "frontend/engine=fast", "method.max_epochs=4")
    together, methods = runs(wanted, 2)
    fit(together, methods, SGD, "cpu")
    apart, methods = runs(wanted, 2)
    for network, method, other in zip(apart, methods, together, strict=True):
        fit([network], [method], SGD, "cpu")
        report = network.frontend.report()["engine"]
        assert report["clips"] == len(method.data.labels)
        assert other.frontend.report()["engine"] == pytest.approx(report, rel=1e-6)


def test_updates_gather_the_runs_with_batches_of_one_size():
    def batch(size, run):
        return Batch(torch.full((size,), run), torch.arange(size), (torch.zeros(size, 7),))

    found = updates_of({0: batch(4, 0), 2: batch(5, 2), 3: batch(4, 3)})
    assert [update.runs for update in found] == [(0, 3), (2,)]
    assert found[0].batch.clips.tolist() == [[0] * 4, [3] * 4]
    assert found[0].batch.noise[0].shape == (2, 4, 7)
    assert found[0].batch.of(1).clips.tolist() == [3] * 4


def test_the_memory_of_a_run_counts_all_that_it_needs():
    """It counts data, weights and what the backward pass needs.

    TIMBRE keeps its input, the normalised patches and the windows that won.
    """
    small, large = (
        bytes_of_run(*(each[0] for each in runs(job("timbre", "log_eps"), 1, torch.float32, clips)))
        for clips in (2, 4)
    )
    patches = 2 * CLASSES * 128 * 128 * 4
    assert 2 * patches < large - small < 40 * patches
    network, method = (each[0] for each in runs(job("timbre", "log_eps"), 1, torch.float32))
    before = [generator.get_state() for generator in vars(method.generators).values()]
    bytes_of_run(network, method)
    assert all(
        torch.equal(a, b.get_state())
        for a, b in zip(before, vars(method.generators).values(), strict=True)
    )
    assert all(each.grad is None for each in network.parameters())
