"""What runs on a GPU against the same on a CPU; skipped where there is none."""

from dataclasses import replace

import pytest
import torch
from stack_cases import MODELS, PAIRS, REST, assert_same, runs
from stack_cases import job as small_job

from defaults import SGD
from engine_cases import CASES, batch, distance, energies_and_gradients, parts
from fewshot_audio import compose, config
from fewshot_audio.components import build
from fewshot_audio.frontends.base import Frontend
from fewshot_audio.frontends.filterbank.engines.blocks import Blocks
from fewshot_audio.frontends.filterbank.engines.conv import Conv
from fewshot_audio.frontends.filterbank.engines.exact import Exact
from fewshot_audio.frontends.filterbank.engines.fast import Fast
from fewshot_audio.frontends.filterbank.engines.rectified import Rectified, RectifiedMaximum
from fewshot_audio.frontends.filterbank.framing import Placement
from fewshot_audio.runner import environment
from fewshot_audio.runner import execute as work
from fewshot_audio.runner.attempt import open_job
from fewshot_audio.runner.store import Store
from fewshot_audio.training.loop import fit, training_set
from fewshot_audio.training.run import max_stack_size
from fewshot_audio.training.stack_limits import bytes_of_run

pytestmark = [
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU"),
    pytest.mark.filterwarnings("default"),  # of libraries about the machine
]
FRONTENDS = compose.complete("frontend")


@pytest.fixture(autouse=True)
def _float32():
    environment.set_up(1, keep_memory=False)


@pytest.mark.parametrize(("rate", "filters", "hop", "align", "samples"), CASES)
@pytest.mark.parametrize(
    ("kind", "tolerance"),
    [
        (Conv, 1e-5),
        (Blocks, 1e-5),
        (lambda placement: Exact(placement, placement.taps % 2 == 1), 1e-5),
        (lambda placement: Fast(placement, placement.taps % 2 == 1), 1e-2),
    ],
    ids=["conv", "blocks", "exact", "fast"],
)
def test_every_engine_of_a_gpu_is_the_plain_one_of_a_cpu(
    rate, filters, hop, align, samples, kind, tolerance
):
    gabor, pooling, taps = parts(rate, filters)
    placement, (waveforms, lengths) = Placement(taps, hop, align), batch(samples)
    plain, plain_gradients = energies_and_gradients(
        Conv(placement), gabor, pooling, waveforms, lengths
    )
    engine, gabor, pooling, waveforms, lengths = (
        kind(placement),
        *(each.cuda() for each in (gabor, pooling, waveforms, lengths)),
    )
    with torch.no_grad():
        engine.calibrate(
            gabor.impulse_responses(), pooling.windows(), 1e-5, *engine.prepare(waveforms, lengths)
        )
    found, gradients = energies_and_gradients(engine, gabor, pooling, waveforms, lengths)
    assert distance(found.cpu(), plain) < tolerance
    assert all(
        distance(ours.cpu(), theirs) < 30 * tolerance
        for ours, theirs in zip(gradients, plain_gradients, strict=True)
    )


@pytest.mark.parametrize("largest", [True, False])
def test_rectified_filters_on_a_gpu(largest):
    random = torch.Generator().manual_seed(0)
    filters, windows = torch.randn(11, 101, generator=random), torch.rand(11, 101, generator=random)
    engine, clips, found = (
        (RectifiedMaximum if largest else Rectified)(Placement(101, 40, "centre")),
        batch((3000, 1777, 130, 1)),
        [],
    )
    for device in ("cpu", "cuda"):
        learned = [
            each.to(device).requires_grad_()
            for each in ([filters] if largest else [filters, windows])
        ]
        given = [*learned, windows.to(device)][:2]
        energies = engine.energies(*given, *engine.prepare(*(each.to(device) for each in clips)))[
            :, :4
        ]
        found.append([energies, *torch.autograd.grad(energies.square().sum(), learned)])
    for one, other in zip(*found, strict=True):
        assert distance(other.detach().cpu(), one.detach()) < 1e-4


