"""Small synthetic figures of trained frontends, each by its name."""

import itertools

import numpy as np
import pandas as pd

from fewshot_audio.report.plots.learned_filters import (
    filter_bandwidths,
    filter_compression,
    filter_shifts,
)
from fewshot_audio.report.plots.responses import frequency_responses, impulse_responses
from fewshot_audio.report.plots.spectrograms import before_and_after


def bank(networks=("leaf", "td_fbanks, digits"), filters=40):
    """What was learned of filters: centres went up, bandwidths down, by the network's place."""
    tables, centre = [], np.geomspace(60, 7500, filters)
    starts = {"centre": centre, "bandwidth": 40 + centre / 10}
    starts |= {name: np.full(filters, 0.9) for name in ("pooling, ms", "alpha", "smooth")}
    for place, network in enumerate(networks, 1):
        for quantity, before in starts.items():
            after = before * (1 + (0.02 if quantity == "centre" else -0.02) * place)
            table = {"network": network, "quantity": quantity, "filter": range(filters)}
            tables.append(pd.DataFrame({**table, "before": before, "after": after}))
    return pd.concat(tables, ignore_index=True)


def waves(networks=("leaf", "td_fbanks, digits")):
    """Impulse responses of four filters."""
    ms = np.arange(-200, 201) / 16
    tables = []
    for network, centre in itertools.product(networks, (200.0, 800.0, 2000.0, 5000.0)):
        wave = np.exp(-((ms / 3) ** 2)) * np.cos(2 * np.pi * centre * ms / 1000)
        place = {"network": network, "filter": int(centre), "centre": centre, "ms": ms}
        tables.append(pd.DataFrame({**place, "before": wave, "after": 1.1 * wave}))
    return pd.concat(tables, ignore_index=True)


def bands(networks=("leaf", "td_fbanks, digits")):
    """Frequency responses of 40 filters, 256 frequencies."""
    hz, tables = np.arange(256) * 31.25, []
    for network, stage in itertools.product(networks, ("before", "after")):
        decibels = -np.abs(np.geomspace(60, 7500, 40)[:, None] - hz) / 10
        tables.append(pd.DataFrame(decibels.clip(-60), columns=[f"{each:g}" for each in hz]))
        tables[-1].insert(0, "network", network)
        tables[-1].insert(1, "stage", stage)
        tables[-1].insert(2, "filter", range(40))
    return pd.concat(tables, ignore_index=True)


def word(frontends=("leaf",), without_centres=()):
    """A clip of 100 frames by log-mel and by frontends before and after training."""
    names = [("log-mel", ""), *itertools.product(frontends, ("before", "after"))]
    tables = []
    for place, (frontend, stage) in enumerate(names):
        values = np.random.default_rng(place).normal(size=(40, 100)).round(4)
        tables.append(pd.DataFrame(values, columns=[f"{frame / 100:g}" for frame in range(100)]))
        hz = np.nan if frontend in without_centres else np.geomspace(60, 7500, 40)
        table = {"clip": "a.wav", "frontend": frontend, "stage": stage, "hz": hz}
        for column, (name, value) in enumerate(table.items()):
            tables[-1].insert(column, name, value)
    return pd.concat(tables, ignore_index=True)


TRAINED = {
    "impulses": lambda: impulse_responses(waves()),
    "responses": lambda: frequency_responses(bands()),
    "responses of one": lambda: frequency_responses(bands(["leaf"])),
    "bandwidths": lambda: filter_bandwidths(bank()),
    "compression": lambda: filter_compression(bank()),
    "shifts": lambda: filter_shifts(bank(["birds", "digits", "keywords", "all tasks"])),
    "word": lambda: before_and_after(word()),
    "word, two frontends": lambda: before_and_after(word(["leaf", "td_fbanks"])),
    "word, bands without centres": lambda: before_and_after(
        word(["leaf", "wavegram"], ["wavegram"])
    ),
}
