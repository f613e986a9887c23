"""What the article says of the differences, checked on the store: holds, does not hold, or not enough data."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from fewshot_audio.report.layout import Table, points
from fewshot_audio.report.pairs import BY, all_paired
from fewshot_audio.report.statistics import LEVEL, quantile, summary
from fewshot_audio.types import ReportSettings, Statistics

HOLDS, FAILS, OPEN = "holds", "does not hold", "not enough data"
Sign = Callable[
    [float, float, float], bool | None
]  # an interval's low and high, and the margin, to whether it is so; None: open


def near_zero(low: float, high: float, margin: float) -> bool | None:
    """Whether an interval lies within ± margin; not so where it lies outside."""
    return (
        True
        if -margin < low and high < margin
        else False
        if low > margin or high < -margin
        else None
    )


def positive(low: float, high: float, margin: float) -> bool | None:
    """Whether an interval lies above zero; not so where it lies at or below."""
    return True if low > 0 else False if high <= 0 else None


def negative(low: float, high: float, margin: float) -> bool | None:
    """Whether an interval lies below zero; not so where it lies at or above."""
    return positive(-high, -low, margin)


def denied(sign: Sign) -> Sign:
    """The opposite of a sign; what is open stays open."""
    return lambda *interval: None if (found := sign(*interval)) is None else not found


@dataclass(frozen=True)
class Claim:
    """One of the article's claims: on a dataset's models, of their mean over n, or of their n between two."""

    name: str
    dataset: str
    says: str
    models: Sequence[str]
    sign: Sign
    over: str = "mean"  # of all n; "some" n of each model; "few": every n up to FEW so, every other n not so


ALL = ("sb_cnn", "vgg", "timbre", "proto")
FEW = 10  # clips per class
CLAIMS = (
    Claim("S1", "us8k", "near zero for all four models", ALL, near_zero),
    Claim(
        "S2",
        "us8k",
        "mean at least zero for SB-CNN and TIMBRE",
        ("sb_cnn", "timbre"),
        denied(negative),
    ),
    Claim(
        "S3",
        "us8k",
        "negative at some n for VGG and for prototypical networks",
        ("vgg", "proto"),
        negative,
        "some",
    ),
    Claim(
        "S4", "tut_asc", f"positive for SB-CNN at n up to {FEW} only", ("sb_cnn",), positive, "few"
    ),
    Claim(
        "S5",
        "tut_asc",
        "clearly negative for VGG, TIMBRE and prototypical networks",
        ("vgg", "timbre", "proto"),
        negative,
    ),
)
FACTOR = 2  # how much larger is much larger


def claims(
    runs: pd.DataFrame,
    name: str,
    title: str,
    pair: tuple[str, str],
    n_per_class: Sequence[int],
    asked: ReportSettings,
) -> Table:
    """Runs to the article's claims on a pair's difference, each with its verdict and the numbers behind it.

    A claim needs all its models at every n of `n_per_class`, so that gaps make it open instead of an error.
    """
    values, how = all_paired(runs, name, [pair], partial=True), asked.how
    rows = [
        _checked(claim, values[values["dataset"] == claim.dataset], n_per_class, how)
        for claim in CLAIMS
    ]
    rows.append(_larger(values, n_per_class, how))
    cells = pd.DataFrame(rows, columns=["claim", "dataset", "says", "verdict", "points"])
    caption = (
        f"The article's claims on {pair[0]} - {pair[1]} (S1 to S6), by {100 * how.confidence:g} % intervals over {how.unit}s "
        "(draws where there is one fold): a sign holds where the interval shows it, and does not where it shows the opposite. "
        f"Near zero: the {100 - 200 * LEVEL:g} % interval within ± {points(how.margin, False)} points. At some n: intervals "
        f"widened for the number of n (Bonferroni). Much larger: the mean square, less what sampling adds, at least {FACTOR}² "
        "times as large, by an interval over models and n."
    )
    return Table(name, title, caption, cells, cells.astype(str), cells.notna() & False, 1)


def _checked(
    claim: Claim, values: pd.DataFrame, wanted: Sequence[int], how: Statistics
) -> tuple[str, ...]:
    """A claim on one dataset's pairs to its row."""
    parts = {model: values[values["model"] == model] for model in claim.models}
    found = [_of_model(claim, part, wanted, how) for part in parts.values()]
    numbers = "; ".join(f"{model} {text}" for model, (_, text) in zip(parts, found, strict=True))
    lacking = [
        n
        for n in wanted
        if any(len(part) and n not in set(part["n_per_class"]) for part in parts.values())
    ]
    lack = f"; n = {', '.join(map(str, lacking))} missing" if lacking else ""
    return (
        claim.name,
        claim.dataset,
        claim.says,
        _word(every([verdict for verdict, _ in found])),
        numbers + lack,
    )


