"""What the article says of the differences, checked: holds, does not hold, or not enough data."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from fewshot_audio.report.differences import BY, pair_all
from fewshot_audio.report.selection import Selection
from fewshot_audio.report.statistics import LEVEL, quantile, summary
from fewshot_audio.report.table import Table, plain_table
from fewshot_audio.report.text import minus, n_text, points
from fewshot_audio.types import Statistics

HOLDS, FAILS, OPEN = "holds", "does not hold", "not enough data"
Verdict = bool | None  # None: open
Sign = Callable[[float, float, float], Verdict]  # of an interval's low and high, and the margin


def near_zero(low: float, high: float, margin: float) -> Verdict:
    """Whether an interval lies within ± margin; not so where it lies outside."""
    if -margin < low and high < margin:
        return True
    return False if low > margin or high < -margin else None


def positive(low: float, high: float, margin: float) -> Verdict:
    """Whether an interval lies above zero; not so where it lies at or below."""
    if low > 0:
        return True
    return False if high <= 0 else None


def negative(low: float, high: float, margin: float) -> Verdict:
    """Whether an interval lies below zero; not so where it lies at or above."""
    return positive(-high, -low, margin)


def not_negative(low: float, high: float, margin: float) -> Verdict:
    """Whether an interval lies at or above zero; not so where it lies below."""
    return denied(negative(low, high, margin))


def denied(verdict: Verdict) -> Verdict:
    """Return the opposite; what is open stays open."""
    return None if verdict is None else not verdict


def every(verdicts: Sequence[Verdict]) -> Verdict:
    """Whether all are so: no where one is not, open where one is."""
    if False in verdicts:
        return False
    return None if None in verdicts else True


def some(verdicts: Sequence[Verdict]) -> Verdict:
    """Whether one is so: yes where one is, open where one is."""
    return denied(every([denied(verdict) for verdict in verdicts]))


@dataclass(frozen=True)
class Claim(ABC):
    """A claim of the article: a sign of the differences of some models.

    Attributes:
        name: S1 to S6.
        dataset: Where it is said to be so.
        says: The claim in words.
        models: Of which it is said.
        sign: What an interval must show.
    """

    name: str
    dataset: str
    says: str
    models: Sequence[str]
    sign: Sign

    def confidence(self, how: Statistics, ns: int) -> float:
        """Return the confidence of the intervals that are looked at, of so many n."""
        return how.confidence

    def cells(self, values: pd.DataFrame, how: Statistics) -> pd.DataFrame:
        """Return a model's means and intervals at each n."""
        return summary(values, BY, how)

    @abstractmethod
    def verdict(self, cells: pd.DataFrame, margin: float) -> Verdict:
        """Return what a model's cells say."""

    def signs(self, cells: pd.DataFrame, margin: float) -> list[Verdict]:
        """Return what each interval shows."""
        return [self.sign(cell.low, cell.high, margin) for cell in cells.itertuples()]


@dataclass(frozen=True)
class OfMean(Claim):
    """A sign of the difference's mean over n."""

    def confidence(self, how: Statistics, ns: int) -> float:
        """Return that of two one-sided tests, where the mean shall be near zero."""
        return 1 - 2 * LEVEL if self.sign is near_zero else how.confidence

    def cells(self, values: pd.DataFrame, how: Statistics) -> pd.DataFrame:
        """Return a model's mean and interval."""
        return summary(values, ["dataset", "model"], how, ["fold", "n_per_class"])

    def verdict(self, cells: pd.DataFrame, margin: float) -> Verdict:
        """Return what the interval shows."""
        return every(self.signs(cells, margin))


@dataclass(frozen=True)
class AtSomeN(Claim):
    """A sign of the difference at one n or more."""

    def confidence(self, how: Statistics, ns: int) -> float:
        """Return a confidence that holds for all n together (Bonferroni)."""
        return 1 - (1 - how.confidence) / ns

    def verdict(self, cells: pd.DataFrame, margin: float) -> Verdict:
        """Return whether one interval shows the sign."""
        return some(self.signs(cells, margin))


@dataclass(frozen=True)
class AtFewOnly(Claim):
    """A sign of the difference at every n up to `FEW`, and at no other."""

    def verdict(self, cells: pd.DataFrame, margin: float) -> Verdict:
        """Return whether few n show the sign and the others deny it."""
        verdicts = []
        for n, verdict in zip(cells["n_per_class"], self.signs(cells, margin), strict=True):
            verdicts.append(verdict if n <= FEW else denied(verdict))
        return every(verdicts)


