"""What frontends of checkpoints have learned, as tables that pictures are drawn from."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from fewshot_audio.components import build
from fewshot_audio.features.audio import load as load_audio
from fewshot_audio.frontends.base import Frontend
from fewshot_audio.frontends.filterbank.filterbank import Filterbank
from fewshot_audio.frontends.log import LogFixed
from fewshot_audio.training.checkpoint import describe
from fewshot_audio.training.clip_model import ClipModel
from fewshot_audio.training.crop_model import CropModel
from fewshot_audio.training.loading import load
from fewshot_audio.training.waveform_network import mel_of, seconds_of_frame
from fewshot_audio.types import ConfigError

LABELS = ["frontend", "stage", "hz"]  # of a row of `clip_table`
IMPULSES = 4  # filters whose impulse responses are shown
BINS = 256  # of frequency responses
SILENT = 1e-3  # of a response's peak, -60 dB: what lies below is not told apart


@dataclass(frozen=True)
class Trained:
    """A checkpoint's network, and its name among others."""

    name: str
    model: ClipModel

    @property
    def frontend(self) -> Frontend:
        """The trained frontend."""
        return self.model.frontend

    def start(self) -> Frontend | None:
        """Return the frontend as it started, None where its start was drawn at random."""
        frontend, other = (build(self.model.recipe.frontend, Frontend) for _ in range(2))
        other.initialise(torch.Generator().manual_seed(1))
        pairs = zip(frontend.state_dict().values(), other.state_dict().values(), strict=True)
        if not all(torch.equal(one, another) for one, another in pairs):
            return None
        frontend.mel, frontend.normalize = self.frontend.mel, None
        return frontend.eval()


def trained(folders: Sequence[Path]) -> list[Trained]:
    """Load checkpoints; each is named by what tells it from the others: frontend, dataset, ...

    Raises:
        StoreError: One is missing or damaged.
    """
    abouts = [describe(folder) for folder in folders]
    words = [
        (each.settings["frontend"]["name"], each.run["dataset"], each.settings["model"]["name"])
        for each in abouts
    ]
    runs = [(f"fold {each.run['fold']}", f"repeat {each.run['repeat']}") for each in abouts]
    named = [(*word, *run) for word, run in zip(words, runs, strict=True)]
    telling = [place for place in range(5) if len({name[place] for name in named}) > 1] or [0]
    names = [", ".join(name[place] for place in telling) for name in named]
    return [Trained(name, load(folder)) for name, folder in zip(names, folders, strict=True)]


@torch.no_grad()
def filter_tables(networks: Sequence[Trained]) -> dict[str, pd.DataFrame]:
    """Return what filterbanks have learned, by the names of the figures.

    Filters are numbered by their centres at the start, in `frequency_responses` at each stage. What
    was before training is NaN, or has no rows, where the start was drawn at random.

    Returns:
        learned_filters: network, quantity, filter, before, after; centre and bandwidth in Hz.
        impulse_responses: network, filter, centre (Hz), ms, before, after (real parts).
        frequency_responses: network, stage, filter, and dB below the peak in a column per Hz.

    Raises:
        ConfigError: A frontend has no filters.
    """
    tables = [_of_network(each) for each in networks]
    return {name: pd.concat([each[name] for each in tables]) for name in tables[0]}


def _of_network(network: Trained) -> dict[str, pd.DataFrame]:
    frontend, start = network.frontend, network.start()
    if not isinstance(frontend, Filterbank):
        kind = type(frontend).__name__
        raise ConfigError(f"{network.name}: {kind} has no filters; give a run of LEAF's family")
    first = start if isinstance(start, Filterbank) else frontend
    order = first.filters.in_hz()[0].argsort()
    after = frontend.physical_parameters()
    before = {name: torch.full_like(each, torch.nan) for name, each in after.items()}
    taps, start_taps = (
        frontend.filters.impulse_responses(),
        torch.full_like(frontend.start, torch.nan),
    )
    responses = [_responses(frontend, "after")]
    if first is not frontend:
        before, start_taps = first.physical_parameters(), first.start
        responses.insert(0, _responses(first, "before"))
    centres, ms = after["centre"][order], 1000 / frontend.sample_rate
    tables = {
        "learned_filters": _learned(before, after, order),
        "impulse_responses": _impulses(start_taps[order].real, taps[order].real, centres, ms),
        "frequency_responses": pd.concat(responses),
    }
    for table in tables.values():
        table.insert(0, "network", network.name)
    return tables


