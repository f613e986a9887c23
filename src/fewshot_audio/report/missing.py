"""Runs that a table lacks: which they are, and the commands that do them."""

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pandas as pd

from fewshot_audio.config import command_line
from fewshot_audio.datasets.listing import shorten
from fewshot_audio.progress import counted
from fewshot_audio.report.metric import ANEW
from fewshot_audio.report.records import ALL_CLIPS, ROW
from fewshot_audio.report.selection import Selection
from fewshot_audio.report.settings import DEFAULT, FRONTEND
from fewshot_audio.report.text import n_text
from fewshot_audio.types import StoreError

RUN = ["dataset", "fold", "model", "frontend", "n_per_class", "pool", "repeat"]
COMMANDS = 3


def check_even(selection: Selection) -> None:
    """Check that all frontends have the same folds, n and repeats.

    Raises:
        StoreError: With the missing runs and the commands that do them.
    """
    for dataset, group in selection.runs.groupby("dataset"):
        rows = group[["model", "frontend"]].drop_duplicates()
        splits = group[["fold", "n_per_class", "pool", "repeat"]].drop_duplicates()
        expected = rows.merge(splits, how="cross").assign(dataset=dataset)
        both = expected.merge(group[RUN], on=RUN, how="left", indicator=True)
        lacking = both[both["_merge"] == "left_only"]
        if len(lacking):
            raise StoreError(absence(selection.measure.label, lacking, selection))


def absence(what: str, lacking: pd.DataFrame, selection: Selection) -> str:
    """Return a message about missing runs (columns `RUN`), with the commands that do them.

    Runs that are there without the metric are told apart: no command adds it to them.
    """
    without = selection.without[RUN].drop_duplicates().astype({"frontend": str})
    both = lacking.astype({"frontend": str}).merge(
        without, on=RUN, how="left", indicator="is_finished"
    )
    finished = both["is_finished"] == "both"
    compared, lines = selection.settings.compare, []
    if finished.any():
        metric = selection.measure.name
        lines = [
            f"{what}: {counted(finished.sum(), 'run')} without {metric}:",
            listed(both[finished], compared),
        ]
        lines.append(ANEW)
    if not finished.all():
        missing = both[~finished]
        are = "1 run is" if len(missing) == 1 else f"{len(missing)} runs are"
        lines += [f"{what}: {are} missing:", listed(missing, compared), "do them with"]
        by = [*ROW, "pool", missing["n_per_class"] == ALL_CLIPS]
        rows = list(missing.groupby(by))
        for _, group in rows[:COMMANDS]:
            lines.append(f"  {command_of(group, selection)}")
        if len(rows) > COMMANDS:
            lines.append(f"  ... and the like for {len(rows) - COMMANDS} more rows")
        if any("=???" in line for line in lines):
            lines.append("where ??? stands for a folder of yours, which records do not hold,")
    lines.append("or make tables of what there is: partial=true")
    return "\n".join(lines)


def listed(lacking: pd.DataFrame, compared: str) -> str:
    """Return the first of some runs, a line each."""
    lines = []
    for run in lacking.sort_values(RUN).to_dict("records"):
        words = [f"dataset={run['dataset']}", f"fold={run['fold']}", f"model={run['model']}"]
        words += [f"{compared}={run['frontend']}", f"n_per_class={n_text(run['n_per_class'])}"]
        words += [word for word in (run["pool"], f"repeat={run['repeat']}") if word]
        lines.append(" ".join(words))
    return shorten(lines)


def command_of(lacking: pd.DataFrame, selection: Selection) -> str:
    """Return the command that does some runs of one row of a table, columns `RUN`.

    Either all of them train on all clips, or none.
    """
    row, compared = lacking.iloc[0], selection.settings.compare
    like = _most_like(row, selection.runs[selection.runs["command"].notna()])
    start = command_line("run", [f"dataset={row['dataset']}"]) + " dataset.root=..."
    start += " protocol=full" if row["n_per_class"] == ALL_CLIPS else ""
    words = shlex.split(like.get("command") or start)
    anew = {"results": _quoted(selection.settings.results)}
    anew["fold"] = ",".join(map(str, sorted(lacking["fold"].unique())))
    if compared == FRONTEND:
        anew["model"] = row["model"]
    anew[compared] = row["frontend"]
    anew |= dict(word.split("=", 1) for word in shlex.split(row["pool"]))
    anew = {_of_command(name): value for name, value in anew.items()}
    dropped = [f"{name}=" for name in (*anew, "repeats", "n_per_class")]
    anew = {name: value for name, value in anew.items() if value != DEFAULT}
    ns = sorted(n for n in lacking["n_per_class"].unique() if n != ALL_CLIPS)
    if ns:
        anew["n_per_class"] = f"[{','.join(map(n_text, ns))}]"
    if any(word.startswith("repeats=") for word in words):
        anew["repeats"] = str(lacking["repeat"].max())
    for name in (FRONTEND, "model"):  # settings of another choice
        if compared == FRONTEND and like.get(name) != row[name]:
            dropped.append(f"{name}.")
    if compared != FRONTEND:
        dropped.append(f"{compared}.")
    kept = [
        word
        for word in words
        if word not in ("-m", "--multirun") and not word.lstrip("+").startswith(tuple(dropped))
    ]
    sweep = ["-m"] if "," in anew["fold"] else []
    new = [f"{name}={value}" for name, value in anew.items()]
    return shlex.join([*kept[:2], *sweep, *kept[2:], *new])


def _quoted(results: Path) -> str:
    """Return a results folder as a command names it."""
    text = str(results)
    if text == "results":
        return DEFAULT
    return text if re.fullmatch(r"[\w./-]+", text) else json.dumps(text, ensure_ascii=False)


def _of_command(name: str) -> str:
    """Return a setting's name on a command line."""
    return "features.level" if name == "level" else name.removeprefix("mel.")


def _most_like(row: pd.Series, runs: pd.DataFrame) -> dict[str, Any]:
    """Return a run of the same frontend and model, or the same model, or dataset, or any.

    It trains on all clips where the other one does.
    """
    runs = runs[(runs["n_per_class"] == ALL_CLIPS) == (row["n_per_class"] == ALL_CLIPS)]
    for names in (ROW, ["dataset", "model"], ["dataset"], []):
        alike = runs
        for name in names:
            alike = alike[alike[name] == row[name]]
        if len(alike):
            return alike.iloc[0].to_dict()
    return {}
