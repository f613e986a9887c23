"""Runs paired on the same few-shot split, and what their differences say."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from typing import Annotated, Any

import pandas as pd
from pydantic import BeforeValidator

from fewshot_audio.report.missing import absence, listed
from fewshot_audio.report.selection import SPLIT, Selection
from fewshot_audio.report.statistics import LEVEL, holm, judged, narrowed, summary, t_tested
from fewshot_audio.report.text import Measure, interval_name, joined, label, minus, n_text
from fewshot_audio.types import NoRunsError, Statistics, StoreError

Name = Annotated[str, BeforeValidator(label)]  # values of a setting may be numbers
Pairs = Sequence[tuple[Name, Name]] | None
BY = ["dataset", "model", "first", "second", "n_per_class"]
PAIRED = [*SPLIT, "first", "second", "value_first", "value_second", "value"]
TESTS = {"t": "paired t test", "wilcoxon": "exact Wilcoxon test"}
DATASET = ["dataset"]
FAMILY = ["dataset", "family"]  # of Holm's adjustment: all cells of a table in a dataset
BASELINE = "baseline"  # the table of pairs that no other table has


def pair(selection: Selection, first: str, second: str, partial: bool) -> pd.DataFrame:
    """Pair the runs of two frontends.

    Returns:
        A row per pair, with the columns `PAIRED`; value is value_first − value_second.

    Raises:
        StoreError: If a run has no partner, unless `partial`, or if partners saw other clips.
    """
    runs, columns = selection.runs, [*SPLIT, "frontend", "value", "few_shot_split"]
    one, other = (runs.loc[runs["frontend"] == name, columns] for name in (first, second))
    both = one.merge(other, on=SPLIT, how="outer", suffixes=("_first", "_second"), indicator=True)
    alone = both[both["_merge"] != "both"]
    if len(alone) and not partial:
        absent = alone["_merge"].map({"left_only": second, "right_only": first}).astype(str)
        lacking = alone[SPLIT].assign(frontend=absent)
        raise StoreError(absence(minus(first, second), lacking, selection))
    both = both[both["_merge"] == "both"]
    splits = [both[f"few_shot_split_{side}"].fillna("") for side in ("first", "second")]
    unlike = both[splits[0] != splits[1]]
    if len(unlike):
        shown = listed(unlike.assign(frontend=first), selection.settings.compare)
        raise StoreError(f"{minus(first, second)}: partners saw different clips:\n{shown}")
    difference = both["value_first"] - both["value_second"]
    return both.assign(first=first, second=second, value=difference)[PAIRED]


def pair_all(selection: Selection, table: str, pairs: Pairs, partial: bool) -> pd.DataFrame:
    """Pair the runs of each pair of frontends that there are runs of.

    Args:
        selection: The runs.
        table: The name for error messages.
        pairs: First and second frontends; None: every other one and the baseline.
        partial: Whether runs without a partner are left out.

    Raises:
        NoRunsError: If there are no runs of any pair.
    """
    frontends = list(selection.runs["frontend"].cat.categories)
    if not selection.is_paired:
        raise NoRunsError(
            f"table {table}: few-shot splits differ by {selection.settings.compare}, so that there "
            "are no pairs of runs"
        )
    if pairs is None:
        pairs = against_baseline(selection)
    present = [each for each in pairs if set(each) <= set(frontends)]
    paired = [pair(selection, *each, partial) for each in present]
    if not any(len(each) for each in paired):
        absent = {name for each in pairs for name in each} - set(frontends)
        what = joined(sorted(absent)) if absent else f"two {selection.settings.compare}s to compare"
        raise NoRunsError(
            f"table {table}: there are no finished runs of {what}; scripts/run.py makes them, and "
            "report.pairs=[[first,second]] names other ones"
        )
    return pd.concat(paired)


def against_baseline(selection: Selection) -> list[tuple[str, str]]:
    """Return the pairs of every frontend but the baseline, and the baseline."""
    baseline = str(selection.settings.baseline)
    frontends = selection.runs["frontend"].cat.categories
    return [(name, baseline) for name in frontends if name != baseline]


def with_families(selection: Selection, lists: Mapping[str, Pairs]) -> Selection:
    """Assign each pair that there are runs of to a table: the first that has it, or the baseline's.

    A pair's tests are adjusted within that table wherever they are shown.

    Args:
        selection: The runs.
        lists: The pairs of tables, in reading order.
    """
    families: dict[tuple[str, str], str] = {}
    for table, pairs in lists.items():
        for first, second in pairs or []:
            families.setdefault((label(first), label(second)), table)
    for each in against_baseline(selection):
        families.setdefault(each, BASELINE)
    frontends = set(selection.runs["frontend"].cat.categories)
    present = {each: table for each, table in families.items() if set(each) <= frontends}
    return replace(selection, families=present)


def compare(selection: Selection, values: pd.DataFrame) -> pd.DataFrame:
    """Return the cells of differences, with intervals, tests, and what pairing narrowed.

    Tests are adjusted over all cells of a dataset in the table that the pair belongs to.

    Args:
        selection: The runs, with the families of pairs.
        values: Pairs of runs that are shown.
    """
    shown = list(dict.fromkeys(zip(values["first"], values["second"], strict=True)))
    tables = {selection.families.get(each) for each in shown}
    others = [
        pair(selection, *each, partial=True)
        for each, table in selection.families.items()
        if table in tables and each not in shown
    ]
    every = with_family(pd.concat([values, *others]), selection)
    cells = compared(every, FAMILY, selection.settings.how)
    is_shown = [each in shown for each in zip(cells["first"], cells["second"], strict=True)]
    return cells[is_shown].drop(columns="family").reset_index(drop=True)


def with_family(values: pd.DataFrame, selection: Selection) -> pd.DataFrame:
    """Add the family of each pair's tests."""
    pairs = zip(values["first"], values["second"], strict=True)
    return values.assign(family=[selection.families.get(each, "") for each in pairs])