def _learned(before: dict[str, Tensor], after: dict[str, Tensor], order: Tensor) -> pd.DataFrame:
    parts = []
    for name in after:
        values = {"before": before[name][order].tolist(), "after": after[name][order].tolist()}
        parts.append(pd.DataFrame({"quantity": name, "filter": range(len(order)), **values}))
    return pd.concat(parts)


def _impulses(before: Tensor, after: Tensor, centres: Tensor, ms: float) -> pd.DataFrame:
    """Return some of the impulse responses (filters, taps), samples being so many ms apart."""
    count, taps = after.shape
    times = (np.arange(taps) - taps // 2) * ms
    parts = []
    for number in np.linspace(0, count - 1, IMPULSES + 2)[1:-1].round().astype(int).tolist():
        place = {"filter": number, "centre": centres[number].item(), "ms": times}
        values = pd.DataFrame({"before": before[number].numpy(), "after": after[number].numpy()})
        parts.append(pd.concat([pd.DataFrame(place), values.map(_short)], axis=1))
    return pd.concat(parts)


def _responses(frontend: Filterbank, stage: str) -> pd.DataFrame:
    """Return the amplitudes of all filters by their centres, in dB below each one's peak."""
    order, rate = frontend.filters.in_hz()[0].argsort(), frontend.sample_rate
    spectra = torch.fft.fft(frontend.filters.impulse_responses()[order], 2 * BINS).abs()[:, :BINS]
    decibels = 20 * (spectra / spectra.amax(1, keepdim=True)).clamp(min=SILENT).log10()
    hz = [f"{rate / 2 / BINS * place:g}" for place in range(BINS)]
    table = pd.DataFrame(decibels.numpy(), columns=hz).round(1)
    table.insert(0, "stage", stage)
    table.insert(1, "filter", range(len(table)))
    return table


@torch.no_grad()
def clip_table(networks: Sequence[Trained], file: Path) -> pd.DataFrame:
    """Return a clip's spectrograms by log-mel, and by each frontend before and after training.

    Bands are ordered by their centres. What started at random has no rows before training.

    Returns:
        A row per band: clip, frontend, stage, hz (its centre; NaN where it has none), then a column
        for each frame by its time in seconds.
    """
    tables: list[pd.DataFrame] = []
    for network in networks:
        model, mel = network.model, mel_of(network.model.recipe)
        if not tables:
            log_mel = LogFixed(1, 1e-5, "e", mel.n_bands, mel)
            heard = _heard(model, file, mel.sample_rate)
            tables.append(_spectrogram(log_mel, heard, mel.hop / mel.sample_rate, ("log-mel", "")))
        waveform = _heard(model, file, model.sample_rate)
        step = seconds_of_frame(network.frontend, model.recipe)
        for stage, frontend in (("before", network.start()), ("after", network.frontend)):
            if frontend is not None:
                names = (network.name, stage)
                tables.append(_spectrogram(frontend, waveform, step, names))
    table = pd.concat(tables, ignore_index=True)
    seconds = sorted(table.columns.drop(LABELS), key=float)  # of frontends with other hops, too
    table = table[[*LABELS, *seconds]].copy()
    table.insert(0, "clip", file.name)
    return table


def _heard(model: ClipModel, file: Path, rate: int) -> Tensor:
    """Return a clip at a rate, at the level that it has in training."""
    waveform = model.levelled(torch.from_numpy(load_audio(file, rate))[None])
    return model.network.method.levelled(waveform) if isinstance(model, CropModel) else waveform


def _spectrogram(
    frontend: Frontend, waveform: Tensor, step: float, names: tuple[str, str]
) -> pd.DataFrame:
    values, centres = frontend(waveform)[0], torch.full((frontend.n_bands,), torch.nan)
    if isinstance(frontend, Filterbank):
        centres = frontend.filters.in_hz()[0]
    elif frontend.reads == "mel":
        assert frontend.mel is not None
        centres = frontend.mel.centres()
    order = centres.argsort(stable=True)
    seconds = [f"{step * frame:.4g}" for frame in range(values.shape[1])]
    table = pd.DataFrame(values[order].numpy(), columns=seconds).map(_short)
    for place, column in enumerate((*names, centres[order].numpy().round(1))):
        table.insert(place, LABELS[place], column)
    return table


def _short(value: float) -> float:
    """Return a number with four digits."""
    return float(f"{value:.4g}")
