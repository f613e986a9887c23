"""A results folder's tables, figures and section of the page."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from fewshot_audio.components import build
from fewshot_audio.report.differences import against_baseline, pair_all, verdicts
from fewshot_audio.report.export import html, markdown, table_files, unbroken, write
from fewshot_audio.report.page import Picture, Shown, Study
from fewshot_audio.report.records import Runs, read_runs, records_in
from fewshot_audio.report.selection import Selection, select
from fewshot_audio.report.table import Table
from fewshot_audio.types import Component, NoRunsError, ReportSettings, StoreError

HEAD = "# Results\n\nMade from the finished runs in `runs/`"  # of each folder's README
SHOWN = 10  # commands and reasons listed
ORDER = (
    "accuracy",
    "difference",
    "claims",
    "leaf",
    "controls",
    "baseline",
    "tests",
    "frontends",
    "batch_norm",
    "drift",
    "cost",
    "per_class",
)


@dataclass
class FolderReport:
    """What is made of a results folder.

    Attributes:
        folder: The folder.
        runs: Its runs.
        selection: Those that are reported.
        tables: That could be made, in reading order.
        errors: Why others could not.
        files: Content by name below the folder.
        pictures: For the page.
        pairs: Pairs of runs of all differences.
    """

    folder: Path
    runs: Runs
    selection: Selection
    tables: list[Table] = field(default_factory=list)
    errors: list[StoreError] = field(default_factory=list)
    files: dict[str, str | bytes] = field(default_factory=dict)
    pictures: list[Picture] = field(default_factory=list)
    pairs: pd.DataFrame = field(default_factory=pd.DataFrame)

    @property
    def notes(self) -> list[str]:
        """What a reader must know about the data and the runs."""
        return [*self.selection.notes, *notes_on(self.selection.runs)]

    def text(self) -> str:
        """Return the tables as Markdown."""
        parts = [f"\n{table.title}\n\n{markdown(table, self.notes)}" for table in self.tables]
        return "".join(parts)

    def write(self) -> None:
        """Write the files; a README that somebody wrote is left as it is."""
        write(self.files, self.folder)

    def study(self, command: str) -> Study:
        """Return the folder's section of the page that a command makes."""
        shown = [
            Shown(table.name, table.title, unbroken(table.caption), html(table))
            for table in self.tables
        ]
        runs = self.selection.runs
        return Study(
            title=self.folder.name,
            verdicts=[unbroken(text) for text in verdicts(self.pairs, self.selection)],
            tables=shown,
            pictures=self.pictures,
            notes=self.notes,
            provenance=provenance(runs, self.runs.failures),
            commands=[*run_commands(runs), ("Make this page", command)],
        )


def report_folder(
    folder: Path,
    also: Sequence[Path],
    components: Sequence[Component],
    settings: ReportSettings,
    alone: bool,
    command: str,
) -> FolderReport:
    """Make a results folder's tables and, unless one table is made alone, figures and README.

    Args:
        folder: The folder.
        also: Folders whose runs count as its own.
        components: The tables.
        settings: Which runs, and how they are shown.
        alone: Whether one table is made alone.
        command: What makes this report.

    Raises:
        NoRunsError: If there are no runs.
        StoreError: If records are broken or contradict each other.
    """
    runs = read_runs([folder, *also])
    if runs.table.empty:
        failed = f" ({sum(runs.failures.values())} failed)" if runs.failures else ""
        raise NoRunsError(f"no finished runs{failed}; scripts/run.py makes them")
    report = FolderReport(folder, runs, select(runs.table, settings))
    report.tables, report.errors = make_tables(report.selection, components)
    for table in report.tables:
        report.files |= table_files(table, report.notes)
    report.pairs = pairs_of(report.selection, components)
    if "figures" in settings.show and not alone:
        from fewshot_audio.report import figures  # tables need no matplotlib

        records = records_in([folder, *also], figures.FIELDS)
        drawings = figures.draw(report.selection, report.pairs, records, folder)
        files, report.pictures = figures.pictures(drawings)
        report.files |= files
    if not alone and is_own(folder / "README.md"):
        report.files["README.md"] = readme(report, command)
    return report


