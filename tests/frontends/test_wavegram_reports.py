"""Wavegram: spectra of kernels, reports, runs."""

from dataclasses import replace
from math import pi, sqrt

import numpy as np
import pytest
import torch
from random_wavegram import RATE, wavegram

from defaults import SGD
from fewshot_audio import compose, config
from fewshot_audio.frontends.wavegram import spectra
from fewshot_audio.runner import execute as work
from fewshot_audio.runner.store import Store
from fewshot_audio.training.batchnorm import PASSES, reestimate
from fewshot_audio.training.loop import fit
from fewshot_audio.training.methods.base import Generators
from fewshot_audio.training.prepare import prepared


def test_spectra_in_hz():
    t = torch.arange(-200, 201) / RATE
    widths = torch.tensor(
        [[100.0], [150.0], [200.0]]
    )  # full, of the amplitude, at half its maximum
    envelopes = torch.exp(-0.5 * (t * 2 * pi * widths / (2 * sqrt(2 * np.log(2)))) ** 2)
    report = spectra(
        envelopes * torch.cos(2 * pi * torch.tensor([[500.0], [1500.0], [3000.0]]) * t), RATE
    )
    assert report["centre"].tolist() == pytest.approx([500, 1500, 3000], rel=1e-3)
    assert report["bandwidth"].tolist() == pytest.approx([100, 150, 200], rel=1e-2)


def test_report_of_changes():
    made = wavegram()
    with torch.no_grad():
        made.convs[0].weight *= torch.exp(torch.arange(11.0))
        made.convs[6].weight *= 1.5
    report, learned = made.report(), made.learned_scalars()
    assert [report["summary"]["change, layer 7"], learned["change, layer 7"]] == pytest.approx(
        [0.5, 0.5]
    )
    assert report["summary"]["change, layer 2"] == 0 < learned["change, layer 1"]
    moved = abs(np.subtract(*(report["filters"]["centre"][when] for when in ("before", "after"))))
    assert moved.shape == (64,)
    assert sorted(moved)[31] == pytest.approx(learned["median drift, Hz"], abs=0.1)
    assert report["summary"]["largest drift, Hz"] == pytest.approx(moved.max(), abs=0.2)


def with_wavegram(job, *settings):
    """The job with a Wavegram, and with statistics estimated anew."""
    rates = ["sample_rate=16000", "hop=512"]
    quick = ["method.max_epochs=2", "method.test_hop=64", "method.reestimate_batch_norm=true"]
    choices = ["dataset=synthetic", "frontend=wavegram", "model=timbre"]
    composed = config.job(compose.composed([*choices, *rates, *quick, *settings]))
    return replace(job, frontend=composed.frontend, method=composed.method, repeats={1: 1})


@pytest.mark.slow
def test_a_job_records_how_far_it_went(job, machine):
    assert work.run(with_wavegram(job), machine).trained == 1
    (line,) = Store(machine.results).records()
    assert line["history"]["change, layer 1"][0] == 0 < line["history"]["change, layer 1"][-1]
    assert set(line["frontend_diagnostics"]["filters"]) == {"centre", "bandwidth"}
    assert line["frontend_diagnostics"]["summary"]["change, layer 7"] == pytest.approx(
        line["learned"]["change, layer 7"], rel=1e-4
    )
    assert line["unscored_clips"] == 0


@pytest.mark.slow
def test_it_learns_with_reestimated_statistics(job):
    """Three classes: brown, white and violet noise."""
    random = torch.Generator().manual_seed(0)
    white = [
        0.1 * torch.randn(size, 1, generator=random) for _ in range(3) for size in (6000, 9000)
    ]
    rows = [
        *(each.cumsum(0) / 30 for each in white[:2]),
        *white[2:4],
        *(each.diff(dim=0) for each in white[4:]),
    ]
    settings = with_wavegram(job, "method.max_epochs=8")
    network, method = prepared(settings, 3, rows, [0, 0, 1, 1, 2, 2], Generators.named("wavegram"))
    fit([network], [method], SGD, "cpu")
    reestimate(network, method, method.data)
    (batch,) = method.batches(())
    with torch.no_grad():
        loss = method.loss(
            network, method.data.patches(batch), method.data.labels[batch.clips], batch.noise
        )
    assert loss < 0.5 * np.log(3)
    norms, (waveforms, reached) = network.frontend.norms, method.data.inputs
    assert {(norm.num_batches_tracked.item(), norm.momentum) for norm in norms} == {(PASSES, 0.01)}
    x = network.frontend.convs[0](waveforms[:, None])
    own = torch.cat(
        [each[:, : 64 * count] for each, count in zip(x, reached.tolist(), strict=True)], 1
    )
    torch.testing.assert_close(norms[0].running_mean, own.mean(1), rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(norms[0].running_var, own.var(1), rtol=1e-4, atol=1e-6)
