"""Small made-up figures for tests, each by its name."""

import functools
import itertools

import numpy as np
import pandas as pd

from fewshot_audio.report.plots import accuracy_by_n, completeness
from fewshot_audio.report.plots_differences import forest
from fewshot_audio.report.plots_frontends import filters, learned_scalars, maps

BAND = "95 % interval over folds"
LONG_BAND = "95 % bootstrap interval over draws within the folds as they are"
MODELS, ARMS, NS = ["sb_cnn", "timbre"], ["log_eps", "log_learn", "pcen"], [1, 5, 50]
PAIRS = ["log_learn - log_eps", "pcen - log_eps"]


def folds(models=MODELS, arms=ARMS, ns=NS, of=(1, 2), dataset="us8k"):
    """Accuracies that grow with n, each a number of its own."""
    places = [range(len(part)) for part in (models, arms, ns, of)]
    rows = [
        (
            dataset,
            models[m],
            arms[a],
            ns[n],
            of[f],
            0.2 + 0.1 * n + 0.03 * a + 0.01 * m + 0.02 * f,
            3,
        )
        for m, a, n, f in itertools.product(*places)
    ]
    return pd.DataFrame(
        rows, columns=["dataset", "model", "arm", "n_per_class", "fold", "mean", "count"]
    )


def cells(by_fold, half=0.04):
    """Their means with an interval of a given half width."""
    names = ["dataset", "model", "arm", "n_per_class"]
    means = (
        by_fold.groupby(names, sort=False)
        .agg(mean=("mean", "mean"), count=("count", "sum"))
        .reset_index()
    )
    return means.assign(low=means["mean"] - half, high=means["mean"] + half)


def accuracy(by_fold, half=0.04, chance=0.1):
    return accuracy_by_n(cells(by_fold, half), by_fold, chance, BAND)


def differences(pairs=PAIRS, half=0.04, **more):
    """Differences from -2 points upwards."""
    table = cells(folds(arms=list(pairs), **more), half)
    return table.assign(**{end: table[end] - 0.22 for end in ("mean", "low", "high")})


def grid():
    rows = [
        ("us8k", "vgg", "log_eps", 1, 6, 6),
        ("us8k", "vgg", "log_eps", 5, 2, 6),
        ("us8k", "vgg", "leaf", 1, 0, 6),
    ]
    rows += [("esc50", "timbre", "log_learn", 5, 0, 0), ("esc50", "timbre", "log_learn", 1, 0, 0)]
    return pd.DataFrame(
        rows, columns=["dataset", "model", "frontend", "n_per_class", "finished", "wanted"]
    )


def paths(runs=3, ns=(1, 5), quantities=("alpha", "beta")):
    rows = [
        (
            "us8k",
            model,
            "log_learn",
            n,
            1 + run // 5,
            1 + run % 5,
            epoch,
            quantity,
            1036.0 + n * epoch / 100 + run + place,
        )
        for model, n, run, epoch, (place, quantity) in itertools.product(
            MODELS, ns, range(runs), (0, 100, 199), enumerate(quantities)
        )
    ]
    names = [
        "dataset",
        "model",
        "frontend",
        "n_per_class",
        "fold",
        "repeat",
        "epoch",
        "quantity",
        "value",
    ]
    return pd.DataFrame(rows, columns=names)


def bank(quantities=("centre", "alpha"), runs=10):
    tables = []
    for quantity in quantities:
        before = np.geomspace(60, 20000, 40) if quantity == "centre" else np.full(40, 0.96)
        table = {
            "quantity": quantity,
            "index": range(40),
            "before": before,
            "after": 1.1 * before,
            "runs": runs,
        }
        tables.append(pd.DataFrame({**table, "low": before, "high": 1.2 * before}))
    return pd.concat(tables).assign(dataset="us8k", model="timbre", frontend="leaf")


def clip(frontends=("log_eps", "leaf")):
    """Maps of one clip of 17 frames, 10 ms apart, and 8 bands."""
    tables = []
    for place, name in enumerate(frontends):
        values = np.random.default_rng(place).normal(size=(17, 8)).round(4)
        tables.append(pd.DataFrame(values, columns=[str(band) for band in range(8)]))
        tables[-1].insert(0, "frontend", name)
        tables[-1].insert(1, "clip", "us8k, a.wav")
        tables[-1].insert(2, "seconds", np.arange(17) / 100)
    return pd.concat(tables, ignore_index=True)


MANY = [
    "log_eps",
    "log_learn",
    "log_fixed",
    "leaf",
    "log_10000",
    "pcen",
    "log_100",
    "sqrt",
    "leaf_frozen",
    "power_law",
]
DRAWN = {
    "accuracy": lambda: accuracy(folds()),
    "accuracy at seven n": lambda: accuracy(
        folds(ns=[1, 2, 5, 10, 20, 50, 100], models=["a", "b", "c", "d"])
    ),
    "accuracy of ten arms": lambda: accuracy(folds(arms=MANY, models=["proto"])),
    "accuracy, a long band": lambda: accuracy_by_n(cells(folds()), folds(), 0.1, LONG_BAND),
    "accuracy at one n": lambda: accuracy(folds(ns=[5])),
    "accuracy, wide bands": lambda: accuracy(folds(), half=0.9),
    "accuracy without a band": lambda: accuracy(folds(), half=np.nan, chance=None),
    "accuracy of one run": lambda: accuracy(folds(["timbre"], ["log_eps"], [5], [1]), np.nan, None),
    "accuracy without folds": lambda: accuracy_by_n(cells(folds()), folds().head(0), 0.1, BAND),
    "forest": lambda: forest(differences(), 0.02, BAND),
    "forest, four long pairs": lambda: forest(
        differences([*PAIRS, "leaf_with_a_long_name - log_eps_with_a_long_name", "leaf - log_eps"]),
        None,
        BAND,
    ),
    "forest at one n": lambda: forest(differences(ns=[5]).assign(marked=True), 0.02, LONG_BAND),
    "forest, no bands": lambda: forest(differences(half=np.nan), 0.02, BAND),
    "completeness": lambda: completeness(grid()),
    "learned": lambda: learned_scalars(paths()),
    "learned, many quantities": lambda: learned_scalars(
        paths(quantities=["median pooling, ms", *"abcd"])
    ),
    "filters": lambda: filters(bank()),
    "filters, eight quantities": lambda: filters(bank(["centre", *"abcdefg"], runs=1)),
    "maps": lambda: maps(clip(MANY[:5])),
}


@functools.cache
def made(what):
    return DRAWN[what]()


def drawn(axis):
    """Lines that have points."""
    return [line for line in axis.lines if len(line.get_xdata())]


def texts(figure):
    """All text that is shown, ticks' numbers out of sight apart."""
    found = [
        text
        for axis in figure.axes
        for text in (axis.title, axis.xaxis.label, axis.yaxis.label, *axis.texts)
    ]
    for side in (side for axis in figure.axes for side in (axis.xaxis, axis.yaxis)):
        low, high = sorted(side.get_view_interval())
        shown = [tick for tick in side.get_major_ticks() if low <= tick.get_loc() <= high]
        found += [label for tick in shown for label in (tick.label1, tick.label2)]
    found += [text for legend in figure.legends for text in legend.get_texts()]
    return [text for text in found if text.get_visible() and text.get_text().strip()]
