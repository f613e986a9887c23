"""Tables of accuracies and of paired differences."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import pandas as pd

from fewshot_audio.report.frame import CELL
from fewshot_audio.types import NothingToShow, StoreError

SHOWN = 5  # missing runs named in an error
STEP = "scripts/run.py makes them"
TASK = ["dataset", "fold", "model", "n_per_class", "repeat"]


@dataclass(frozen=True)
class Table:
    """Cells (dataset, model, arm, n_per_class, mean, spread, count), and their caption.

    Means and spreads are shares of 1, shown in percent, or plain numbers where it is not a `share`. `by_fold` holds the same
    per fold, for figures.
    """

    name: str
    caption: str
    signed: bool
    cells: pd.DataFrame
    by_fold: pd.DataFrame
    share: bool = True


def accuracy(runs: pd.DataFrame, name: str, frontends: Sequence[str] | None, partial: bool) -> Table:
    """Runs to the mean accuracy of each model, frontend and n, over folds and repeats.

    StoreError names the runs that some arms have and others have not, unless `partial`.
    """
    chosen = runs if frontends is None else runs[runs["frontend"].isin(frontends)]
    if not partial:
        _check_even(chosen)
    caption = "Accuracy in %: mean ± standard deviation over folds and repeats (number of runs)."
    return _table(name, caption, False, chosen.assign(arm=chosen["frontend"], value=chosen["accuracy"]))


def difference(runs: pd.DataFrame, name: str, pairs: Sequence[tuple[str, str]], partial: bool) -> Table:
    """Runs to the mean of paired differences in accuracy, first minus second of each pair, on the same draws.

    StoreError where a run has no partner, unless `partial`, or where partners saw different clips; NothingToShow where an arm
    of every pair is absent.
    """
    absent = [sorted(set(pair) - set(runs["frontend"])) for pair in pairs]
    if all(absent):
        raise NothingToShow(f"table {name}: the store has no finished runs of {', '.join(sorted(set().union(*absent)))}; {STEP}")
    paired = pd.concat([_pair(runs, *pair, partial) for pair in pairs])
    caption = (
        "Difference in accuracy, in points: mean ± standard deviation over pairs of runs on the same draw (number of pairs)."
    )
    return _table(name, caption, True, paired)


def batch_norm(runs: pd.DataFrame, name: str, partial: bool) -> Table:
    """Runs with fit.reestimate_bn=true to the mean of what re-estimating batch norm's statistics changed, run by run."""
    chosen = runs[runs["stored_bn"].notna()]
    if not partial:
        _check_even(chosen)
    caption = (
        "Accuracy with re-estimated minus accuracy with stored batch-norm statistics, in points: "
        "mean ± standard deviation over runs (number of runs)."
    )
    return _table(name, caption, True, chosen.assign(arm=chosen["frontend"], value=chosen["accuracy"] - chosen["stored_bn"]))


def drift(runs: pd.DataFrame, name: str, partial: bool) -> Table:
    """Runs whose frontend tells how far it has moved to the mean of each number that it tells."""
    chosen = runs[runs["drift"].map(bool).astype(bool)]
    if not partial:
        _check_even(chosen)
    told = [
        {**run, "arm": f"{run['frontend']}: {what}", "value": value}
        for run in chosen.to_dict("records")
        for what, value in run["drift"].items()
    ]
    caption = "What training did to the filters: mean ± standard deviation over runs (number of runs)."
    return replace(_table(name, caption, False, pd.DataFrame(told)), share=False)


def _table(name: str, caption: str, signed: bool, values: pd.DataFrame) -> Table:
    if values.empty:
        raise NothingToShow(f"table {name}: the store has no finished runs for it; {STEP}")
    columns = ["dataset", "model", "arm", "n_per_class"]
    return Table(name, caption, signed, _summary(values, columns), _summary(values, [*columns, "fold"]))


def _summary(values: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    """Mean, sample standard deviation (none for one run) and count of each group."""
    summary = values.groupby(columns)["value"].agg(["mean", "std", "count"]).reset_index()
    return summary.rename(columns={"std": "spread"})


def _pair(runs: pd.DataFrame, first: str, second: str, partial: bool) -> pd.DataFrame:
    one, other = (runs[runs["frontend"] == arm] for arm in (first, second))
    both = one.merge(other, on=TASK, how="outer", suffixes=("", "_other"), indicator=True)
    alone = both[both["_merge"] != "both"]
    if len(alone) and not partial:
        absent = alone["_merge"].map({"left_only": second, "right_only": first})
        raise StoreError(_absence(f"{first} - {second}", alone.assign(frontend=absent)))
    both = both[both["_merge"] == "both"]
    unlike = both[both["draw"] != both["draw_other"]]
    if len(unlike):
        raise StoreError(f"{first} - {second}: partners saw different clips:\n{_listed(unlike)}")
    return both.assign(arm=f"{first} - {second}", value=both["accuracy"] - both["accuracy_other"])


def _check_even(runs: pd.DataFrame) -> None:
    """StoreError where an arm lacks a fold, n and repeat that another arm of the dataset has."""
    for dataset, group in runs.groupby("dataset"):
        arms = group[["model", "frontend"]].drop_duplicates()
        tasks = group[["fold", "n_per_class", "repeat"]].drop_duplicates()
        wanted = arms.merge(tasks, how="cross").assign(dataset=dataset)
        found = wanted.merge(group[CELL], on=CELL, how="left", indicator=True)
        lacking = found[found["_merge"] == "left_only"]
        if len(lacking):
            raise StoreError(_absence("accuracy", lacking))


def _absence(what: str, lacking: pd.DataFrame) -> str:
    return (
        f"{what}: {len(lacking)} runs are missing:\n{_listed(lacking)}\n"
        "do them with the command that did the others, or print what is there: partial=true"
    )


def _listed(runs: pd.DataFrame) -> str:
    shown = [
        "  " + " ".join(f"{name}={getattr(run, name)}" for name in CELL)
        for run in runs.sort_values(CELL).head(SHOWN).itertuples()
    ]
    more = [f"  ... and {len(runs) - SHOWN} more"] if len(runs) > SHOWN else []
    return "\n".join(shown + more)
