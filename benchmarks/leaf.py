"""How long LEAF takes, engine by engine, beside the mel spectrogram."""

from functools import partial
from typing import Any

import torch
from torch import Tensor

from benchmarks.measure import apart, machine, median, medians, resident
from fewshot_audio import compose, config
from fewshot_audio.components import build
from fewshot_audio.features.transforms import MelTransform
from fewshot_audio.frontends.filterbank.filterbank import Filterbank
from fewshot_audio.runner import environment

SECONDS = 3  # of a patch
CASES = ((44100, 128, 1024), (16000, 40, 160))  # rate, filters, hop
ENGINES = ("conv", "exact", "fast")


def leaf(rounds: int, threads: int, patches: int) -> dict[str, Any]:
    """Milliseconds per patch of 3 s of noise, forward and with backward, of each engine and of the
    mel map; ratios; memory.

    Energies alone, spectra prepared, as in training; on a GPU where there is one (not the mel
    map). Medians of `rounds`, in one process, but for memory (MiB): what an update with one patch
    takes at its peak; on a CPU in a process of its own.
    """
    environment.set_up(threads, keep_memory=False)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    cases = [_case(*case, rounds, patches, device) for case in CASES]
    about = {"patches": patches, "rounds": rounds, "device": device}
    about |= {"tf32": torch.backends.cudnn.allow_tf32, "machine": machine(threads)}
    return {"bench": "leaf", **about, "cases": cases}


def _case(
    rate: int, filters: int, hop: int, rounds: int, patches: int, device: str
) -> dict[str, Any]:
    noise = torch.randn(patches, SECONDS * rate, generator=torch.Generator().manual_seed(0)) / 10
    ready = {engine: _prepared(engine, rate, filters, hop, noise, device) for engine in ENGINES}
    for made, inputs in ready.values():
        made.calibrate(*inputs)
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
    job = config.job(compose.composed(["dataset=synthetic", "frontend=leaf", *settings]))
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


PASSES = {"forward": _energies, "backward": _update}
