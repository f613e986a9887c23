"""A results folder as tables, figures and a study of the page."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from fewshot_audio.components import build
from fewshot_audio.report import render
from fewshot_audio.report.layout import Table
from fewshot_audio.report.page import Picture, Shown, Study
from fewshot_audio.report.pairs import all_paired
from fewshot_audio.report.records import FIELDS, Found, found
from fewshot_audio.report.verdict import verdicts
from fewshot_audio.report.write import notes_on, provenance, run_commands
from fewshot_audio.runner.store import Line, Store
from fewshot_audio.types import Component, NoRunsError, ReportSettings, StoreError

LEARNED = dict.fromkeys(
    ("key", "status", "identity", "metrics", "seconds", "history", "frontend_diagnostics"), Any
)
ORDER = (
    "accuracy",
    "difference",
    "claims",
    "leaf",
    "controls",
    "frontends",
    "tests",
    "arms",
    "batch_norm",
    "drift",
    "cost",
)


@dataclass(frozen=True)
class Results:
    """A folder's runs, and those of folders that count with it."""

    folder: Path
    also: Sequence[Path]
    found: Found

    def lines(self) -> Iterator[Line]:
        """The lines of all its stores, with the fields that figures need."""
        return _lines([self.folder, *self.also], LEARNED)

    def clip(self) -> pd.DataFrame | None:
        """The maps of a clip that scripts/maps.py left among its figures."""
        file = self.folder / "figures/maps.csv"
        return pd.read_csv(file) if file.exists() else None


def folders(results: Path, also: Sequence[Path]) -> list[Path]:
    """A folder to the results folders at and just below it. StoreError where there are none."""
    below = sorted(folder.parent for folder in results.glob("*/runs") if folder.is_dir())
    here = [results] if also or (results / "runs").is_dir() else []
    if not here + below:
        raise StoreError(
            f"results={results}: no runs/ there or in a folder of it; scripts/run.py makes them"
        )
    return here + below


def read(folder: Path, also: Sequence[Path]) -> Results:
    """A results folder's runs. NoRunsError where there are none, StoreError where they contradict each other or are broken."""
    here = found(_lines([folder, *also], FIELDS))
    if here.runs.empty:
        failed = f" ({sum(here.failures.values())} failed)" if here.failures else ""
        raise NoRunsError(f"no finished runs{failed}; scripts/run.py makes them")
    return Results(folder, also, here)


def _lines(where: Iterable[Path], fields: Mapping[str, Any]) -> Iterator[Line]:
    for folder in where:
        yield from Store(folder).lines(fields)


def tables(
    results: Results, wanted: Sequence[Component], asked: ReportSettings
) -> tuple[list[Table], list[StoreError]]:
    """A folder's runs to the tables that it has runs for, in reading order, and what stood in the way of the others."""
    made, errors = [], []
    for each in sorted(
        wanted,
        key=lambda one: (ORDER.index(one.name) if one.name in ORDER else len(ORDER), one.name),
    ):
        try:
            made.append(build(each, runs=results.found.runs, name=each.name, asked=asked))
        except StoreError as error:
            errors.append(error)
    return made, errors


def pairs(results: Results, wanted: Sequence[Component]) -> pd.DataFrame:
    """A folder's runs to the pairs of runs that any of the tables compares; none where no two arms have any."""
    asked = list(
        dict.fromkeys(tuple(pair) for each in wanted for pair in each.arguments.get("pairs", []))
    )
    try:
        return all_paired(results.found.runs, "pairs", asked, partial=True)
    except NoRunsError:
        return pd.DataFrame(columns=["dataset", "model", "arm", "n_per_class", "fold", "value"])


def study(
    results: Results,
    made: Sequence[Table],
    pictures: Sequence[Picture],
    paired: pd.DataFrame,
    asked: ReportSettings,
    command: str,
) -> Study:
    """A folder's tables and pictures to its section of the page."""
    return Study(
        title=results.folder.name,
        verdicts=[render.unbroken(each) for each in verdicts(paired, asked.how)],
        tables=[
            Shown(
                each.name, each.title, render.unbroken(each.caption), render.html(each, each.name)
            )
            for each in made
        ],
        pictures=pictures,
        notes=notes_on(results.found.runs),
        provenance=provenance(results.found),
        commands=[*run_commands(results.found.runs), ("Make this page", command)],
    )
