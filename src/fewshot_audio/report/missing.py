"""Runs that a table lacks: which they are, and the commands that do them."""

import re
import shlex
from typing import Any

import msgspec
import pandas as pd

from fewshot_audio.report.records import ARM, CELL
from fewshot_audio.runner.identity import digest_of
from fewshot_audio.types import StoreError

SHOWN = 5  # missing runs named in an error
COMMANDS = 3
AGAIN = re.compile(
    r"(\+?(fold|model|frontend|n_per_class|repeats)=.*|-m|--multirun)$"
)  # words that are written anew


def check_even(runs: pd.DataFrame) -> None:
    """StoreError, with the missing runs and their commands, where an arm lacks a fold, n and repeat that another arm has."""
    for dataset, group in runs.groupby("dataset"):
        arms = group[["model", "frontend"]].drop_duplicates()
        tasks = group[["fold", "n_per_class", "repeat"]].drop_duplicates()
        wanted = arms.merge(tasks, how="cross").assign(dataset=dataset)
        found = wanted.merge(group[CELL], on=CELL, how="left", indicator=True)
        lacking = found[found["_merge"] == "left_only"]
        if len(lacking):
            raise StoreError(absence("accuracy", lacking, runs))


def absence(what: str, lacking: pd.DataFrame, runs: pd.DataFrame) -> str:
    """Missing runs (columns CELL) to a message: the first ones with their keys, and the commands that do them."""
    arms = list(lacking.groupby(ARM))
    commands = [
        f"  {_command(dict(zip(ARM, arm, strict=True)), group, runs)}"
        for arm, group in arms[:COMMANDS]
    ]
    more = (
        [f"  ... and the like for {len(arms) - COMMANDS} more arms"] if len(arms) > COMMANDS else []
    )
    listing = [f"{what}: {len(lacking)} runs are missing:", listed(lacking, runs)]
    return "\n".join(
        [*listing, "do them with", *commands, *more, "or print what is there: partial=true"]
    )


def listed(lacking: pd.DataFrame, runs: pd.DataFrame) -> str:
    """The first of some runs (columns CELL), a line each, with the keys that they would have."""
    shown = [
        f"  {' '.join(f'{name}={run[name]}' for name in CELL)} key={_key(run, runs)}"
        for run in lacking.sort_values(CELL).head(SHOWN).to_dict("records")
    ]
    more = [f"  ... and {len(lacking) - SHOWN} more"] if len(lacking) > SHOWN else []
    return "\n".join(shown + more)


def _key(run: dict[str, Any], runs: pd.DataFrame) -> str:
    """The key that a run would have, by the settings of its arm's other runs, or of its model's and its frontend's."""
    of_model = msgspec.json.decode(_kin(run, runs, ARM, ["dataset", "model"])["settings"])
    of_frontend = msgspec.json.decode(_kin(run, runs, ARM, ["dataset", "frontend"])["settings"])
    settings = of_model | {
        name: of_frontend[name] for name in ("frontend", "features") if name in of_frontend
    }
    numbers = {name: int(run[name]) for name in ("fold", "n_per_class", "repeat")}
    same_fold = runs[(runs["dataset"] == run["dataset"]) & (runs["fold"] == run["fold"])]
    return digest_of(settings | numbers | {"split": same_fold["split"].iloc[0]})


def _command(arm: dict[str, str], lacking: pd.DataFrame, runs: pd.DataFrame) -> str:
    """The command that does an arm's missing runs, from one that did runs of the same arm or of its dataset."""
    known = runs[runs["command"].notna()]
    kin = _kin(arm, known, ARM, ["dataset", "model"], ["dataset"]) if len(known) else {}
    words = shlex.split(
        kin.get("command") or f"python scripts/run.py dataset={arm['dataset']} dataset.root=..."
    )
    several = lacking["fold"].nunique() > 1
    chosen = {
        name: ",".join(map(str, sorted(lacking[name].unique()))) for name in ("fold", "n_per_class")
    }
    repeats = (
        [f"repeats={max(lacking['repeat'])}"]
        if any(word.startswith("repeats=") for word in words)
        else []
    )
    others = tuple(
        f"{name}." for name in ("frontend", "model") if kin.get(name) != arm[name]
    )  # settings of another choice
    kept = [
        word for word in words if not AGAIN.match(word) and not word.lstrip("+").startswith(others)
    ]
    anew = [f"fold={chosen['fold']}", f"model={arm['model']}", f"frontend={arm['frontend']}"]
    return shlex.join(
        [
            *kept[:2],
            *["-m"] * several,
            *kept[2:],
            *anew,
            f"n_per_class=[{chosen['n_per_class']}]",
            *repeats,
        ]
    )


def _kin(run: dict[str, Any], runs: pd.DataFrame, *choices: list[str]) -> dict[str, Any]:
    """A run that shares the first of the choices of columns that any run shares, or else any run."""
    for names in choices:
        alike = runs[(runs[names] == [run[name] for name in names]).all(axis=1)]
        if len(alike):
            return alike.iloc[0].to_dict()
    return runs.iloc[0].to_dict()