def compared(values: pd.DataFrame, family: list[str], how: Statistics) -> pd.DataFrame:
    """Return the cells of differences, tests adjusted over those alike in the family's columns."""
    by = [*BY, *[name for name in family if name not in BY]]
    cells = judged(summary(values, by, how), values, by, family, how)
    return cells.merge(narrowed(values, BY).reset_index(), on=BY, how="left")


def best(selection: Selection) -> pd.DataFrame:
    """Return the best frontend of each dataset, model and n, where tests back it.

    It differs from every other one there by the chosen paired test, after Holm over all pairs in
    the dataset.

    Returns:
        A row per dataset, model, frontend, n_per_class.
    """
    by = ["dataset", "model", "frontend", "n_per_class"]
    frontends = sorted(selection.runs["frontend"].unique())
    if len(frontends) < 2 or not selection.is_paired:
        return pd.DataFrame(columns=by)
    pairs = [pair(selection, *each, partial=True) for each in combinations(frontends, 2)]
    if not any(len(each) for each in pairs):
        return pd.DataFrame(columns=by)
    cells = compared(pd.concat(pairs), DATASET, selection.settings.how)
    is_first = cells["mean"].map(selection.measure.is_better)
    better = cells["first"].where(is_first, cells["second"])
    wins = cells.assign(frontend=better)[cells["marked"]].groupby(by).size().rename("wins")
    groups = selection.runs.groupby(["dataset", "model", "n_per_class"])
    others = (groups["frontend"].nunique() - 1).rename("others").reset_index()
    both = wins.reset_index().merge(others, on=["dataset", "model", "n_per_class"])
    return both.loc[both["wins"] == both["others"], by]


def verdicts(pairs: pd.DataFrame, selection: Selection) -> list[str]:
    """Return a sentence per dataset and pair: for which models the first is better, or not.

    Averaged over n. Better and worse: by the t test after Holm over the models and pairs of the
    table that the pair belongs to; as good: within the margin.
    """
    if pairs.empty:
        names = joined(list(selection.runs["frontend"].cat.categories))
        return [f"There are runs of {names} only, and nothing on the same splits to compare with."]
    how = selection.settings.how
    by = ["dataset", "first", "second", "model", "family"]
    values = with_family(pairs, selection)
    cells = t_tested(summary(values, by, how, ["fold", "n_per_class"]), how)
    cells["p_holm"] = cells.groupby(FAMILY)["p"].transform(holm)
    sentences = []
    for (dataset, first, second), group in cells.groupby(["dataset", "first", "second"]):
        of_pair = (pairs["first"] == first) & (pairs["second"] == second)
        mean = _averaged_over(pairs[of_pair & (pairs["dataset"] == dataset)])
        kinds = _by_verdict(group, selection.measure)
        unit = "Points of" if selection.measure.is_share else "In"
        sentences.append(
            f"{dataset}, {first} against {second}, {mean}: {kinds}. "
            f"{unit} {selection.measure.label}{selection.measure.direction}, "
            f"{interval_name(group, how)}."
        )
    return sentences


def _averaged_over(pairs: pd.DataFrame) -> str:
    ns = sorted(pairs["n_per_class"].unique())
    if len(ns) == 1:
        return f"at n = {n_text(ns[0])}"
    uneven = pairs.groupby("n_per_class")["fold"].nunique().nunique() > 1
    mean = f"averaged over n = {', '.join(map(n_text, ns))}"
    return mean + (" (not every fold has every n)" if uneven else "")


def _by_verdict(cells: pd.DataFrame, measure: Measure) -> str:
    """Return the models by verdict, with their numbers."""
    models: dict[str, list[str]] = {"better": [], "worse": [], "as good": [], "undecided": []}
    for cell in cells.itertuples():
        limits = ""
        if not pd.isna(cell.low):
            limits = f", {measure.value(cell.low)} to {measure.value(cell.high)}"
        models[_verdict(cell, measure)].append(
            f"{cell.model} ({measure.difference(cell.mean)}{limits})"
        )
    return "; ".join(f"{verdict} for {joined(names)}" for verdict, names in models.items() if names)


def _verdict(cell: Any, measure: Measure) -> str:
    if cell.p_holm < LEVEL:
        return "better" if measure.is_better(cell.mean) else "worse"
    return "as good" if cell.equivalence < LEVEL else "undecided"
