"""What the article says of the differences, checked: holds, does not hold, or not enough data."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from fewshot_audio.report.differences import BY, compare, pair_all
from fewshot_audio.report.selection import Selection
from fewshot_audio.report.statistics import LEAST, summary
from fewshot_audio.report.table import Table, plain_table
from fewshot_audio.report.text import Measure, minus, n_text, widened
from fewshot_audio.types import NoRunsError, Statistics

HOLDS, FAILS, OPEN = "holds", "does not hold", "not enough data"
TOO_FEW = "too few folds"
FEW = 10  # clips per class
FOLDED = "us8k"  # has ten folds; TUT has one
FACTOR = 2  # how much larger is much larger

# A truth may be unknown (NA); and, or and not of such truths are Kleene's.
Sign = Callable[[pd.DataFrame, float], pd.Series]  # of intervals and the margin
Rule = Callable[[pd.Series, pd.Series], bool]  # of the signs of a model's cells, and their n


def near_zero(cells: pd.DataFrame, margin: float) -> pd.Series:
    """Whether intervals lie within ± margin; not so where they lie outside."""
    low, high = cells["low"], cells["high"]
    return _truths((-margin < low) & (high < margin), (low > margin) | (high < -margin))


def positive(cells: pd.DataFrame, margin: float) -> pd.Series:
    """Whether intervals lie above zero; not so where they lie at or below."""
    return _truths(cells["low"] > 0, cells["high"] <= 0)


def negative(cells: pd.DataFrame, margin: float) -> pd.Series:
    """Whether intervals lie below zero; not so where they lie at or above."""
    return _truths(cells["high"] < 0, cells["low"] >= 0)


def not_negative(cells: pd.DataFrame, margin: float) -> pd.Series:
    """Whether intervals lie at or above zero; not so where they lie below."""
    return ~negative(cells, margin)


def _truths(so: pd.Series, not_so: pd.Series) -> pd.Series:
    return so.astype("boolean").where(so | not_so)


def at_some_n(signs: pd.Series, n_per_class: pd.Series) -> bool:
    """Whether some n has the sign."""
    return signs.any(skipna=False)


def at_few_only(signs: pd.Series, n_per_class: pd.Series) -> bool:
    """Whether every n up to `FEW` has the sign, and no other."""
    return signs.where(n_per_class <= FEW, ~signs).all(skipna=False)


@dataclass(frozen=True)
class Claim:
    """A claim of the article: a sign of the differences of some models.

    Attributes:
        name: S1 to S5.
        dataset: Where it is said to be so.
        says: The claim in words.
        models: Of which it is said.
        sign: What an interval must show.
        rule: Which n of a model must have the sign; None: the mean over n.
    """

    name: str
    dataset: str
    says: str
    models: Sequence[str]
    sign: Sign
    rule: Rule | None = None


ALL = ("sb_cnn", "vgg", "timbre", "proto")
NOT_NEGATIVE = "mean at least zero for SB-CNN and TIMBRE"
ASC_NEGATIVE = "clearly negative for VGG, TIMBRE and prototypical networks"
FEW_ONLY = f"positive for SB-CNN at n up to {FEW} only"
SOME_NEGATIVE = "negative at some n for VGG and for prototypical networks"
CLAIMS = (
    Claim("S1", "us8k", "near zero for all four models", ALL, near_zero),
    Claim("S2", "us8k", NOT_NEGATIVE, ("sb_cnn", "timbre"), not_negative),
    Claim("S3", "us8k", SOME_NEGATIVE, ("vgg", "proto"), negative, at_some_n),
    Claim("S4", "tut_asc", FEW_ONLY, ("sb_cnn",), positive, at_few_only),
    Claim("S5", "tut_asc", ASC_NEGATIVE, ("vgg", "timbre", "proto"), negative),
)


def claims(
    selection: Selection, name: str, title: str, pair: tuple[str, str], n_per_class: Sequence[int]
) -> Table:
    """Show the article's claims on a pair's difference, those on datasets and models with runs.

    Args:
        selection: The runs.
        name: Of the table.
        title: Its heading.
        pair: The frontends, first − second.
        n_per_class: A claim is open until all its models have runs at each of these.

    Raises:
        NoRunsError: If there are no runs of a dataset and model of any claim, or all have one n.
    """
    pair = pair[::-1] if selection.measure.is_lower_better else pair  # above zero is better
    values, how = pair_all(selection, name, [pair], partial=True), selection.joint
    present = set(zip(values["dataset"], values["model"], strict=True))
    judged = [each for each in CLAIMS if present & {(each.dataset, of) for of in each.models}]
    if not judged:
        raise NoRunsError(
            f"table {name}: no finished pairs of runs of a dataset and model of the claims; "
            "scripts/run.py makes them"
        )
    if len(n_per_class) > 1 and values["n_per_class"].nunique() == 1:
        only = n_text(values["n_per_class"].iloc[0])
        raise NoRunsError(f"table {name}: claims are about several n, all runs have n = {only}")
    rows = [_check(claim, values, n_per_class, selection) for claim in judged]
    if len({claim.dataset for claim in judged}) > 1:
        rows.append(_larger(values, n_per_class, how, selection.measure))
    cells = pd.DataFrame(rows, columns=["claim", "dataset", "says", "verdict", "points"])
    return plain_table(selection, name, title, _caption(selection, pair), cells, labels=1)


def _caption(selection: Selection, pair: tuple[str, str]) -> str:
    """Return what the table of claims on a pair shows."""
    how, measure = selection.settings.how, selection.measure
    unit = "folds" if how.unit == "fold" else "few-shot splits"
    unit_of = " points" if measure.is_share else ""
    return (
        f"The article's claims on {minus(*pair)} (S1 to S6), by the intervals of the differences "
        f"({100 * how.confidence:g} %{widened(selection.comparisons)}) over {unit} (splits on TUT, "
        "which has one fold): a sign holds where the interval shows it, and does not where it "
        "shows the opposite. Near zero: the interval is within "
        f"± {measure.value(how.margin)}{unit_of}. Fewer than {LEAST} folds of UrbanSound8K are too "
        "few; intervals are then over the splits within them. Much larger: the mean square, less "
        f"what sampling adds, at least {FACTOR}² times as large, by an interval over models and n."
    )


def _check(
    claim: Claim, values: pd.DataFrame, ns: Sequence[int], selection: Selection
) -> tuple[str, ...]:
    """Return a claim's row of the table."""
    verdicts: list[bool | None] = []
    numbers: list[str] = []
    lacking: set[int] = set()
    for model in claim.models:
        of_model = values[(values["dataset"] == claim.dataset) & (values["model"] == model)]
        if of_model.empty:
            verdicts.append(None)
            numbers.append(f"{model} has no runs")
            continue
        cells = compare(selection, of_model, over_n=claim.rule is None)
        signs = claim.sign(cells, selection.settings.how.margin)
        verdict = claim.rule(signs, cells["n_per_class"]) if claim.rule else signs.iloc[0]
        absent = set(ns) - set(of_model["n_per_class"])
        lacking |= absent
        verdicts.append(None if absent else verdict)
        numbers.append(f"{model} {', '.join(_numbers(cells, selection.measure))}")
    text = "; ".join(numbers)
    if lacking:
        text += f"; n = {', '.join(map(n_text, sorted(lacking)))} missing"
    every = pd.Series(verdicts, dtype="boolean").all(skipna=False)
    of_models = values[values["model"].isin(claim.models)]
    word = _word(every, of_models, claim.dataset, selection.joint)
    return claim.name, claim.dataset, claim.says, word, text


