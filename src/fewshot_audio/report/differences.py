"""Runs paired on the same few-shot split, what their differences say, and the answer in words."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated

import numpy as np
import pandas as pd
from pydantic import BeforeValidator

from fewshot_audio.report.missing import absence, listed
from fewshot_audio.report.multitask import comparisons_by_task
from fewshot_audio.report.records import ALL_CLIPS
from fewshot_audio.report.selection import SPLIT, Selection
from fewshot_audio.report.settings import FRONTEND
from fewshot_audio.report.statistics import narrowed, summary, with_p
from fewshot_audio.report.text import joined, label, minus
from fewshot_audio.types import NoRunsError, StoreError

Name = Annotated[str, BeforeValidator(label)]  # values of a setting may be numbers
Pairs = Sequence[tuple[Name, Name]] | None
QUESTION = ["dataset", "model", "first", "second"]
BY = [*QUESTION, "n_per_class"]
PAIRED = [*SPLIT, "first", "second", "value_first", "value_second", "value"]
TRAINED = "few_shot_split"
CLIPS = {TRAINED: "trained on", "split": "were tested on"}  # digests of clips
BASELINE = "baseline"  # the table of pairs that no other table has
SHOWN = 3  # digits of a share that readers see
GAIN, LOSS, SAME, NO_GAIN, OPEN = "gain", "loss", "no difference", "no gain", "cannot tell yet"


def pair(selection: Selection, first: str, second: str, partial: bool) -> pd.DataFrame:
    """Pair the runs of two frontends.

    Returns:
        A row per pair, with the columns `PAIRED`; value is value_first − value_second.

    Raises:
        StoreError: If a run has no partner, unless `partial`, or if partners saw other clips.
    """
    runs, columns = selection.runs, [*SPLIT, "frontend", "value", *CLIPS]
    one, other = (runs.loc[runs["frontend"] == name, columns] for name in (first, second))
    both = one.merge(other, on=SPLIT, how="outer", suffixes=("_first", "_second"), indicator=True)
    alone = both[both["_merge"] != "both"]
    if len(alone) and not partial:
        absent = alone["_merge"].map({"left_only": second, "right_only": first}).astype(str)
        lacking = alone[SPLIT].assign(frontend=absent)
        raise StoreError(absence(minus(first, second), lacking, selection))
    both = both[both["_merge"] == "both"]
    for clips, verb in CLIPS.items():
        left, right = (both[f"{clips}_{side}"].fillna("") for side in ("first", "second"))
        unlike = left != right
        if clips == "split":  # which also tells methods apart, and earlier records may lack
            unlike &= (left != "") & (right != "") & (selection.settings.compare == FRONTEND)
        if unlike.any():
            shown = listed(both[unlike].assign(frontend=first), selection.settings.compare)
            raise StoreError(f"{minus(first, second)}: partners {verb} different clips:\n{shown}")
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
    if not selection.is_paired:
        raise NoRunsError(
            f"table {table}: few-shot splits differ by {selection.settings.compare}, so that there "
            "are no pairs of runs"
        )
    if pairs is None:
        pairs = against_baseline(selection)
    found = paired(selection, pairs, partial)
    if found.empty:
        absent = {name for each in pairs for name in each} - set(selection.runs["frontend"])
        what = joined(sorted(absent)) if absent else f"two {selection.settings.compare}s to compare"
        raise NoRunsError(
            f"table {table}: there are no finished runs of {what}; scripts/run.py makes them, and "
            "report.pairs=[[first,second]] names other ones"
        )
    return found


def paired(selection: Selection, pairs: Pairs, partial: bool) -> pd.DataFrame:
    """Return the pairs of runs of the pairs of frontends that there are; none is no error."""
    frontends = set(selection.runs["frontend"].cat.categories) if selection.is_paired else set()
    pairs = against_baseline(selection) if pairs is None else pairs
    found = [pair(selection, *each, partial) for each in pairs if set(each) <= frontends]
    return pd.concat(found) if any(map(len, found)) else pd.DataFrame(columns=PAIRED)


def against_baseline(selection: Selection) -> list[tuple[str, str]]:
    """Return the pairs of every frontend but the baseline, and the baseline."""
    baseline = str(selection.settings.baseline)
    frontends = selection.runs["frontend"].cat.categories
    return [(name, baseline) for name in frontends if name != baseline]


def with_pairs(selection: Selection, lists: Mapping[str, Pairs]) -> Selection:
    """Assign each pair that there are runs of to a table: the first that has it, or the baseline's.

    Their comparisons are counted: all these pairs, for each dataset and model at each n, averaged
    over n where there are several, and over datasets of which all clips train; and those by task of
    networks that learned several datasets.

    Args:
        selection: The runs.
        lists: The pairs of tables, in reading order.
    """
    tables: dict[tuple[str, str], str] = {}
    for table, pairs in lists.items():
        for first, second in pairs or []:
            tables.setdefault((label(first), label(second)), table)
    for each in against_baseline(selection):
        tables.setdefault(each, BASELINE)
    cells = selection.runs.groupby("frontend")[["dataset", "model", "n_per_class"]]
    have = {name: set(of.itertuples(index=False, name=None)) for name, of in cells}
    present = {each: table for each, table in tables.items() if set(each) <= set(have)}
    count = comparisons_by_task(selection)
    for first, second in {tuple(sorted(each)) for each in present}:
        both = have[first] & have[second]
        ns = pd.Series([cell[:2] for cell in both], dtype=object).value_counts()
        tasks = pd.Series([cell[1] for cell in both if cell[2] == ALL_CLIPS], dtype=object)
        count += len(both) + int((ns > 1).sum() + (tasks.value_counts() > 1).sum())
    return replace(selection, pairs=present, comparisons=max(1, count))


def compare(selection: Selection, values: pd.DataFrame, over_n: bool = False) -> pd.DataFrame:
    """Return the cells of differences, with the study's intervals, tests and verdicts.

    Args:
        selection: The runs, with the number of comparisons.
        values: Pairs of runs.
        over_n: Whether cells are averages over n, each counting the same.

    Returns:
        The columns of `summary`, `with_p`, `narrowed` and `judged`.
    """
    by, strata = (QUESTION, ["fold", "n_per_class"]) if over_n else (BY, ["fold"])
    within = selection.measure.limits(is_difference=True)
    cells = summary(values, by, selection.joint, strata, within)
    gained = narrowed(values, by, strata).reset_index()
    return judged(with_p(cells, values, by, strata).merge(gained, on=by, how="left"), selection)


def judged(cells: pd.DataFrame, selection: Selection) -> pd.DataFrame:
    """Return cells with the verdict that their interval, as shown, gives, and if it marks them.

    The one place that decides: tables, figures and sentences show what it says.

    Args:
        cells: Differences with low and high.
        selection: Which values are better, and the margin that counts as no difference.

    Returns:
        The cells with verdict (`GAIN`, `LOSS`: the interval excludes zero; `SAME`: it is within the
        margin; `NO_GAIN`: it ends below the margin; `OPEN`) and marked (a gain or a loss).
    """
    low, high, margin = cells["low"], cells["high"], selection.settings.how.margin
    if selection.measure.is_share:
        low, high = low.round(SHOWN), high.round(SHOWN)
    if selection.measure.is_lower_better:
        low, high = -high, -low
    cases = [low > 0, high < 0, (low > -margin) & (high < margin), high < margin]
    verdict = np.select(cases, [GAIN, LOSS, SAME, NO_GAIN], OPEN)
    return cells.assign(verdict=verdict, marked=cases[0] | cases[1])


def gains(selection: Selection) -> pd.DataFrame:
    """Return the cells whose frontend is a gain over the baseline.

    Returns:
        A row per dataset, model, frontend, n_per_class.
    """
    by = ["dataset", "model", "frontend", "n_per_class"]
    values = paired(selection, None, partial=True)
    if values.empty:
        return pd.DataFrame(columns=by)
    cells = compare(selection, values).rename(columns={"first": "frontend"})
    return cells.loc[cells["verdict"] == GAIN, by]
