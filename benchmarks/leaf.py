"""How long LEAF takes, engine by engine, beside the mel spectrogram."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import torch
from torch import Tensor

from benchmarks.measure import apart, machine, median, medians, resident
from fewshot_audio import config
from fewshot_audio.components import build
from fewshot_audio.features.transforms import MelTransform
from fewshot_audio.frontends.filterbank.filterbank import Filterbank
from fewshot_audio.frontends.pcen import smoothed_over_frames
from fewshot_audio.runner import environment

SECONDS = 3  # of a patch
CASES = ((44100, 128, 1024), (16000, 40, 160))  # rate, filters, hop
ENGINES = ("conv", "exact", "fast")


def leaf(rounds: int, threads: int, patches: int) -> dict[str, Any]:
    """Milliseconds per patch of 3 s of noise, forward and with backward, of each engine and of the
    mel map; ratios; memory.

    Energies alone, spectra prepared, as in training; on a GPU where there is one (not the mel
    map). Medians of `rounds`, in one
    process, but for memory (MiB): what an update with one patch takes at its peak; on a CPU in a
    process of its own.
    """
    environment.set_up(threads, keep_memory=False)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    cases = [_case(*case, rounds, patches, device) for case in CASES]
    about = {
        "patches": patches,
        "rounds": rounds,
        "device": device,
        "tf32": torch.backends.cudnn.allow_tf32,
    }
    return {
        "bench": "leaf",
        **about,
        "machine": machine(threads),
        "cases": cases,
        "smoothing": _smoothing(rounds),
    }


def lines(result: dict[str, Any]) -> Iterator[str]:
    """A result for people."""
    for case in result["cases"]:
        yield (
            f"{case['rate']} Hz, {case['filters']} filters, hop {case['hop']}; "
            f"ms per patch of 3 s, mel {case['mel_ms']:.2f}"
        )
        for name, results in case["engines"].items():
            ratios = f"{results['forward_ratio']:6.1f} {results['backward_ratio']:6.1f}"
            times = (
                f"forward {results['forward_ms']:8.1f}  with backward {results['backward_ms']:8.1f}"
            )
            mel, memory = (
                f"{results['forward_in_mel_maps']:6.1f} mel maps",
                f"memory {results['memory_mib']} MiB",
            )
            yield f"  {name:6} {times}  conv is {ratios} times as long  forward is {mel}  {memory}"
    yield f"smoothing of 1000 frames: the loop is {result['smoothing']['ratio']} times as long"


def _case(
    rate: int, filters: int, hop: int, rounds: int, patches: int, device: str
) -> dict[str, Any]:
    noise = torch.randn(patches, SECONDS * rate, generator=torch.Generator().manual_seed(0)) / 10
    ready = {engine: _ready(engine, rate, filters, hop, noise, device) for engine in ENGINES}
    actions = {
        (engine, what): (action, ready[engine])
        for engine in ENGINES
        for what, action in PASSES.items()
    }
    taken = medians(
        {name: partial(action, *given) for name, (action, given) in actions.items()}, rounds
    )
    results: dict[str, dict[str, Any]] = {
        engine: {f"{what}_ms": 1000 * taken[engine, what] / patches for what in PASSES}
        for engine in ENGINES
    }
    for engine, (made, _) in ready.items():
        shares = getattr(made.engine, "shares", None)
        update = engine, rate, filters, hop, shares, device
        results[engine]["memory_mib"] = (
            _memory(*update) if device == "cuda" else apart(_memory, *update)
        )
    for each in results.values():
        for part in PASSES:
            each[f"{part}_ratio"] = round(results["conv"][f"{part}_ms"] / each[f"{part}_ms"], 1)
    mel = MelTransform(rate, 2048, hop, "reflect")
    mel_ms = 1000 * median(lambda: [mel(each) for each in noise.numpy()], rounds) / patches
    for each in results.values():
        each["forward_in_mel_maps"] = round(each["forward_ms"] / mel_ms, 1)
    return {"rate": rate, "filters": filters, "hop": hop, "mel_ms": mel_ms, "engines": results}


def _ready(
    engine: str, rate: int, filters: int, hop: int, noise: Tensor, device: str
) -> tuple[Filterbank, tuple[Tensor, ...]]:
    """LEAF with an engine, calibrated on the noise, and what it prepares of it."""
    made, inputs = _prepared(engine, rate, filters, hop, noise, device)
    made.calibrate(*inputs)
    return made, inputs


def _prepared(
    engine: str, rate: int, filters: int, hop: int, noise: Tensor | None = None, device: str = "cpu"
) -> tuple[Filterbank, tuple[Tensor, ...]]:
    """LEAF with an engine, and what it prepares of noise, of one patch where none is given."""
    noise = torch.rand(1, SECONDS * rate) - 0.5 if noise is None else noise
    settings = [
        f"sample_rate={rate}",
        f"hop={hop}",
        f"n_bands={filters}",
        f"frontend/engine={engine}",
    ]
    job = config.job(config.composed(["dataset=synthetic", "frontend=leaf", *settings]))
    made = build(job.frontend, Filterbank).to(device)
    return made, made.prepare(
        noise.to(device)[..., None], torch.full((len(noise),), noise.shape[1], device=device)
    )


def _energies(made: Filterbank, inputs: tuple[Tensor, ...]) -> None:
    with torch.inference_mode():  # as test clips are filtered
        made.energies(*inputs[1:])


def _update(made: Filterbank, inputs: tuple[Tensor, ...]) -> None:
    made.energies(*inputs[1:]).square().mean().backward()


def _memory(
    engine: str, rate: int, filters: int, hop: int, shares: Tensor | None, device: str
) -> int:
    """MiB that an update takes beyond what is prepared; on a CPU without some 10 of libraries'
    code that is loaded meanwhile.
    """
    if device == "cpu":
        environment.set_up(1, keep_memory=False)
    made, inputs = _prepared(engine, rate, filters, hop, device=device)
    calibrated: Any = made.engine
    calibrated.shares = shares  # as calibrated elsewhere: that takes memory of its own
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
        earlier = torch.cuda.memory_allocated()
        _update(made, inputs)
        return round((torch.cuda.max_memory_allocated() - earlier) / 2**20)
    before = resident()
    _update(made, inputs)
    after = resident()
    return round(after["VmHWM"] - after["RssFile"] - before["RssAnon"])


def _smoothing(rounds: int) -> dict[str, float]:
    """PCEN's smoothing of a map of 1000 frames and 128 bands, with its gradient, against a loop
    over frames; on the CPU.
    """
    x, weight = torch.rand(1, 1000, 128), torch.full((128,), 0.04, requires_grad=True)
    both = {
        "ms": lambda: smoothed_over_frames(x, weight).sum().backward(),
        "loop_ms": lambda: _loop(x, weight).sum().backward(),
    }
    taken = {name: 1000 * each for name, each in medians(both, rounds).items()}
    return taken | {"ratio": round(taken["loop_ms"] / taken["ms"], 1)}


def _loop(x: Tensor, weight: Tensor) -> Tensor:
    state, results = x[:, 0], []
    for frame in x.unbind(1):
        state = weight * frame + (1 - weight) * state
        results.append(state)
    return torch.stack(results, 1)


PASSES = {"forward": _energies, "backward": _update}