def make_tables(
    selection: Selection, components: Sequence[Component]
) -> tuple[list[Table], list[StoreError]]:
    """Return the tables that there are runs for, in reading order, and the others' errors."""
    tables, errors = [], []
    for component in sorted(components, key=_place):
        try:
            tables.append(build(component, selection=selection, name=component.name))
        except StoreError as error:
            errors.append(error)
    return tables, errors


def _place(component: Component) -> tuple[int, str]:
    known = component.name in ORDER
    return (ORDER.index(component.name) if known else len(ORDER), component.name)


def pairs_of(selection: Selection, components: Sequence[Component]) -> pd.DataFrame:
    """Return the pairs of runs of the tables' differences, and those against the baseline."""
    pairs: list[tuple[str, str]] = []
    for component in components:
        pairs += [(first, second) for first, second in component.arguments.get("pairs") or []]
    pairs += against_baseline(selection)
    try:
        return pair_all(selection, "pairs", list(dict.fromkeys(pairs)), partial=True)
    except NoRunsError:
        return pd.DataFrame(columns=["dataset"])


def notes_on(runs: pd.DataFrame) -> list[str]:
    """Return the datasets' notes, and how many clips had no score."""
    notes = sorted({note for notes in runs["notes"] for note in notes})
    lost = runs[runs["unscored_clips"] > 0]
    if len(lost):
        notes.append(
            f"{lost['unscored_clips'].sum()} clips in {len(lost)} runs had no finite score and "
            "count as wrong"
        )
    return notes


def provenance(runs: pd.DataFrame, failures: Mapping[str, int]) -> list[tuple[str, str]]:
    """Return what was run, where, and with which versions, as names and values."""
    datasets = ", ".join(sorted(runs["dataset"].unique()))
    facts = [("Finished runs", f"{len(runs)}"), ("Data", datasets)]
    if failures:
        facts.append(("Failed runs", _counted(failures.items())))
    for name, column in (("Commits", "commit"), ("Versions", "versions"), ("Machines", "machine")):
        counts = runs[column].value_counts()
        known = [(value, count) for value, count in sorted(counts.items()) if value]
        if known:
            facts.append((name, _counted(known)))
    return facts


def _counted(counts: Iterable[tuple[str, int]]) -> str:
    texts = [f"{value} ({count} runs)" for value, count in counts]
    more = f"; … and {len(texts) - SHOWN} more" if len(texts) > SHOWN else ""
    return "; ".join(texts[:SHOWN]) + more


def run_commands(runs: pd.DataFrame) -> list[tuple[str, str]]:
    """Return the commands that did runs, with how many each did."""
    counts = sorted(runs["command"].dropna().value_counts().items())
    commands = [(f"Do {count} of the runs", command) for command, count in counts[:SHOWN]]
    if len(counts) > SHOWN:
        commands.append((f"… and {len(counts) - SHOWN} more, in the records of runs/", ""))
    return commands


def is_own(file: Path) -> bool:
    """Whether a README was made here, or there is none."""
    return not file.exists() or file.read_text(errors="replace").startswith(HEAD)


def readme(report: FolderReport, command: str) -> str:
    """Return what the files of a results folder are, and which runs are behind them."""
    tables = ", ".join(table.name for table in report.tables)
    lines = [
        f"{HEAD}. To make it again:",
        "",
        f"    {command}",
        "",
        "- `runs/` has one line of JSON for each run.",
        f"- `tables/` has these tables: {tables}. The CSV files have every digit, with accuracy as "
        "a share of 1, and there is one with the means of each fold. The Markdown, LaTeX and HTML "
        "files have the same table as text.",
        "- `figures/` has each figure as PNG and PDF, and the numbers drawn as CSV.",
        "",
        "What the runs are:",
        "",
    ]
    facts = provenance(report.selection.runs, report.runs.failures)
    lines += [f"- {name}: {value}" for name, value in facts]
    if report.notes:
        lines += ["", "What to know about the data:", "", *[f"- {note}" for note in report.notes]]
    return "\n".join(lines).rstrip() + "\n"