def _of_model(
    claim: Claim, values: pd.DataFrame, wanted: Sequence[int], how: Statistics
) -> tuple[bool | None, str]:
    """What a model's pairs say of a claim, open where they lack an n, and in numbers."""
    if values.empty:
        return None, "has no runs"
    if claim.over == "mean":
        confidence = (
            1 - 2 * LEVEL if claim.sign is near_zero else how.confidence
        )  # two one-sided tests
        cells = summary(
            values,
            ["dataset", "model"],
            replace(how, confidence=confidence),
            ["fold", "n_per_class"],
        )
        text = _interval(cells.iloc[0])
    else:
        confidence = (
            1 - (1 - how.confidence) / len(wanted) if claim.over == "some" else how.confidence
        )
        cells = summary(values, BY, replace(how, confidence=confidence))
        text = ", ".join(
            f"n = {cell['n_per_class']} {_interval(cell)}" for _, cell in cells.iterrows()
        )
    signs = [
        _sign(claim, cell)(cell["low"], cell["high"], how.margin) for _, cell in cells.iterrows()
    ]
    whole = set(wanted) <= set(values["n_per_class"])
    return (some(signs) if claim.over == "some" else every(signs)) if whole else None, text


def _sign(claim: Claim, cell: pd.Series) -> Sign:
    return denied(claim.sign) if claim.over == "few" and cell["n_per_class"] > FEW else claim.sign


def _larger(values: pd.DataFrame, wanted: Sequence[int], how: Statistics) -> tuple[str, ...]:
    """S6: differences on the acoustic scenes are much larger than on UrbanSound8K, over models and n."""
    cells = summary(values, BY, how)
    cells["square"] = cells["mean"] ** 2 - cells["se"] ** 2
    both = cells.pivot(index=["model", "n_per_class"], columns="dataset", values="square")
    both = both.reindex(pd.MultiIndex.from_product([ALL, wanted]), columns=["tut_asc", "us8k"])
    known = both.dropna()
    sizes = (
        [f"{name} {points(np.sqrt(max(0, known[name].mean())), False)}" for name in both]
        if len(known)
        else ["no runs"]
    )
    excess = known["tut_asc"] - FACTOR**2 * known["us8k"]
    half = (
        excess.std()
        / np.sqrt(len(excess))
        * quantile(np.array(len(excess) - 1.0), 0.5 + how.confidence / 2)
    )
    verdict = (
        positive(excess.mean() - half, excess.mean() + half, 0) if len(known) == len(both) else None
    )
    text = f"root mean square, {', '.join(sizes)}, over {len(known)} of {len(both)} models and n"
    return "S6", "both", "much larger differences on acoustic scenes", _word(verdict), text


def every(verdicts: Sequence[bool | None]) -> bool | None:
    """Whether all are so: no where one is not, open where one is."""
    return False if False in verdicts else None if None in verdicts else True


def some(verdicts: Sequence[bool | None]) -> bool | None:
    """Whether one is so: yes where one is, open where one is."""
    return True if True in verdicts else None if None in verdicts else False


def _word(verdict: bool | None) -> str:
    return OPEN if verdict is None else HOLDS if verdict else FAILS


def _interval(cell: pd.Series) -> str:
    limits = (
        ""
        if pd.isna(cell["low"])
        else f" [{points(cell['low'], False)}, {points(cell['high'], False)}]"
    )
    return f"{points(cell['mean'])}{limits}"