def _numbers(cells: pd.DataFrame, measure: Measure) -> list[str]:
    """Return means with their intervals, and their n where they have one."""
    texts = [measure.with_limits(cell) for cell in cells.itertuples()]
    if "n_per_class" not in cells:
        return texts
    ns = map(n_text, cells["n_per_class"])
    return [f"n = {n} {text}" for n, text in zip(ns, texts, strict=True)]


def _larger(
    values: pd.DataFrame, ns: Sequence[int], how: Statistics, measure: Measure
) -> tuple[str, ...]:
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
        sizes = [f"{dataset} {measure.value(root)}" for dataset, root in roots.items()]
    excess = known["tut_asc"] - FACTOR**2 * known["us8k"]
    times = stdtrit(len(excess) - 1, 0.5 + how.confidence / 2)
    half = excess.std() / np.sqrt(len(excess)) * times
    verdict = None
    if len(known) == len(both):
        interval = pd.DataFrame({"low": [excess.mean() - half], "high": [excess.mean() + half]})
        verdict = positive(interval, 0)[0]
    text = f"root mean square, {', '.join(sizes)}, over {len(known)} of {len(both)} models and n"
    word = _word(verdict, values, FOLDED, how) if len(known) else OPEN
    return "S6", "both", "much larger differences on acoustic scenes", word, text


def _word(verdict: bool | None, values: pd.DataFrame, dataset: str, how: Statistics) -> str:
    """Return a claim's verdict, which takes some folds of a dataset that has several."""
    folds = values.loc[values["dataset"] == dataset, ["model", "n_per_class", "fold"]]
    counts = folds.groupby(["model", "n_per_class"])["fold"].nunique()
    if dataset == FOLDED and how.unit == "fold" and (counts < LEAST).any():
        return TOO_FEW
    if pd.isna(verdict):
        return OPEN
    return HOLDS if verdict else FAILS
