"""Runs paired on the same draws, and what their differences say."""

from collections.abc import Sequence
from itertools import combinations

import pandas as pd

from fewshot_audio.report.missing import absence, listed
from fewshot_audio.report.records import CELL
from fewshot_audio.report.statistics import judged, narrowed, summary
from fewshot_audio.types import NoRunsError, Statistics, StoreError

TASK = ["dataset", "fold", "model", "n_per_class", "repeat"]
BY = ["dataset", "model", "arm", "n_per_class"]
FAMILY = [
    "dataset"
]  # of Holm's adjustment: all of a table's cells of a dataset, whatever its pairs
STEP = "scripts/run.py makes them"


def named(first: str, second: str) -> str:
    """The name of a difference."""
    return f"{first} - {second}"


def paired(runs: pd.DataFrame, first: str, second: str, partial: bool) -> pd.DataFrame:
    """Runs to one row per pair, with arm (the difference's name), first, second and value (first - second), in shares.

    StoreError where a run of models that have both arms lacks its partner, unless `partial`, or where partners saw other clips.
    """
    one, other = (
        runs.loc[runs["frontend"] == arm, [*CELL, "accuracy", "few_shot_split"]]
        for arm in (first, second)
    )
    both = one.merge(other, on=TASK, how="outer", suffixes=("", "_other"), indicator=True)
    alone = both[both["_merge"] != "both"]
    if len(alone) and not partial:
        absent = alone["_merge"].map({"left_only": second, "right_only": first}).astype(str)
        raise StoreError(absence(named(first, second), alone.assign(frontend=absent), runs))
    both = both[both["_merge"] == "both"]
    unlike = both[both["few_shot_split"].fillna("") != both["few_shot_split_other"].fillna("")]
    if len(unlike):
        raise StoreError(
            f"{named(first, second)}: partners saw different clips:\n{listed(unlike, runs)}"
        )
    found = both.assign(
        arm=named(first, second), first=both["accuracy"], second=both["accuracy_other"]
    )
    return found.assign(value=found["first"] - found["second"])[
        [*TASK, "arm", "first", "second", "value"]
    ]


def all_paired(
    runs: pd.DataFrame, name: str, pairs: Sequence[tuple[str, str]], partial: bool
) -> pd.DataFrame:
    """Runs to the pairs of each difference whose arms the store has; NoRunsError where it has none of them."""
    arms = set(runs["frontend"])
    there = [pair for pair in pairs if arms.issuperset(pair)]
    found = [paired(runs, *pair, partial) for pair in there]
    if not sum(map(len, found)):
        absent = sorted(set().union(*pairs) - arms)
        raise NoRunsError(
            f"table {name}: the store has no finished runs of {', '.join(absent) or 'both arms'}; {STEP}"
        )
    return pd.concat(found)


def compared(pairs: pd.DataFrame, how: Statistics, family: list[str] = FAMILY) -> pd.DataFrame:
    """Pairs to the cells of their differences, with intervals, tests, and how much pairing narrowed the interval."""
    cells = judged(summary(pairs, BY, how), pairs, BY, family, how)
    return cells.merge(narrowed(pairs, BY).reset_index(), on=BY, how="left")


def best(runs: pd.DataFrame, how: Statistics) -> pd.DataFrame:
    """Runs to the best arm of each dataset, model and n (columns dataset, model, arm, n_per_class), where tests back it.

    It differs from every other arm there by the chosen paired test, after Holm over all pairs of arms in the dataset.
    """
    pairs = [
        paired(runs, *pair, partial=True)
        for pair in combinations(sorted(runs["frontend"].unique()), 2)
    ]
    if not sum(map(len, pairs)):
        return pd.DataFrame(columns=BY)
    cells = compared(pd.concat(pairs), how, ["dataset"])
    first, second = (cells["arm"].str.split(" - ").str[place] for place in (0, 1))
    won = cells.assign(arm=first.where(cells["mean"] > 0, second))[cells["marked"]]
    wins = won.groupby(BY).size().rename("wins").reset_index()
    arms = (
        runs.groupby(["dataset", "model", "n_per_class"])["frontend"]
        .nunique()
        .rename("arms")
        .reset_index()
    )
    wins = wins.merge(arms, on=["dataset", "model", "n_per_class"])
    return wins.loc[wins["wins"] == wins["arms"] - 1, BY]
