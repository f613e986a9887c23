"""How long the layers take on waveforms, beside the public ports of LEAF that are installed."""

import importlib
import warnings
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from itertools import product
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.measure import apart, machine, medians, resident
from fewshot_audio.frontends import EfficientLeaf, Leaf, LogMel, PowerMel
from fewshot_audio.frontends.filterbank.leaf import EngineName

CASES = {  # rate, filters, hop in samples, clips, seconds
    "16 kHz, 40 filters, hop 10 ms, 8 x 1 s": (16000, 40, 160, 8, 1),
    "44.1 kHz, 128 filters, hop 441, 1 x 3 s": (44100, 128, 441, 1, 3),
}
PORTS = ("speechbrain", "nnAudio", "torchaudio")
ENGINES: tuple[EngineName, ...] = ("conv", "exact", "fast")


def frontends(rounds: int, threads: int) -> dict[str, Any]:
    """Milliseconds of a batch forward and with backward, from the waveform on; MiB at the peak.

    Ratios are the times of the fastest port over these, of `conv` where none is installed.
    All in one process and by turns, medians of rounds; memory in processes of their own. Denormal
    numbers count as 0: the tails of Gaussian filters are such, and some processors convolve with
    them twenty times as long, which `exact` and `fast` do not.
    """
    torch.set_num_threads(threads)
    torch.set_flush_denormal(True)
    cases = {title: _case(case, rounds) for title, case in CASES.items()}
    versions = {name: _version(name) for name in PORTS}
    about = {"rounds": rounds, "ports": versions, "machine": machine(threads)}
    return {"bench": "frontends", **about, "cases": cases}


def _case(case: tuple[int, ...], rounds: int) -> dict[str, dict[str, float]]:
    rate, filters, hop, clips, seconds = case
    waveform = torch.randn(clips, rate * seconds) / 10
    layers = _layers(rate, filters, hop)
    steps = {
        (name, what): _step(layer, waveform, what)
        for (name, layer), what in product(layers.items(), ("forward", "both"))
    }
    taken = medians(steps, rounds)
    ports = [name for name in layers if name.startswith("port ")] or ["Leaf, conv"]
    fastest = {what: min(taken[port, what] for port in ports) for what in ("forward", "both")}
    return {
        name: {
            "forward_ms": 1000 * taken[name, "forward"],
            "both_ms": 1000 * taken[name, "both"],
            "memory_mib": apart(_memory, name, case),
            "forward_ratio": round(fastest["forward"] / taken[name, "forward"], 2),
            "both_ratio": round(fastest["both"] / taken[name, "both"], 2),
        }
        for name in layers
    }


def _layers(rate: int, filters: int, hop: int) -> dict[str, nn.Module]:
    """Return the layers to compare, by name; those of ports where they are installed."""
    leaf: dict[str, Any] = {"n_filters": filters, "hop_length": hop}
    layers: dict[str, Any] = {
        "LogMel": LogMel(mel=PowerMel(rate, filters, hop_length=hop)),
        **{f"Leaf, {each}": Leaf(rate, engine=each, **leaf) for each in ENGINES},
        "EfficientLeaf, fast": EfficientLeaf(rate, engine="fast", **leaf),
    }
    for name in ("Leaf, fast", "EfficientLeaf, fast"):
        layers[name].calibrate_on(torch.randn(4, rate) / 10)
    for name, make in {"port SpeechBrain": _speechbrain, "mel torchaudio": _torchaudio}.items():
        try:
            layers[name] = make(rate, filters, hop)
        except ImportError:
            continue
    return layers


def _speechbrain(rate: int, filters: int, hop: int) -> nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        features = importlib.import_module("speechbrain.lobes.features")
    stride = 1000 * hop / rate
    return features.Leaf(filters, window_stride=stride, sample_rate=rate, in_channels=1)


def _torchaudio(rate: int, filters: int, hop: int) -> nn.Module:
    transforms = importlib.import_module("torchaudio.transforms")
    return transforms.MelSpectrogram(rate, PowerMel(rate).size, hop_length=hop, n_mels=filters)


def _step(layer: nn.Module, waveform: Tensor, what: str) -> Callable[[], None]:
    def forward() -> None:
        with torch.no_grad():
            layer(waveform)

    def both() -> None:
        spectrogram = layer(waveform)
        if spectrogram.requires_grad:
            spectrogram.square().mean().backward()

    return forward if what == "forward" else both


def _memory(name: str, case: tuple[int, ...]) -> int:
    """Return what a forward and backward pass takes at its peak, in MiB."""
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    rate, filters, hop, clips, seconds = case
    layer, waveform = _layers(rate, filters, hop)[name], torch.randn(clips, rate * seconds) / 10
    _step(layer, waveform[:, : rate // 10], "both")()
    before = resident()["RssAnon"]
    _step(layer, waveform, "both")()
    return max(0, round(resident()["VmHWM"] - before - resident()["RssFile"]))


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
