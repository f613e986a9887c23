"""Small synthetic figures for tests, each by its name."""

import functools
import itertools

import numpy as np
import pandas as pd
from trained_drawings import TRAINED

from fewshot_audio.report.plots.accuracy import accuracy_by_n
from fewshot_audio.report.plots.confusion import confusion
from fewshot_audio.report.plots.curves import by_epoch
from fewshot_audio.report.plots.differences import forest
from fewshot_audio.report.plots.embeddings import embedding_map
from fewshot_audio.report.plots.filters import filters
from fewshot_audio.report.plots.heat import heat
from fewshot_audio.report.plots.spectrograms import spectrograms
from fewshot_audio.report.text import Measure

ACCURACY, D_PRIME = Measure("accuracy", True), Measure("d_prime", False)

BAND = "95 % interval over folds"
LONG_BAND = (
    "95 % t interval over few-shot splits within these 3 folds, "
    "widened so that the study's 120 intervals hold at once"
)
MODELS, FRONTENDS, NS = ["sb_cnn", "timbre"], ["log_eps", "log_learn", "pcen"], [1, 5, 50]
PAIRS = ["log_learn − log_eps", "pcen − log_eps"]


def folds(models=MODELS, frontends=FRONTENDS, ns=NS, of=(1, 2), dataset="us8k"):
    """Accuracies that grow with n, each a number of its own."""
    places = [range(len(part)) for part in (models, frontends, ns, of)]
    rows = [
        (
            dataset,
            models[m],
            frontends[a],
            ns[n],
            of[f],
            0.2 + 0.1 * n + 0.03 * a + 0.01 * m + 0.02 * f,
            3,
        )
        for m, a, n, f in itertools.product(*places)
    ]
    return pd.DataFrame(
        rows, columns=["dataset", "model", "frontend", "n_per_class", "fold", "mean", "count"]
    )


def cells(by_fold, half=0.04):
    """Their means with an interval of a given half width."""
    names = ["dataset", "model", "frontend", "n_per_class"]
    means = (
        by_fold.groupby(names, sort=False)
        .agg(mean=("mean", "mean"), count=("count", "sum"))
        .reset_index()
    )
    return means.assign(low=means["mean"] - half, high=means["mean"] + half)


def accuracy(by_fold, half=0.04, chance=0.1, band=BAND, measure=ACCURACY):
    levels = {} if chance is None else dict.fromkeys(by_fold["dataset"], chance)
    return accuracy_by_n(cells(by_fold, half), by_fold, measure, levels, band)


def differences(pairs=PAIRS, half=0.04, **more):
    """Differences from -2 points upwards, none of them a gain or a loss."""
    table = cells(folds(frontends=list(pairs), **more), half)
    names = table.pop("frontend").str.split(" − ")
    table = table.assign(first=names.str[0], second=names.str[1], marked=False)
    return table.assign(**{end: table[end] - 0.22 for end in ("mean", "low", "high")})


def difference(table, margin=0.02, band=BAND, measure=ACCURACY):
    return forest(table, measure, margin, band)


def learning_curves(table):
    return by_epoch(table, "curves", "Learning curves")


def histories(runs=3, ns=(1, 5), quantities=("alpha", "beta")):
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


def filter_bank(quantities=("centre", "alpha"), runs=10):
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
    """Spectrograms of one clip of 17 frames, 10 ms apart, and 8 bands; the first two share a unit."""
    tables = []
    for place, name in enumerate(frontends):
        values = np.random.default_rng(place).normal(size=(17, 8)).round(4)
        values = np.vstack([np.geomspace(50, 8000, 8), values])
        tables.append(pd.DataFrame(values, columns=[str(band) for band in range(8)]))
        tables[-1].insert(0, "frontend", name)
        tables[-1].insert(1, "clip", "us8k, a.wav, siren")
        tables[-1].insert(2, "unit", "ln of power" if place < 2 else name)
        tables[-1].insert(3, "seconds", [np.nan, *np.arange(17) / 100])
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
FOUR = [*PAIRS, "leaf_with_a_long_name − log_eps_with_a_long_name", "leaf − log_eps"]


def answers(frontends=("log_eps", "leaf"), classes=10):
    """Every class is recognised as often as its place says, or else taken for the first."""
    rows, names = [], [f"class_{place}_named" for place in range(classes)]
    for frontend, (place, label), (other, answer) in itertools.product(
        frontends, enumerate(names), enumerate(names)
    ):
        hit = 10 * place
        clips = hit if other == place else (100 - hit if other == 0 else 0)
        rows.append(("us8k", "vgg", frontend, label, answer, clips, clips / 100))
    names = ["dataset", "model", "frontend", "class", "answer", "clips", "share"]
    return pd.DataFrame(rows, columns=names)


def courses(frontends=("log_eps", "leaf"), ns=(1, 5), runs=4, quantities=("loss", "accuracy")):
    """Losses that fall and accuracies that rise, of runs that end one epoch after the other."""
    tables = []
    for place, (frontend, n, run) in enumerate(itertools.product(frontends, ns, range(runs))):
        epoch = np.arange(1, 31 + run)
        loss = 2.3 * np.exp(-epoch / (8 + place / 4)) + 0.01
        table = {
            "frontend": frontend,
            "n_per_class": n,
            "fold": 1 + run % 2,
            "repeat": 1 + run // 2,
        }
        table |= {"dataset": "us8k", "model": "vgg", "epoch": epoch}
        values = {"loss": ("train loss", loss), "accuracy": ("valid accuracy", 0.6 - loss / 5)}
        for quantity, value in (values[each] for each in quantities):
            tables.append(pd.DataFrame({**table, "quantity": quantity, "value": value}))
    return pd.concat(tables, ignore_index=True)


