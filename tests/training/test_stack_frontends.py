"""Frontends on waveforms in stacks, in steps as large as a GPU's, against run by run on a CPU."""

from copy import deepcopy
from functools import partial

import pytest
import torch
from benchmarks.stacks import launches
from stack_cases import job, runs

from fewshot_audio.frontends.base import Compression
from fewshot_audio.frontends.filterbank.engines import blockwise
from fewshot_audio.training.loop import calibrate, initialise, updates_of
from fewshot_audio.training.methods.base import Batch
from fewshot_audio.training.stack import Update, make_stack
from fewshot_audio.training.stack_limits import why_not_stacked

FAST, EXACT = "frontend/engine=fast", "frontend/engine=exact"
CASES = [
    ("leaf", FAST),
    pytest.param("leaf", EXACT, marks=pytest.mark.slow),
    pytest.param("leaf", "frontend/compression=norm", marks=pytest.mark.slow),
    pytest.param("efficient_leaf", FAST, marks=pytest.mark.slow),
    ("sincnet", "frontend.hop=${hop}"),
    pytest.param("td_fbanks", "frontend.hop=${hop}", marks=pytest.mark.slow),
    ("mel_pcen", "frontend.alpha=0.9"),
]


def stack_of(count, frontend, *settings, dtype=torch.float64):
    networks, methods = runs(job("timbre", frontend, *settings), count, dtype, clips=1)
    for network, method in zip(networks, methods, strict=True):
        initialise(network.train(), method)
    stack = make_stack(networks, methods)
    for network, data in zip(stack.networks, stack.data, strict=True):
        calibrate(network, data)
    return stack


def update_of(stack, numbers):
    sizes = stack.networks[0].classifier.dropout_sizes
    (update,) = updates_of({run: next(stack.methods[run].batches(sizes)) for run in numbers})
    return update


def alone(network):
    """A copy with weights of its own, which filters as the network of one run does."""
    copied = deepcopy(network)
    for mine, theirs in zip(copied.parameters(), network.parameters(), strict=True):
        mine.data, mine.grad = theirs.detach().clone(), None
    return copied


def together(stack, update):
    stack.zero_grad()
    losses = stack.losses(update)
    losses.sum().backward()
    stack.gradients(None)
    return losses


def largest_difference(stack, update):
    """Of losses, of gradients as shares of the largest of their tensor, and of statistics."""
    copies = {run: alone(stack.networks[run]) for run in update.runs}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blockwise, "saves_launches", lambda like: True)
        losses = together(stack, update)
    largest = 0.0
    for place, (run, network) in enumerate(copies.items()):
        method, batch = stack.methods[run], update.batch.of(place)
        loss = method.loss(network, *method.data.of(batch))
        loss.backward()
        pairs = [(loss, losses[place])]
        for mine, theirs in zip(
            network.parameters(), stack.networks[run].parameters(), strict=True
        ):
            if mine.grad is not None and mine.grad.any():
                scale = mine.grad.abs().max()
                pairs.append((mine.grad / scale, theirs.grad / scale))
        pairs += zip(network.buffers(), stack.networks[run].buffers(), strict=True)
        for mine, theirs in pairs:
            largest = max(largest, (mine - theirs).abs().max().item())
    return largest


@pytest.mark.parametrize(("frontend", "setting"), CASES)
def test_a_stack_of_other_clip_lengths_equals_its_runs(frontend, setting):
    stack = stack_of(3, frontend, setting)
    assert len({int(data.lengths.max()) for data in stack.data}) > 1
    assert largest_difference(stack, update_of(stack, (0, 1, 2))) < 1e-9


@pytest.mark.parametrize("engine", [pytest.param(FAST, marks=pytest.mark.slow), EXACT])
def test_a_stack_equals_its_runs_in_single_precision(engine):
    stack = stack_of(2, "leaf", engine, dtype=torch.float32)
    assert largest_difference(stack, update_of(stack, (0, 1))) < 1e-4


def test_runs_with_other_clip_counts_equal_single_runs():
    """The numbers of clips in a batch differ."""
    stack = stack_of(2, "efficient_leaf", FAST)
    noise = update_of(stack, (0, 1)).batch.noise
    some = torch.tensor([[0, 1, 2], [2, 1, 1]])
    update = Update((0, 1), Batch(some, torch.zeros_like(some), noise))
    assert largest_difference(stack, update) < 1e-9
    some[0] = torch.tensor([2, 2, 0])  # as many, each several times
    assert largest_difference(stack, update) < 1e-9


def test_a_run_that_has_finished_keeps_weights_and_statistics():
    stack = stack_of(3, "efficient_leaf", FAST)
    before = deepcopy(stack.networks[1].state_dict())
    moved = stack.networks[0].frontend.compression.norm.running_mean.clone()
    assert largest_difference(stack, update_of(stack, (0, 2))) < 1e-9
    assert not any(each.grad.any() for each in stack.networks[1].parameters())
    for name, each in stack.networks[1].state_dict().items():
        assert torch.equal(each, before[name]), name
    assert not torch.equal(stack.networks[0].frontend.compression.norm.running_mean, moved)


def test_launches_of_an_update_do_not_grow_with_runs():
    """But for band sizes that one run has and another one has not."""
    counts = {}
    for count in (1, 2, 5):
        stack = stack_of(count, "leaf", FAST, dtype=torch.float32)
        counts[count] = launches(partial(together, stack, update_of(stack, range(count))))
    assert counts[5] < 1.1 * counts[2]
    assert counts[2] < 1.1 * counts[1]
    assert max(counts.values()) < 1000


class OfNumbers(Compression):
    """One that torch.func.vmap cannot run."""

    def compress(self, energies, frames):
        return energies * energies.mean().item()


def test_a_compression_that_vmap_cannot_run_trains_alone():
    networks, methods = runs(job("timbre", "leaf"), 2, torch.float32)
    assert why_not_stacked(networks, 128, methods[0].data) is None
    for network in networks:
        network.frontend.compression = OfNumbers()
    assert "torch.func.vmap cannot run it" in why_not_stacked(networks, 128, methods[0].data)