@pytest.mark.parametrize("name", FRONTENDS)
def test_every_frontend_gives_the_same_maps_and_gradients(name):
    made, found = build(small_job("timbre", name).frontend, Frontend), []
    made.initialise(torch.Generator().manual_seed(0))
    shape = (4000, 1) if made.reads == "waveform" else (30, 128)
    clips = [
        torch.rand((length, shape[1]), generator=torch.Generator().manual_seed(length)) / 10
        for length in (shape[0], 25)
    ]
    data = training_set(made, clips, [0, 1])
    for device in ("cpu", "cuda"):
        made, inputs = made.to(device), data.to(device).inputs
        made.calibrate(*inputs)
        made.zero_grad()
        maps = made.compute(*inputs)[:1]  # all of its frames are its own
        if maps.requires_grad:
            maps.square().sum().backward()
        found.append(
            [
                maps.detach().cpu(),
                *(each.grad.clone().cpu() for each in made.parameters() if each.grad is not None),
            ]
        )
    for one, other in zip(*found, strict=True):
        assert distance(other, one) < 1e-4


@pytest.mark.parametrize(("model", "frontend"), PAIRS + REST)
def test_a_stack_on_a_gpu_equals_single_runs_on_a_cpu(model, frontend):
    """In double precision, as on a CPU: in single a different order of sums is soon amplified."""
    job_settings = small_job(model, frontend, "method.max_epochs=1")
    together, methods = runs(job_settings, 3)
    histories = fit(together, methods, SGD, "gpu")
    apart, methods = runs(job_settings, 3)
    for network, method, history, other in zip(apart, methods, histories, together, strict=True):
        (alone,) = fit([network], [method], SGD, "cpu")
        assert other.device.type == "cuda"
        assert_same(network, other.cpu(), 1e-8)
        assert (history.epochs, history.updates, history.stop_reason) == (
            alone.epochs,
            alone.updates,
            alone.stop_reason,
        )


@pytest.mark.parametrize("frontend", ["log_learn", "leaf"])
def test_a_job_trains_one_stack_and_scores_it_there(job, machine, frontend):
    job_settings = small_job(
        "timbre", frontend, "repeats=3", "n_per_class=2", "method.max_epochs=3"
    )
    job_settings = replace(
        job,
        method=job_settings.method,
        frontend=job_settings.frontend,
        mel=job_settings.mel,
        repeats={2: 3},
    )
    found = {}
    for accelerator in ("cpu", "auto"):
        here = replace(machine, results=machine.results / accelerator, accelerator=accelerator)
        assert work.run(job_settings, here).failed == ()
        found[accelerator] = sorted(Store(here.results).records(), key=lambda line: line["key"])
    for one, other in zip(*found.values(), strict=True):
        assert (one["key"], one["few_shot_split"], one["test_clips"]) == (
            other["key"],
            other["few_shot_split"],
            other["test_clips"],
        )
        assert (one["stack_size"], other["stack_size"]) == (1, 3)
        assert torch.cuda.get_device_name() in other["device"]
        assert (
            abs(one["metrics"]["accuracy"] - other["metrics"]["accuracy"])
            <= 1.01 / one["test_clips"]
        )
        for name, value in one["learned"].items():
            assert other["learned"][name] == pytest.approx(value, rel=1e-2)


@pytest.mark.parametrize(
    ("model", "frontend"), [*((model, "log_learn") for model in MODELS), ("timbre", "leaf")]
)
def test_a_stack_takes_the_memory_that_was_foreseen(model, frontend):
    """Nets of their full size; a stack of 8 beside what it is said to need."""
    settings = [
        "dataset=synthetic",
        f"model={model}",
        f"frontend={frontend}",
        "sample_rate=8000",
        "hop=192",
        "method.max_epochs=1",
    ]
    job_settings = config.job(compose.composed(settings))
    networks, methods = runs(job_settings, 8, torch.float32, clips=10)
    foreseen = 8 * bytes_of_run(networks[0].to("cuda"), methods[0])
    networks[0].to("cpu")
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    fit(networks, methods, SGD, "gpu")
    taken = torch.cuda.max_memory_allocated() - before
    passing = 2**27 * (frontend == "leaf")  # through its engine, however many runs there are
    assert 0.25 * foreseen < taken < 1.1 * foreseen + passing, (taken, foreseen)


def test_as_many_runs_fit_as_memory_takes(job, machine):
    here = open_job(job, machine)
    assert max_stack_size(job, here.data, 1, "auto") > 100
    assert max_stack_size(job, here.data, 1, "cpu") == 1