FEW = 10  # clips per class
ALL = ("sb_cnn", "vgg", "timbre", "proto")
NOT_NEGATIVE = "mean at least zero for SB-CNN and TIMBRE"
ASC_NEGATIVE = "clearly negative for VGG, TIMBRE and prototypical networks"
FEW_ONLY = f"positive for SB-CNN at n up to {FEW} only"
SOME_NEGATIVE = "negative at some n for VGG and for prototypical networks"
CLAIMS = (
    OfMean("S1", "us8k", "near zero for all four models", ALL, near_zero),
    OfMean("S2", "us8k", NOT_NEGATIVE, ("sb_cnn", "timbre"), not_negative),
    AtSomeN("S3", "us8k", SOME_NEGATIVE, ("vgg", "proto"), negative),
    AtFewOnly("S4", "tut_asc", FEW_ONLY, ("sb_cnn",), positive),
    OfMean("S5", "tut_asc", ASC_NEGATIVE, ("vgg", "timbre", "proto"), negative),
)
FACTOR = 2  # how much larger is much larger


def claims(
    selection: Selection, name: str, title: str, pair: tuple[str, str], n_per_class: Sequence[int]
) -> Table:
    """Show the article's claims on a pair's difference, each with its verdict and numbers.

    Args:
        selection: The runs.
        name: Of the table.
        title: Its heading.
        pair: The frontends, first − second.
        n_per_class: A claim is open until all its models have runs at each of these.
    """
    values, how = pair_all(selection, name, [pair], partial=True), selection.settings.how
    rows = []
    for claim in CLAIMS:
        of_dataset = values[values["dataset"] == claim.dataset]
        rows.append(_check(claim, of_dataset, n_per_class, how))
    rows.append(_larger(values, n_per_class, how))
    cells = pd.DataFrame(rows, columns=["claim", "dataset", "says", "verdict", "points"])
    caption = (
        f"The article's claims on {minus(*pair)} (S1 to S6), by {100 * how.confidence:g} % "
        f"intervals over {'folds' if how.unit == 'fold' else 'few-shot splits'} (splits where "
        "there is one fold): a sign holds where the interval shows it, and does not where it shows "
        f"the opposite. Near zero: the {100 - 200 * LEVEL:g} % interval within "
        f"± {points(how.margin, False)} points. At some n: intervals widened for the number of n "
        "(Bonferroni). Much larger: the mean square, less what sampling adds, at least "
        f"{FACTOR}² times as large, by an interval over models and n."
    )
    return plain_table(selection, name, title, caption, cells, labels=1)


def _check(
    claim: Claim, values: pd.DataFrame, ns: Sequence[int], how: Statistics
) -> tuple[str, ...]:
    """Return a claim's row of the table."""
    verdicts: list[Verdict] = []
    numbers: list[str] = []
    lacking: set[int] = set()
    how = replace(how, confidence=claim.confidence(how, len(ns)))
    for model in claim.models:
        of_model = values[values["model"] == model]
        if of_model.empty:
            verdicts.append(None)
            numbers.append(f"{model} has no runs")
            continue
        cells = claim.cells(of_model, how)
        absent = set(ns) - set(of_model["n_per_class"])
        lacking |= absent
        verdicts.append(None if absent else claim.verdict(cells, how.margin))
        numbers.append(f"{model} {', '.join(_numbers(cell) for _, cell in cells.iterrows())}")
    text = "; ".join(numbers)
    if lacking:
        text += f"; n = {', '.join(map(n_text, sorted(lacking)))} missing"
    return claim.name, claim.dataset, claim.says, _word(every(verdicts)), text


def _numbers(cell: pd.Series) -> str:
    """Return a mean with its interval, and its n where there is one."""
    n = f"n = {n_text(cell['n_per_class'])} " if "n_per_class" in cell else ""
    limits = ""
    if not pd.isna(cell["low"]):
        limits = f" [{points(cell['low'], False)}, {points(cell['high'], False)}]"
    return f"{n}{points(cell['mean'])}{limits}"


def _larger(values: pd.DataFrame, ns: Sequence[int], how: Statistics) -> tuple[str, ...]:
    """Return the row of S6: differences are much larger on acoustic scenes than on UrbanSound8K."""
    cells = summary(values, BY, how)
    cells["square"] = cells["mean"] ** 2 - cells["se"] ** 2
    both = cells.pivot(index=["model", "n_per_class"], columns="dataset", values="square")
    grid = pd.MultiIndex.from_product([ALL, ns])
    both = both.reindex(grid, columns=["tut_asc", "us8k"])
    known = both.dropna()
    sizes = ["no runs"]
    if len(known):
        roots = np.sqrt(np.maximum(0, known.mean()))
        sizes = [f"{dataset} {points(root, False)}" for dataset, root in roots.items()]
    excess = known["tut_asc"] - FACTOR**2 * known["us8k"]
    times = quantile(np.array(len(excess) - 1.0), 0.5 + how.confidence / 2)
    half = excess.std() / np.sqrt(len(excess)) * times
    verdict = None
    if len(known) == len(both):
        verdict = positive(excess.mean() - half, excess.mean() + half, 0)
    text = f"root mean square, {', '.join(sizes)}, over {len(known)} of {len(both)} models and n"
    return "S6", "both", "much larger differences on acoustic scenes", _word(verdict), text


def _word(verdict: Verdict) -> str:
    if verdict is None:
        return OPEN
    return HOLDS if verdict else FAILS