def places(frontends=("log_eps", "leaf"), classes=10, clips=300):
    """Clips around the centre of their class."""
    random, names = np.random.default_rng(0), [f"class_{place}_named" for place in range(classes)]
    run = {"dataset": "us8k", "model": "vgg", "n_per_class": 5, "fold": 1, "pool": "", "repeat": 1}
    tables = []
    for frontend in frontends:
        of = np.sort(random.integers(classes, size=clips))
        x, y = 20 * random.normal(size=(2, classes))[:, of] + 3 * random.normal(size=(2, clips))
        labels = [names[each] for each in of]
        table = {**run, "frontend": frontend, "path": "a.wav", "label": labels, "x": x, "y": y}
        tables.append(pd.DataFrame(table))
    return pd.concat(tables, ignore_index=True)


def of_datasets(table, names=("us8k", "esc50", "birds")):
    """The same numbers of several datasets."""
    return pd.concat([table.assign(dataset=name) for name in names], ignore_index=True)


def all_clips():
    """Accuracies of which the last are of all training clips."""
    return folds(ns=[1, 5, np.inf])


DRAWN = {
    "accuracy": lambda: accuracy(folds()),
    "accuracy at seven n": lambda: accuracy(
        folds(ns=[1, 2, 5, 10, 20, 50, 100], models=["a", "b", "c", "d"])
    ),
    "accuracy of ten frontends": lambda: accuracy(folds(frontends=MANY, models=["proto"])),
    "accuracy, a long band": lambda: accuracy(folds(), band=LONG_BAND),
    "accuracy at one n": lambda: accuracy(folds(ns=[5])),
    "accuracy with all clips": lambda: accuracy(all_clips()),
    "accuracy, wide bands": lambda: accuracy(folds(), half=0.9),
    "accuracy without a band": lambda: accuracy(folds(), half=np.nan, chance=None),
    "accuracy of one run": lambda: accuracy(folds(["timbre"], ["log_eps"], [5], [1]), np.nan, None),
    "accuracy without folds": lambda: accuracy_by_n(
        cells(folds()), folds().head(0), ACCURACY, {"us8k": 0.1}, BAND
    ),
    "accuracy of three datasets": lambda: accuracy(of_datasets(folds(["vgg"]))),
    "d prime": lambda: accuracy(folds(), chance=None, measure=D_PRIME),
    "forest": lambda: difference(differences()),
    "forest of pcen": lambda: difference(differences(PAIRS[1:])),
    "forest, four long pairs": lambda: difference(differences(FOUR)),
    "forest at one n": lambda: difference(differences(ns=[5]).assign(marked=True), band=LONG_BAND),
    "forest, no bands": lambda: difference(differences(half=np.nan)),
    "forest of d prime": lambda: difference(differences(), measure=D_PRIME),
    "forest of three datasets": lambda: difference(of_datasets(differences(FOUR[:3]))),
    "forest of one pair": lambda: difference(differences(PAIRS[:1])),
    "heat": lambda: heat(differences().assign(marked=True), ACCURACY),
    "heat of d prime": lambda: heat(differences(PAIRS[:1]), D_PRIME),
    "learned": lambda: by_epoch(histories(), "learned", "Learned numbers"),
    "filters": lambda: filters(filter_bank()),
    "filters, eight quantities": lambda: filters(filter_bank(["centre", *"abcdefg"], runs=1)),
    "spectrograms": lambda: spectrograms(clip(MANY[:5])),
    **TRAINED,
    "confusion": lambda: confusion(answers(MANY[:4])),
    "curves": lambda: learning_curves(courses(MANY[:4], (1, 2, 5, 10, 20, 50, 100))),
    "curves at one n": lambda: learning_curves(courses(ns=[np.inf], runs=1)),
    "a curve": lambda: learning_curves(courses(ns=[1, 5], quantities=["loss"])),
    "embeddings": lambda: embedding_map(places(MANY[:4])),
    "embeddings of one": lambda: embedding_map(places(["leaf"], classes=20)),
    "confusion on three datasets": lambda: confusion(of_datasets(answers(MANY[:4], 4))),
    "learned on three datasets": lambda: by_epoch(of_datasets(histories()), "learned", "Learned"),
    "curves on three datasets": lambda: learning_curves(of_datasets(courses())),
    "confusion of one": lambda: confusion(answers(["log_eps"], 15)),
}


@functools.cache
def made(what):
    return DRAWN[what]()


def drawn(axis):
    """Lines that have points."""
    return [line for line in axis.lines if len(line.get_xdata())]


def texts(figure):
    """All text that is shown, ticks' numbers out of sight apart."""
    texts = [
        text
        for axis in figure.axes
        for text in (axis.title, axis.xaxis.label, axis.yaxis.label, *axis.texts)
    ]
    for side in (side for axis in figure.axes for side in (axis.xaxis, axis.yaxis)):
        low, high = sorted(side.get_view_interval())
        shown = [tick for tick in side.get_major_ticks() if low <= tick.get_loc() <= high]
        texts += [label for tick in shown for label in (tick.label1, tick.label2)]
    texts += [text for legend in figure.legends for text in legend.get_texts()]
    return [text for text in texts if text.get_visible() and text.get_text().strip()]
